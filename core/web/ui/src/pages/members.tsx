// Who belongs to an organization, as what.
import { useMutation, useQuery } from "@tanstack/react-query";
import { useParams } from "@tanstack/react-router";
import { UserMinus, UserPlus } from "lucide-react";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { api, whole } from "../api/client.ts";
import { asProblem } from "../api/problem.ts";
import { type May, members, refresh, useMay, useProfile } from "../api/queries.ts";
import type { Schemas } from "../api/types.ts";
import { Avatar } from "../ui/avatar.tsx";
import { FormDialog, filled } from "../ui/dialog.tsx";
import { date } from "../ui/format.ts";
import { Pager } from "../ui/pager.tsx";
import { Bones, Button, IconButton, ProblemNotice, Select, TextField } from "../ui/parts.tsx";
import { Table } from "../ui/table.tsx";
import { toast } from "../ui/toast.tsx";
import { Invitations, JoinRequests } from "./invitations.tsx";
import { OrganizationPage } from "./organization-page.tsx";
import { RoleOptions } from "./roles.tsx";

const MEMBERS = "/api/organization/{organization}/members";

export function Members() {
  const { t } = useTranslation();
  const { organization: name } = useParams({ from: "/organizations/$organization/members" });
  const [page, setPage] = useState(1);
  const list = useQuery(members(name, { page }));
  const may = useMay({ organization: name });
  const heads = [t("word.user"), t("members.since"), t("word.role")];
  return (
    <OrganizationPage name={name} title={t("organization.members")}>
      {() => (
        <>
          {may("join-request", "read") && <JoinRequests organization={name} />}
          <section className="stack">
            <div className="row between">
              <h2>{t("organization.members")}</h2>
              {may("member", "create") && <AddMember organization={name} />}
            </div>
            <ProblemNotice problem={list.error && asProblem(list.error)} />
            {!list.data && !list.error && <Bones />}
            {list.data && (
              <Table heads={may("member", "delete") ? [...heads, undefined] : heads} label={t("organization.members")}>
                {list.data.data.map((one) => (
                  <Row key={one.userId} organization={name} member={one} may={may} />
                ))}
              </Table>
            )}
            <Pager page={list.data?.page} onPage={setPage} />
          </section>
          {may("invitation", "read") && <Invitations organization={name} />}
        </>
      )}
    </OrganizationPage>
  );
}

interface RowProps {
  organization: string;
  member: Schemas["MemberView"];
  may: May;
}

function Row({ organization, member, may }: RowProps) {
  const { t } = useTranslation();
  const me = useProfile();
  const path = { organization, username: member.username };
  const after = (message: string) => {
    toast(message);
    return refresh(["organization", organization, "members"], ["profile"]);
  };
  const change = useMutation({
    mutationFn: (role: Schemas["Role"]) =>
      whole(api.PUT(`${MEMBERS}/{username}`, { params: { path }, body: { role } })),
    onSuccess: ({ message }) => after(message),
    onError: (error) => toast(asProblem(error).message, "bad"),
  });
  const remove = async () => after((await whole(api.DELETE(`${MEMBERS}/{username}`, { params: { path } }))).message);
  return (
    <tr>
      <td>
        <span className="row beside">
          <Avatar name={member.username} />
          <span className="stack tight-lines">
            <span className="name">{member.username}</span>
            {member.name && <span className="soft small">{member.name}</span>}
          </span>
        </span>
      </td>
      <td data-label={t("members.since")} className="soft">
        {date(member.joinedAt)}
      </td>
      <td data-label={t("word.role")}>
        {may("member", "update") ? (
          <select
            className="input plain"
            aria-label={t("members.roleOf", { name: member.username })}
            value={member.role}
            disabled={change.isPending}
            onChange={(event) => change.mutate(event.target.value as Schemas["Role"])}
          >
            <RoleOptions />
          </select>
        ) : (
          t(`role.${member.role}`)
        )}
      </td>
      {may("member", "delete") && (
        <td className="end">
          <FormDialog
            trigger={(open) => (
              <IconButton
                size="small"
                look="quiet"
                icon={UserMinus}
                label={t("members.remove", { name: member.username })}
                disabled={member.username === me?.username}
                onClick={open}
              />
            )}
            danger
            title={t("members.remove", { name: member.username })}
            description={t("members.removeText")}
            submit={t("remove")}
            onSubmit={remove}
          />
        </td>
      )}
    </tr>
  );
}

function AddMember({ organization }: { organization: string }) {
  const { t } = useTranslation();
  const add = async (form: FormData) => {
    const { message } = await whole(
      api.POST(MEMBERS, {
        params: { path: { organization } },
        body: { username: filled(form, "username") ?? "", role: form.get("role") as Schemas["Role"] },
      }),
    );
    toast(message);
    await refresh(["organization", organization, "members"]);
  };
  return (
    <FormDialog
      trigger={(open) => (
        <Button look="main" onClick={open}>
          <UserPlus aria-hidden />
          {t("members.add")}
        </Button>
      )}
      title={t("members.add")}
      description={t("members.addText")}
      submit={t("members.add")}
      onSubmit={add}
    >
      <TextField label={t("signUp.username")} name="username" autoComplete="off" required />
      <Select label={t("word.role")} name="role" defaultValue="member">
        <RoleOptions />
      </Select>
    </FormDialog>
  );
}
