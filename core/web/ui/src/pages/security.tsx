// How somebody signs in, and where they are.
import { useMutation, useQuery } from "@tanstack/react-query";
import { LogOut, Monitor } from "lucide-react";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { act, tellProblem } from "../api/act.ts";
import { api, ok, whole } from "../api/client.ts";
import { asProblem } from "../api/problem.ts";
import type { Schemas } from "../api/types.ts";
import { Dialog, FormDialog } from "../ui/dialog.tsx";
import { Badge, Bones, Button, FormProblem, Notice, ProblemNotice, TextField } from "../ui/parts.tsx";
import { QrCode } from "../ui/qr-code.tsx";
import { Snippet } from "../ui/snippet.tsx";
import { Ago } from "../ui/time.tsx";
import { CurrentPassword } from "./profile.tsx";
import { SettingsPage } from "./settings-page.tsx";
import { NewPassword, submit } from "./sign-in.tsx";

export function Security() {
  const { t } = useTranslation();
  return (
    <SettingsPage title={t("settings.security")}>
      <Password />
      <SecondFactor />
      <Sessions />
    </SettingsPage>
  );
}

function Password() {
  const { t } = useTranslation();
  const [round, setRound] = useState(0);
  const change = useMutation({
    mutationFn: (form: FormData) => {
      const body = {
        currentPassword: String(form.get("currentPassword")),
        newPassword: String(form.get("newPassword")),
      };
      return act(whole(api.PUT("/api/user/password", { body })), ["sessions"]);
    },
    onSuccess: () => setRound(round + 1),
  });
  const problem = change.error ? asProblem(change.error) : undefined;
  return (
    <FormProblem value={problem}>
      <form key={round} className="card stack" onSubmit={submit((form) => change.mutate(form))}>
        <h2>{t("signIn.password")}</h2>
        <p className="soft">{t("security.passwordText")}</p>
        <CurrentPassword />
        <NewPassword name="newPassword" />
        <ProblemNotice problem={problem} />
        <div>
          <Button type="submit" busy={change.isPending}>
            {t("links.resetDo")}
          </Button>
        </div>
      </form>
    </FormProblem>
  );
}

const FACTOR = "/api/user/second-factor";

function SecondFactor() {
  const { t } = useTranslation();
  const [begun, setBegun] = useState<Schemas["NewSecondFactorView"]>();
  const [codes, setCodes] = useState<string[]>();
  const state = useQuery({ queryKey: ["second-factor"], queryFn: () => ok(api.GET(FACTOR)) });
  const password = (form: FormData) => ({ currentPassword: String(form.get("currentPassword")) });
  if (!state.data) return <Bones lines={1} />;
  const { enabled, recoveryCodesLeft } = state.data;
  return (
    <section className="card stack">
      <div className="row">
        <h2>{t("factor.title")}</h2>
        <Badge tone={enabled ? "good" : "plain"}>{t(enabled ? "factor.on" : "factor.off")}</Badge>
      </div>
      <p className="soft">{t("factor.text")}</p>
      {enabled && recoveryCodesLeft < 3 && (
        <Notice tone="warn">{t("factor.fewCodes", { count: recoveryCodesLeft })}</Notice>
      )}
      <div className="row">
        {!enabled && (
          <PasswordDialog
            name={t("factor.begin")}
            text={t("factor.beginText")}
            onSubmit={async (form) => setBegun(await ok(api.POST(FACTOR, { body: password(form) })))}
          />
        )}
        {enabled && (
          <>
            <PasswordDialog
              name={t("factor.newCodes")}
              text={t("factor.newCodesText")}
              onSubmit={async (form) => {
                const { data } = await act(whole(api.POST(`${FACTOR}/recovery-codes`, { body: password(form) })), [
                  "second-factor",
                ]);
                setCodes(data.recoveryCodes);
              }}
            />
            <PasswordDialog
              name={t("factor.disable")}
              text={t("factor.disableText")}
              danger
              onSubmit={(form) =>
                act(whole(api.POST(`${FACTOR}/disable`, { body: password(form) })), ["second-factor"])
              }
            />
          </>
        )}
      </div>
      {begun && (
        <Confirm
          begun={begun}
          onClose={() => setBegun(undefined)}
          onCodes={(next) => {
            setBegun(undefined);
            setCodes(next);
          }}
        />
      )}
      <RecoveryCodes codes={codes} onClose={() => setCodes(undefined)} />
    </section>
  );
}

interface PasswordDialogProps {
  name: string;
  text: string;
  danger?: boolean;
  onSubmit: (form: FormData) => Promise<unknown>;
}

function PasswordDialog({ name, text, danger, onSubmit }: PasswordDialogProps) {
  return (
    <FormDialog
      trigger={(open) => (
        <Button look={danger ? "danger" : "plain"} onClick={open}>
          {name}
        </Button>
      )}
      title={name}
      description={text}
      submit={name}
      danger={danger}
      onSubmit={onSubmit}
    >
      <CurrentPassword />
    </FormDialog>
  );
}

