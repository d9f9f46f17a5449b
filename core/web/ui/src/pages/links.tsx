// What links in messages lead to. Their token stands behind "#", so that it reached no server on the way here.
import { useMutation } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import type { ReactNode } from "react";
import { useTranslation } from "react-i18next";
import { api, whole } from "../api/client.ts";
import { asProblem } from "../api/problem.ts";
import { Button, FormProblem, Notice, ProblemNotice, sentence } from "../ui/parts.tsx";
import { useTitle } from "../ui/title.ts";
import { NewPassword, submit } from "./sign-in.tsx";

/** The parts of a link, or nothing where it is not whole. */
export function linkParts<N extends string>(...names: N[]): Record<N, string> | undefined {
  const hash = new URLSearchParams(location.hash.slice(1));
  const parts = names.map((name) => [name, hash.get(name)] as const);
  return parts.every(([, value]) => value) ? (Object.fromEntries(parts) as Record<N, string>) : undefined;
}

interface LinkFormProps {
  title: string;
  text?: string;
  action: string;
  send: (token: string, form: FormData) => Promise<{ message: string }>;
  children?: ReactNode;
}

function LinkForm({ title, text, action, send, children }: LinkFormProps) {
  const { t } = useTranslation();
  const link = linkParts("token");
  useTitle(title);
  const sent = useMutation({ mutationFn: (form: FormData) => send(link?.token ?? "", form) });
  const problem = sent.error ? asProblem(sent.error) : undefined;
  return (
    <div className="wrap narrow stack">
      <h1>{title}</h1>
      {!link && <Notice tone="bad">{t("links.broken")}</Notice>}
      {sent.data && (
        <>
          <Notice tone="good" role="status">
            {sentence(sent.data.message)}
          </Notice>
          <Link to="/login" className="button main">
            {t("signIn.do")}
          </Link>
        </>
      )}
      {link && !sent.data && (
        <FormProblem value={problem}>
          <form className="card stack" onSubmit={submit((form) => sent.mutate(form))}>
            {text && <p className="soft">{text}</p>}
            {children}
            <ProblemNotice problem={problem} />
            <Button type="submit" look="main" busy={sent.isPending}>
              {action}
            </Button>
          </form>
        </FormProblem>
      )}
    </div>
  );
}

export function ResetPassword() {
  const { t } = useTranslation();
  return (
    <LinkForm
      title={t("links.reset")}
      text={t("links.resetText")}
      action={t("links.resetDo")}
      send={(token, form) =>
        whole(api.POST("/api/auth/reset-password", { body: { token, newPassword: String(form.get("newPassword")) } }))
      }
    >
      <NewPassword name="newPassword" />
    </LinkForm>
  );
}

export function VerifyEmail() {
  const { t } = useTranslation();
  return (
    <LinkForm
      title={t("links.verify")}
      text={t("links.verifyText")}
      action={t("links.verifyDo")}
      send={(token) => whole(api.POST("/api/auth/verify-email", { body: { token } }))}
    />
  );
}

export function StopWatching() {
  const { t } = useTranslation();
  return (
    <LinkForm
      title={t("links.stop")}
      text={t("links.stopText")}
      action={t("links.stopDo")}
      send={(token) => whole(api.POST("/api/watches/stop", { body: { token } }))}
    />
  );
}
