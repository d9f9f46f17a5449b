// An invitation into an organization, and a request to join one: both come as links in messages.
import { useMutation, useQuery } from "@tanstack/react-query";
import { Link, useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { api, ok, whole } from "../api/client.ts";
import { asProblem } from "../api/problem.ts";
import { refresh } from "../api/queries.ts";
import { keep, useSession } from "../api/session.ts";
import type { Schemas } from "../api/types.ts";
import { filled } from "../ui/dialog.tsx";
import { Button, FormProblem, Notice, PageBones, ProblemNotice, Select, sentence, TextField } from "../ui/parts.tsx";
import { useTitle } from "../ui/title.ts";
import { linkParts } from "./links.tsx";
import { NewPassword, submit } from "./sign-in.tsx";

export function Invitation() {
  const { t } = useTranslation();
  const [link] = useState(() => linkParts("token"));
  const current = useSession();
  const token = link?.token ?? "";
  useTitle(t("invitation.title"));
  const opened = useQuery({
    queryKey: ["invitation", token],
    queryFn: () => ok(api.POST("/api/invitations/open", { body: { token } })),
    enabled: !!link,
  });
  if (!link) return <Broken title={t("invitation.title")} />;
  if (opened.error) {
    return (
      <div className="wrap narrow stack">
        <h1>{t("invitation.title")}</h1>
        <ProblemNotice problem={asProblem(opened.error)} />
      </div>
    );
  }
  if (!opened.data) return <PageBones />;
  const { organization, email, role, invitedBy } = opened.data;
  return (
    <div className="wrap narrow stack">
      <h1>{t("invitation.to", { organization })}</h1>
      <p className="soft">
        {t("invitation.text", { who: invitedBy ?? t("invitation.somebody"), email, role: t(`role.${role}`) })}
      </p>
      {current ? (
        <Accept token={token} username={current.username} />
      ) : (
        <NewAccount token={token} invitation={opened.data} />
      )}
      <Decline token={token} />
    </div>
  );
}

function Accept({ token, username }: { token: string; username: string }) {
  const { t } = useTranslation();
  const navigate = useNavigate();
  const accept = useMutation({
    mutationFn: () => ok(api.POST("/api/invitations/accept", { body: { token } })),
    onSuccess: async ({ organization }) => {
      await refresh(["profile"], ["organizations"]);
      navigate({ to: "/$organization", params: { organization } });
    },
  });
  return (
    <div className="card stack">
      <ProblemNotice problem={accept.error && asProblem(accept.error)} />
      <Button look="main" busy={accept.isPending} onClick={() => accept.mutate()}>
        {t("invitation.acceptAs", { name: username })}
      </Button>
    </div>
  );
}

function NewAccount({ token, invitation }: { token: string; invitation: Schemas["OpenedInvitationView"] }) {
  const { t } = useTranslation();
  const navigate = useNavigate();
  const join = useMutation({
    mutationFn: async (form: FormData) => {
      const username = filled(form, "username") ?? "";
      const password = String(form.get("password"));
      await whole(
        api.POST("/api/auth/signup", { body: { username, password, email: invitation.email, invitation: token } }),
      );
      keep(await ok(api.POST("/api/auth/signin", { body: { username, password } })));
    },
    onSuccess: () => navigate({ to: "/$organization", params: { organization: invitation.organization } }),
  });
  const problem = join.error ? asProblem(join.error) : undefined;
  return (
    <>
      <Link to="/login" search={{ next: `/invitation${location.hash}` }} className="button">
        {t("invitation.known")}
      </Link>
      <FormProblem value={problem}>
        <form className="card stack" onSubmit={submit((form) => join.mutate(form))}>
          <h2>{t("invitation.new")}</h2>
          <TextField
            label={t("signUp.username")}
            hint={t("nameHint")}
            name="username"
            autoComplete="username"
            required
          />
          <NewPassword />
          <ProblemNotice problem={problem} />
          <Button type="submit" look="main" busy={join.isPending}>
            {t("invitation.join")}
          </Button>
        </form>
      </FormProblem>
    </>
  );
}

function Decline({ token }: { token: string }) {
  const { t } = useTranslation();
  const decline = useMutation({
    mutationFn: () => whole(api.POST("/api/invitations/decline", { body: { token } })),
  });
  if (decline.data) {
    return (
      <Notice tone="good" role="status">
        {sentence(decline.data.message)}
      </Notice>
    );
  }
  return (
    <div className="stack">
      <ProblemNotice problem={decline.error && asProblem(decline.error)} />
      <Button look="quiet" busy={decline.isPending} onClick={() => decline.mutate()}>
        {t("invitation.decline")}
      </Button>
    </div>
  );
}

const REQUEST = "/api/organization/{organization}/requests/{id}";
const ROLES = ["member", "admin", "owner"] as const;

/** Somebody wants to join; whoever may decide got this link. */
export function JoinRequest() {
  const { t } = useTranslation();
  const [link] = useState(() => linkParts("organization", "request"));
  const current = useSession();
  useTitle(t("joinRequest.title"));
  const path = { organization: link?.organization ?? "", id: link?.request ?? "" };
  const approve = useMutation({
    mutationFn: (form: FormData) =>
      whole(api.POST(`${REQUEST}/approve`, { params: { path }, body: { role: form.get("role") as Schemas["Role"] } })),
  });
  const deny = useMutation({ mutationFn: () => whole(api.POST(`${REQUEST}/deny`, { params: { path }, body: {} })) });
  if (!link) return <Broken title={t("joinRequest.title")} />;
  const done = approve.data ?? deny.data;
  const problem = approve.error ?? deny.error;
  return (
    <div className="wrap narrow stack">
      <h1>{t("joinRequest.to", { organization: link.organization })}</h1>
      {!current && (
        <>
          <p className="soft">{t("joinRequest.signIn")}</p>
          <Link to="/login" search={{ next: `/organization/join-request${location.hash}` }} className="button main">
            {t("signIn.do")}
          </Link>
        </>
      )}
      {done && (
        <Notice tone="good" role="status">
          {sentence(done.message)}
        </Notice>
      )}
      {current && !done && (
        <form className="card stack" onSubmit={submit((form) => approve.mutate(form))}>
          <p className="soft">{t("joinRequest.text")}</p>
          <Select label={t("joinRequest.as")} name="role" defaultValue="member">
            {ROLES.map((role) => (
              <option key={role} value={role}>
                {t(`role.${role}`)}
              </option>
            ))}
          </Select>
          <ProblemNotice problem={problem && asProblem(problem)} />
          <div className="row">
            <Button type="submit" look="main" busy={approve.isPending}>
              {t("joinRequest.approve")}
            </Button>
            <Button look="danger" busy={deny.isPending} onClick={() => deny.mutate()}>
              {t("joinRequest.deny")}
            </Button>
          </div>
        </form>
      )}
    </div>
  );
}

function Broken({ title }: { title: string }) {
  const { t } = useTranslation();
  return (
    <div className="wrap narrow stack">
      <h1>{title}</h1>
      <Notice tone="bad">{t("links.broken")}</Notice>
    </div>
  );
}
