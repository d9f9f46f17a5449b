// What an organization says of itself, who leads it, what was deleted in it, and its end.
import { useMutation, useQuery } from "@tanstack/react-query";
import { useNavigate, useParams } from "@tanstack/react-router";
import { ArchiveRestore, DoorOpen, Handshake, Trash2 } from "lucide-react";
import { useTranslation } from "react-i18next";
import { act, tellProblem } from "../api/act.ts";
import { api, type Tagged, whole } from "../api/client.ts";
import { organization, queryClient, refresh, useMay } from "../api/queries.ts";
import type { Schemas } from "../api/types.ts";
import { FormDialog, filled } from "../ui/dialog.tsx";
import { date } from "../ui/format.ts";
import { KeptForm } from "../ui/kept-form.tsx";
import { Button, Select, TextArea, TextField } from "../ui/parts.tsx";
import { Actions, Table } from "../ui/table.tsx";
import { toast } from "../ui/toast.tsx";
import { Mirror } from "./mirror.tsx";
import { OrganizationPage } from "./organization-page.tsx";

const ORGANIZATION = "/api/organization/{organization}";
const ACCESS_MODES = ["private", "invite_only", "request_to_join"] as const;

export function OrganizationSettings() {
  const { t } = useTranslation();
  const { organization: name } = useParams({ from: "/organizations/$organization/settings" });
  const may = useMay({ organization: name });
  return (
    <OrganizationPage name={name} title={t("organization.settings")}>
      {(about) => (
        <div className="middle stack loose">
          {may("organization", "update") && <Texts key={about.id} newest={about} />}
          <Mirror organization={name} />
          {may("box", "restore") && <DeletedBoxes organization={name} />}
          <Endings organization={about} mayEnd={may("organization", "delete")} />
        </div>
      )}
    </OrganizationPage>
  );
}

function Texts({ newest }: { newest: Schemas["OrganizationView"] & Tagged }) {
  const { t } = useTranslation();
  const navigate = useNavigate();
  const path = { organization: newest.name };
  return (
    <KeptForm
      newest={newest}
      fields={{
        name: t("organizations.name"),
        description: t("organizations.description"),
        email: t("organizations.email"),
        accessMode: t("organizations.access"),
      }}
      read={() => queryClient.fetchQuery({ ...organization(newest.name), staleTime: 0 })}
      save={(form, header) =>
        whole(
          api.PUT(ORGANIZATION, {
            params: { path, header },
            body: {
              name: filled(form, "name") ?? "",
              description: filled(form, "description") ?? "",
              email: filled(form, "email") ?? null,
              accessMode: form.get("accessMode") as Schemas["AccessMode"],
            },
          }),
        )
      }
      onSaved={async ({ data, message }) => {
        toast(message);
        await refresh(["organization"], ["organizations"], ["profile"]);
        navigate({ to: "/organizations/$organization/settings", params: { organization: data.name } });
      }}
    >
      {(now) => (
        <>
          <TextField
            label={t("organizations.name")}
            hint={t("box.renameHint")}
            name="name"
            defaultValue={now.name}
            required
          />
          <TextArea label={t("organizations.description")} name="description" defaultValue={now.description} />
          <TextField label={t("organizations.email")} name="email" type="email" defaultValue={now.email ?? ""} />
          <Select label={t("organizations.access")} name="accessMode" defaultValue={now.accessMode}>
            {ACCESS_MODES.map((mode) => (
              <option key={mode} value={mode}>
                {t(`access.${mode}`)}
              </option>
            ))}
          </Select>
        </>
      )}
    </KeptForm>
  );
}

function DeletedBoxes({ organization }: { organization: string }) {
  const { t } = useTranslation();
  const key = ["organization", organization, "deleted"];
  const list = useQuery({
    queryKey: key,
    queryFn: () => whole(api.GET(`${ORGANIZATION}/deleted-boxes`, { params: { path: { organization } } })),
  });
  const restore = useMutation({
    mutationFn: (box: string) =>
      act(whole(api.PUT(`${ORGANIZATION}/box/{box}/restore`, { params: { path: { organization, box } } })), key, [
        "boxes",
      ]),
    onError: tellProblem,
  });
  if (!list.data || list.data.data.length === 0) return null;
  return (
    <section className="stack">
      <h2>{t("organization.deleted")}</h2>
      <Table heads={[t("word.box"), t("organization.deletedAt"), t("organization.restorable"), undefined]}>
        {list.data.data.map((one) => (
          <tr key={one.id}>
            <td className="name">{one.name}</td>
            <td data-label={t("organization.deletedAt")}>{date(one.deletedAt)}</td>
            <td data-label={t("organization.restorable")}>{date(one.restorableUntil)}</td>
            <Actions>
              <Button size="small" busy={restore.isPending} onClick={() => restore.mutate(one.name)}>
                <ArchiveRestore aria-hidden />
                {t("restore")}
              </Button>
            </Actions>
          </tr>
        ))}
      </Table>
    </section>
  );
}

function Endings({ organization, mayEnd }: { organization: Schemas["OrganizationView"]; mayEnd: boolean }) {
  const { t } = useTranslation();
  const navigate = useNavigate();
  const { name } = organization;
  const path = { organization: name };
  const gone = async (asked: Promise<{ message: string }>) => {
    toast((await asked).message);
    await refresh(["organizations"], ["profile"], ["boxes"]);
    navigate({ to: "/organizations" });
  };
  const handOver = (form: FormData) => {
    const body = { username: filled(form, "username") ?? "" };
    return act(whole(api.PUT(`${ORGANIZATION}/owner`, { params: { path }, body })), ["profile"], ["organization"]);
  };
  return (
    <section className="card stack">
      <h2>{t("organization.endings")}</h2>
      {organization.role && (
        <Ending text={t("organization.leaveText")}>
          <FormDialog
            trigger={(open) => (
              <Button onClick={open}>
                <DoorOpen aria-hidden />
                {t("organization.leave")}
              </Button>
            )}
            danger
            title={t("organization.leaveOf", { name })}
            description={t("organization.leaveText")}
            submit={t("organization.leave")}
            onSubmit={() => gone(whole(api.POST("/api/user/leave/{organization}", { params: { path }, body: {} })))}
          />
        </Ending>
      )}
      {mayEnd && (
        <>
          <Ending text={t("organization.handOverText")}>
            <FormDialog
              trigger={(open) => (
                <Button onClick={open}>
                  <Handshake aria-hidden />
                  {t("organization.handOver")}
                </Button>
              )}
              title={t("organization.handOver")}
              description={t("organization.handOverText")}
              submit={t("organization.handOver")}
              confirm={name}
              onSubmit={handOver}
            >
              <TextField label={t("organization.newOwner")} name="username" autoComplete="off" required />
            </FormDialog>
          </Ending>
          <Ending text={t("organization.deleteText")}>
            <FormDialog
              trigger={(open) => (
                <Button look="danger" onClick={open}>
                  <Trash2 aria-hidden />
                  {t("organization.delete")}
                </Button>
              )}
              danger
              title={t("organization.deleteOf", { name })}
              description={t("organization.deleteText")}
              submit={t("delete")}
              confirm={name}
              onSubmit={() => gone(whole(api.DELETE(ORGANIZATION, { params: { path, query: { confirm: name } } })))}
            />
          </Ending>
        </>
      )}
    </section>
  );
}

function Ending({ text, children }: { text: string; children: React.ReactNode }) {
  return (
    <div className="row between ending">
      <p className="soft small">{text}</p>
      {children}
    </div>
  );
}
