// The whole server: its accounts, organizations and log.
import { keepPreviousData, useMutation, useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import {
  ArchiveRestore,
  Ban,
  CirclePlay,
  HardDrive,
  KeyRound,
  ShieldCheck,
  ShieldOff,
  Trash2,
  UserPlus,
} from "lucide-react";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { act, tellProblem } from "../api/act.ts";
import { api, whole } from "../api/client.ts";
import { asProblem } from "../api/problem.ts";
import { useProfile } from "../api/queries.ts";
import type { Schemas } from "../api/types.ts";
import { Avatar } from "../ui/avatar.tsx";
import { FormDialog, filled } from "../ui/dialog.tsx";
import { date } from "../ui/format.ts";
import { Pager } from "../ui/pager.tsx";
import { Badge, Bones, Button, Check, IconButton, ProblemNotice, TextField } from "../ui/parts.tsx";
import { Actions, Table } from "../ui/table.tsx";
import { Ago } from "../ui/time.tsx";
import { AdminPage } from "./admin-page.tsx";
import { Audit } from "./audit.tsx";
import { SearchBox } from "./discover.tsx";

export function AdminUsers() {
  const { t } = useTranslation();
  const [search, setSearch] = useState<{ q?: string; page?: number }>({});
  const list = useQuery({
    queryKey: ["users", search],
    queryFn: () => whole(api.GET("/api/users", { params: { query: search } })),
    placeholderData: keepPreviousData,
  });
  return (
    <AdminPage title={t("admin.users")}>
      <div className="row between">
        <div className="grow-search">
          <SearchBox
            label={t("admin.search")}
            value={search.q ?? ""}
            onValue={(q) => setSearch({ q: q || undefined })}
          />
        </div>
        <CreateUser />
      </div>
      <ProblemNotice problem={list.error && asProblem(list.error)} />
      {!list.data && !list.error && <Bones lines={6} />}
      {list.data && (
        <Table heads={[t("word.user"), t("signIn.email"), t("admin.signedIn"), undefined]} label={t("admin.users")}>
          {list.data.data.map((user) => (
            <UserRow key={user.id} user={user} />
          ))}
        </Table>
      )}
      <Pager page={list.data?.page} onPage={(page) => setSearch({ ...search, page })} />
    </AdminPage>
  );
}

const USER = "/api/users/{username}";

function UserRow({ user }: { user: Schemas["UserView"] }) {
  const { t } = useTranslation();
  const me = useProfile();
  const { username: name, suspended, platformAdmin } = user;
  const params = { path: { username: name } };
  const update = useMutation({
    mutationFn: (body: Schemas["UpdateUserParams"]) => act(whole(api.PUT(USER, { params, body })), ["users"]),
    onError: tellProblem,
  });
  const isMe = me?.username === name;
  return (
    <tr>
      <td>
        <span className="row beside">
          <Avatar name={name} url={user.avatarUrl} />
          <span className="stack tight-lines">
            <span className="row">
              <span className="name">{name}</span>
              {platformAdmin && <Badge tone="warn">{t("admin.isAdmin")}</Badge>}
              {suspended && <Badge tone="bad">{t("service.suspended")}</Badge>}
            </span>
            <span className="soft small">{user.name}</span>
          </span>
        </span>
      </td>
      <td data-label={t("signIn.email")}>{user.email}</td>
      <td data-label={t("admin.signedIn")} className="soft">
        {user.lastSignInAt ? <Ago at={user.lastSignInAt} /> : t("scope.never")}
      </td>
      <Actions>
        <IconButton
          size="small"
          look="quiet"
          icon={suspended ? CirclePlay : Ban}
          label={t(suspended ? "service.resume" : "service.suspend", { name })}
          disabled={isMe}
          onClick={() => update.mutate({ suspended: !suspended })}
        />
        <FormDialog
          trigger={(open) => (
            <IconButton
              size="small"
              look="quiet"
              icon={platformAdmin ? ShieldOff : ShieldCheck}
              label={t(platformAdmin ? "admin.demote" : "admin.promote", { name })}
              disabled={isMe}
              onClick={open}
            />
          )}
          title={t(platformAdmin ? "admin.demote" : "admin.promote", { name })}
          description={t("admin.promoteText")}
          submit={t("save")}
          onSubmit={() => act(whole(api.PUT(USER, { params, body: { platformAdmin: !platformAdmin } })), ["users"])}
        />
        <FormDialog
          trigger={(open) => (
            <IconButton size="small" look="quiet" icon={KeyRound} label={t("admin.reset", { name })} onClick={open} />
          )}
          title={t("admin.reset", { name })}
          description={t("admin.resetText")}
          submit={t("forgot.do")}
          onSubmit={() => act(whole(api.POST(`${USER}/reset-password`, { params, body: {} })), ["users"])}
        />
        <FormDialog
          trigger={(open) => (
            <IconButton
              size="small"
              look="quiet"
              icon={Trash2}
              label={t("file.remove", { name })}
              disabled={isMe}
              onClick={open}
            />
          )}
          danger
          title={t("file.remove", { name })}
          description={t("admin.deleteText")}
          submit={t("delete")}
          confirm={name}
          onSubmit={() => act(whole(api.DELETE(USER, { params })), ["users"])}
        />
      </Actions>
    </tr>
  );
}

function CreateUser() {
  const { t } = useTranslation();
  const create = (form: FormData) => {
    const body = {
      username: filled(form, "username") ?? "",
      email: filled(form, "email") ?? "",
      name: filled(form, "name"),
      password: filled(form, "password"),
      platformAdmin: form.get("platformAdmin") === "on",
    };
    return act(whole(api.POST("/api/users", { body })), ["users"]);
  };
  return (
    <FormDialog
      trigger={(open) => (
        <Button look="main" onClick={open}>
          <UserPlus aria-hidden />
          {t("admin.create")}
        </Button>
      )}
      title={t("admin.create")}
      description={t("admin.createText")}
      submit={t("admin.create")}
      onSubmit={create}
    >
      <TextField label={t("signUp.username")} hint={t("nameHint")} name="username" autoComplete="off" required />
      <TextField label={t("signIn.email")} name="email" type="email" autoComplete="off" required />
      <TextField label={t("signUp.fullName")} hint={t("optional")} name="name" autoComplete="off" />
      <TextField
        label={t("signUp.password")}
        hint={t("admin.passwordHint")}
        name="password"
        type="password"
        autoComplete="new-password"
      />
      <Check label={t("admin.isAdmin")} hint={t("admin.promoteText")} name="platformAdmin" />
    </FormDialog>
  );
}

export function AdminOrganizations() {
  const { t } = useTranslation();
  const [search, setSearch] = useState<{ q?: string; page?: number }>({});
  const list = useQuery({
    queryKey: ["organizations", "all", search],
    queryFn: () => whole(api.GET("/api/organization", { params: { query: search } })),
    placeholderData: keepPreviousData,
  });
  return (
    <AdminPage title={t("admin.organizations")}>
      <SearchBox
        label={t("organizations.search")}
        value={search.q ?? ""}
        onValue={(q) => setSearch({ q: q || undefined })}
      />
      <ProblemNotice problem={list.error && asProblem(list.error)} />
      {!list.data && !list.error && <Bones lines={6} />}
      {list.data && (
        <Table heads={[t("word.organization"), t("box.created"), t("admin.state"), undefined]}>
          {list.data.data.map((one) => (
            <OrganizationRow key={one.id} organization={one} />
          ))}
        </Table>
      )}
      <Pager page={list.data?.page} onPage={(page) => setSearch({ ...search, page })} />
      <DeletedOrganizations />
    </AdminPage>
  );
}

const ORGANIZATION = "/api/organization/{organization}";

function OrganizationRow({ organization }: { organization: Schemas["OrganizationView"] }) {
  const { t } = useTranslation();
  const { name, suspended } = organization;
  const params = { path: { organization: name } };
  const suspend = (form: FormData) =>
    act(whole(api.PUT(`${ORGANIZATION}/suspend`, { params, body: { reason: filled(form, "reason") } })), [
      "organizations",
    ]);
  const resume = useMutation({
    mutationFn: () => act(whole(api.PUT(`${ORGANIZATION}/resume`, { params })), ["organizations"]),
    onError: tellProblem,
  });
  return (
    <tr>
      <td>
        <Link to="/$organization" params={{ organization: name }} className="name">
          {name}
        </Link>
      </td>
      <td data-label={t("box.created")} className="soft">
        {date(organization.createdAt)}
      </td>
      <td data-label={t("admin.state")}>
        <Badge tone={suspended ? "bad" : "good"}>{t(suspended ? "service.suspended" : "admin.active")}</Badge>
      </td>
      <Actions>
        <Link to="/organizations/$organization/usage" params={{ organization: name }} className="button small">
          <HardDrive aria-hidden />
          {t("organization.usage")}
        </Link>
        {suspended ? (
          <Button size="small" busy={resume.isPending} onClick={() => resume.mutate()}>
            <CirclePlay aria-hidden />
            {t("admin.resume")}
          </Button>
        ) : (
          <FormDialog
            trigger={(open) => (
              <IconButton size="small" look="quiet" icon={Ban} label={t("service.suspend", { name })} onClick={open} />
            )}
            danger
            title={t("service.suspend", { name })}
            description={t("organization.suspended")}
            submit={t("admin.suspend")}
            onSubmit={suspend}
          >
            <TextField label={t("admin.reason")} hint={t("optional")} name="reason" />
          </FormDialog>
        )}
      </Actions>
    </tr>
  );
}

function DeletedOrganizations() {
  const { t } = useTranslation();
  const list = useQuery({
    queryKey: ["organizations", "deleted"],
    queryFn: () => whole(api.GET("/api/organizations/deleted")),
  });
  const restore = useMutation({
    mutationFn: (organization: string) =>
      act(whole(api.POST(`${ORGANIZATION}/restore`, { params: { path: { organization } } })), ["organizations"]),
    onError: tellProblem,
  });
  if (!list.data || list.data.data.length === 0) return null;
  return (
    <section className="stack">
      <h2>{t("admin.deleted")}</h2>
      <ul className="list">
        {list.data.data.map((one) => (
          <li key={one.id} className="row between">
            <div className="row">
              <span className="name">{one.name}</span>
              <span className="soft small">
                {t("organization.restorable")} {date(one.restorableUntil)}
              </span>
            </div>
            <Button size="small" busy={restore.isPending} onClick={() => restore.mutate(one.name)}>
              <ArchiveRestore aria-hidden />
              {t("restore")}
            </Button>
          </li>
        ))}
      </ul>
    </section>
  );
}

export function AdminAudit() {
  const { t } = useTranslation();
  return (
    <AdminPage title={t("admin.audit")}>
      <Audit />
    </AdminPage>
  );
}