interface ConfirmProps {
  begun: Schemas["NewSecondFactorView"];
  onClose: () => void;
  onCodes: (codes: string[]) => void;
}

function Confirm({ begun, onClose, onCodes }: ConfirmProps) {
  const { t } = useTranslation();
  const confirm = useMutation({
    mutationFn: async (form: FormData) =>
      act(whole(api.PUT(FACTOR, { body: { code: String(form.get("code")).replace(/\s/g, "") } })), ["second-factor"]),
    onSuccess: ({ data }) => onCodes(data.recoveryCodes),
  });
  const problem = confirm.error ? asProblem(confirm.error) : undefined;
  return (
    <Dialog open title={t("factor.scan")} description={t("factor.scanText")} onClose={onClose}>
      <QrCode text={begun.uri} label={t("factor.qr")} />
      <details className="fold">
        <summary>{t("factor.byHand")}</summary>
        <Snippet text={begun.secret} label={t("factor.secret")} />
      </details>
      <FormProblem value={problem}>
        <form className="stack" onSubmit={submit((form) => confirm.mutate(form))}>
          <TextField
            label={t("factor.code")}
            name="code"
            inputMode="numeric"
            autoComplete="one-time-code"
            className="input mono"
            required
          />
          <ProblemNotice problem={problem} />
          <div className="actions">
            <Button look="quiet" onClick={onClose}>
              {t("cancel")}
            </Button>
            <Button type="submit" look="main" busy={confirm.isPending}>
              {t("factor.confirm")}
            </Button>
          </div>
        </form>
      </FormProblem>
    </Dialog>
  );
}

function RecoveryCodes({ codes, onClose }: { codes: string[] | undefined; onClose: () => void }) {
  const { t } = useTranslation();
  return (
    <Dialog open={!!codes} title={t("factor.codes")} description={t("factor.codesText")} onClose={onClose}>
      <Snippet text={(codes ?? []).join("\n")} label={t("factor.codes")} />
      <div className="actions">
        <Button look="main" onClick={onClose}>
          {t("secret.kept")}
        </Button>
      </div>
    </Dialog>
  );
}

function Sessions() {
  const { t } = useTranslation();
  const list = useQuery({
    queryKey: ["sessions"],
    queryFn: () => whole(api.GET("/api/auth/sessions", { params: { query: { per_page: 100 } } })),
  });
  const end = useMutation({
    mutationFn: (id: string) =>
      act(whole(api.DELETE("/api/auth/sessions/{id}", { params: { path: { id } } })), ["sessions"]),
    onError: tellProblem,
  });
  const endOthers = useMutation({
    mutationFn: () => act(whole(api.DELETE("/api/auth/sessions")), ["sessions"]),
    onError: tellProblem,
  });
  return (
    <section className="stack">
      <div className="row between">
        <h2>{t("sessions.title")}</h2>
        {list.data && list.data.page.total > 1 && (
          <Button size="small" busy={endOthers.isPending} onClick={() => endOthers.mutate()}>
            <LogOut aria-hidden />
            {t("sessions.endOthers")}
          </Button>
        )}
      </div>
      <ProblemNotice problem={list.error && asProblem(list.error)} />
      {!list.data && !list.error && <Bones lines={2} />}
      {list.data && (
        <ul className="list">
          {list.data.data.map((one) => (
            <li key={one.id} className="row between">
              <div className="row">
                <Monitor aria-hidden size={18} />
                <div className="stack tight-lines">
                  <span className="row">
                    <span className="name">{device(one.userAgent) ?? t("sessions.unknown")}</span>
                    {one.current && <Badge tone="good">{t("sessions.this")}</Badge>}
                  </span>
                  <span className="soft small" title={one.userAgent ?? undefined}>
                    {one.address} · {t("sessions.seen")} <Ago at={one.lastUsedAt} />
                  </span>
                </div>
              </div>
              {!one.current && (
                <Button size="small" look="danger" busy={end.isPending} onClick={() => end.mutate(one.id)}>
                  {t("sessions.end")}
                </Button>
              )}
            </li>
          ))}
        </ul>
      )}
    </section>
  );
}

const BROWSERS = /(Firefox|Edg|OPR|Chrome|Safari|curl|Vagrant)\/?[\d.]*/;
const SYSTEMS = /(Windows|Android|iPhone|iPad|Mac OS X|Linux)/;

/** "Chrome, Linux": what of a browser's long name people know. */
function device(agent: string | null | undefined): string | undefined {
  const parts = [BROWSERS.exec(agent ?? "")?.[1], SYSTEMS.exec(agent ?? "")?.[1]].filter(Boolean);
  return parts.length > 0 ? parts.join(", ") : undefined;
}
