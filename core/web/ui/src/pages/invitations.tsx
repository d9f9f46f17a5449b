// Who was invited into an organization, and who asked to join it.
import { useMutation, useQuery } from "@tanstack/react-query";
import { Check, MailPlus, RotateCw, Trash2, X } from "lucide-react";
import { useTranslation } from "react-i18next";
import { act, tellProblem } from "../api/act.ts";
import { api, whole } from "../api/client.ts";
import { asProblem } from "../api/problem.ts";
import type { Schemas } from "../api/types.ts";
import { FormDialog, filled } from "../ui/dialog.tsx";
import { date } from "../ui/format.ts";
import { Badge, Button, IconButton, ProblemNotice, Select, TextField } from "../ui/parts.tsx";
import { Actions, Table } from "../ui/table.tsx";
import { Ago } from "../ui/time.tsx";
import { RoleOptions } from "./roles.tsx";

const INVITATIONS = "/api/organization/{organization}/invitations";
const REQUESTS = "/api/organization/{organization}/requests";

export function Invitations({ organization }: { organization: string }) {
  const { t } = useTranslation();
  const key = ["organization", organization, "invitations"];
  const path = { organization };
  const list = useQuery({
    queryKey: key,
    queryFn: () => whole(api.GET(INVITATIONS, { params: { path, query: { per_page: 100 } } })),
  });
  const invite = (form: FormData) => {
    const body = { email: filled(form, "email") ?? "", role: form.get("role") as Schemas["Role"] };
    return act(whole(api.POST(INVITATIONS, { params: { path }, body })), key);
  };
  const resend = useMutation({
    mutationFn: (id: string) =>
      act(whole(api.POST(`${INVITATIONS}/{id}/resend`, { params: { path: { organization, id } } })), key),
    onError: tellProblem,
  });
  const revoke = useMutation({
    mutationFn: (id: string) =>
      act(whole(api.DELETE(`${INVITATIONS}/{id}`, { params: { path: { organization, id } } })), key),
    onError: tellProblem,
  });
  return (
    <section className="stack">
      <div className="row between">
        <h2>{t("invitations.title")}</h2>
        <FormDialog
          trigger={(open) => (
            <Button onClick={open}>
              <MailPlus aria-hidden />
              {t("invitations.create")}
            </Button>
          )}
          title={t("invitations.create")}
          description={t("invitations.createText")}
          submit={t("invitations.send")}
          onSubmit={invite}
        >
          <TextField label={t("signIn.email")} name="email" type="email" autoComplete="off" required />
          <Select label={t("word.role")} name="role" defaultValue="member">
            <RoleOptions />
          </Select>
        </FormDialog>
      </div>
      <ProblemNotice problem={list.error && asProblem(list.error)} />
      {list.data?.data.length === 0 && <p className="soft">{t("invitations.none")}</p>}
      {list.data && list.data.data.length > 0 && (
        <Table
          heads={[t("signIn.email"), t("word.role"), t("invitations.until"), undefined]}
          label={t("invitations.title")}
        >
          {list.data.data.map((one) => (
            <tr key={one.id}>
              <td className="name">{one.email}</td>
              <td data-label={t("word.role")}>{t(`role.${one.role}`)}</td>
              <td data-label={t("invitations.until")}>
                {one.expired ? <Badge tone="warn">{t("invitations.expired")}</Badge> : date(one.expiresAt)}
              </td>
              <Actions>
                <IconButton
                  size="small"
                  look="quiet"
                  icon={RotateCw}
                  label={t("invitations.resend", { email: one.email })}
                  onClick={() => resend.mutate(one.id)}
                />
                <IconButton
                  size="small"
                  look="quiet"
                  icon={Trash2}
                  label={t("invitations.revoke", { email: one.email })}
                  onClick={() => revoke.mutate(one.id)}
                />
              </Actions>
            </tr>
          ))}
        </Table>
      )}
    </section>
  );
}

/** Nothing where nobody waits. */
export function JoinRequests({ organization }: { organization: string }) {
  const { t } = useTranslation();
  const key = ["organization", organization, "requests"];
  const path = { organization };
  const list = useQuery({
    queryKey: key,
    queryFn: () => whole(api.GET(REQUESTS, { params: { path, query: { per_page: 100 } } })),
  });
  const touched = [key, ["organization", organization, "members"]];
  const approve = (id: string, form: FormData) => {
    const params = { path: { organization, id } };
    const body = { role: form.get("role") as Schemas["Role"] };
    return act(whole(api.POST(`${REQUESTS}/{id}/approve`, { params, body })), ...touched);
  };
  const deny = useMutation({
    mutationFn: (id: string) =>
      act(whole(api.POST(`${REQUESTS}/{id}/deny`, { params: { path: { organization, id } }, body: {} })), ...touched),
    onError: tellProblem,
  });
  if (!list.data || list.data.data.length === 0) return <ProblemNotice problem={list.error && asProblem(list.error)} />;
  return (
    <section className="stack">
      <h2>{t("requests.title")}</h2>
      <ul className="list">
        {list.data.data.map((one) => (
          <li key={one.id} className="row between">
            <div className="stack tight-lines">
              <span className="name">{one.name ? `${one.name} (${one.username})` : one.username}</span>
              <span className="soft small">
                <Ago at={one.createdAt} />
              </span>
              {one.message && <p>{one.message}</p>}
            </div>
            <div className="row">
              <FormDialog
                trigger={(open) => (
                  <Button look="main" size="small" onClick={open}>
                    <Check aria-hidden />
                    {t("joinRequest.approve")}
                  </Button>
                )}
                title={t("requests.approve", { name: one.username })}
                submit={t("joinRequest.approve")}
                onSubmit={(form) => approve(one.id, form)}
              >
                <Select label={t("word.role")} name="role" defaultValue="member">
                  <RoleOptions />
                </Select>
              </FormDialog>
              <Button size="small" busy={deny.isPending} onClick={() => deny.mutate(one.id)}>
                <X aria-hidden />
                {t("joinRequest.deny")}
              </Button>
            </div>
          </li>
        ))}
      </ul>
    </section>
  );
}
