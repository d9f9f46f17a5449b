// Signing in, making an account, and a forgotten password.
import { useMutation, useQuery } from "@tanstack/react-query";
import { Link, useNavigate, useSearch } from "@tanstack/react-router";
import { LogIn } from "lucide-react";
import { useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import { api, ok, whole } from "../api/client.ts";
import { asProblem } from "../api/problem.ts";
import { signInMethods } from "../api/queries.ts";
import { keep } from "../api/session.ts";
import { filled } from "../ui/dialog.tsx";
import { Button, Check, FormProblem, Notice, ProblemNotice, Select, sentence, TextField } from "../ui/parts.tsx";
import { useTitle } from "../ui/title.ts";

export function SignIn() {
  const { t } = useTranslation();
  const { next } = useSearch({ from: "/login" });
  const navigate = useNavigate();
  const all = useQuery(signInMethods).data ?? [];
  const methods = all.filter(({ kind }) => kind === "password");
  const elsewhere = all.filter(({ kind }) => kind === "redirect");
  const form = useRef<HTMLFormElement>(null);
  const [needsCode, setNeedsCode] = useState(false);
  useTitle(t("signIn.do"));
  const signIn = useMutation({
    mutationFn: (form: FormData) =>
      ok(
        api.POST("/api/auth/signin", {
          body: {
            username: filled(form, "username") ?? "",
            password: String(form.get("password")),
            stayLoggedIn: form.get("stay") === "on",
            provider: filled(form, "provider"),
            code: filled(form, "code"),
          },
        }),
      ),
    onSuccess: (view) => {
      keep(view);
      navigate({ href: next ?? "/", replace: true });
    },
    onError: (error) => {
      if (asProblem(error).is("SECOND_FACTOR_REQUIRED")) setNeedsCode(true);
    },
  });
  const problem = signIn.error ? asProblem(signIn.error) : undefined;
  const shown = problem?.is("SECOND_FACTOR_REQUIRED") ? undefined : problem;
  return (
    <div className="wrap narrow stack">
      <h1>{t("signIn.title")}</h1>
      <form className="card stack" ref={form} onSubmit={submit((form) => signIn.mutate(form))}>
        <TextField label={t("signIn.name")} name="username" autoComplete="username" required autoFocus />
        <TextField
          label={t("signIn.password")}
          name="password"
          type="password"
          autoComplete="current-password"
          required
        />
        {methods.length > 1 && (
          <Select label={t("signIn.with")} name="provider">
            {methods.map(({ name }) => (
              <option key={name} value={name}>
                {name === "local" ? t("signIn.local") : name}
              </option>
            ))}
          </Select>
        )}
        {needsCode && (
          <TextField
            label={t("signIn.code")}
            hint={t("signIn.codeHint")}
            name="code"
            autoComplete="one-time-code"
            inputMode="text"
            autoFocus
            required
          />
        )}
        <Check label={t("signIn.stay")} name="stay" />
        <ProblemNotice problem={shown} />
        {shown?.is("EMAIL_UNVERIFIED") && <ResendVerification />}
        <Button type="submit" look="main" busy={signIn.isPending}>
          {t("signIn.do")}
        </Button>
        {elsewhere.length > 0 && <hr />}
        {elsewhere.map(({ name }) => (
          <SignInElsewhere
            key={name}
            name={name}
            next={next}
            stays={() => new FormData(form.current ?? undefined).get("stay") === "on"}
          />
        ))}
      </form>
      <div className="row between small">
        <Link to="/login/forgot">{t("signIn.forgot")}</Link>
        <Link to="/login/sign-up" search={{ next }}>
          {t("signIn.new")}
        </Link>
      </div>
    </div>
  );
}

/** Leads to the site that the way to sign in is at; from there the browser comes back to `/login/callback/…`. */
function SignInElsewhere({ name, next, stays }: { name: string; next?: string; stays: () => boolean }) {
  const { t } = useTranslation();
  const begin = useMutation({
    mutationFn: () =>
      ok(
        api.POST("/api/auth/methods/{method}/begin", {
          params: { path: { method: name } },
          body: { next, stayLoggedIn: stays() },
        }),
      ),
    onSuccess: ({ url }) => location.assign(url),
  });
  return (
    <>
      <ProblemNotice problem={begin.error ? asProblem(begin.error) : undefined} />
      <Button busy={begin.isPending || begin.isSuccess} onClick={() => begin.mutate()}>
        <LogIn aria-hidden />
        {t("signIn.elsewhere", { name })}
      </Button>
    </>
  );
}

function ResendVerification() {
  const { t } = useTranslation();
  const send = useMutation({
    mutationFn: (email: string) => whole(api.POST("/api/auth/resend-verification", { body: { email } })),
  });
  const [email, setEmail] = useState("");
  if (send.data) return <Notice tone="good">{sentence(send.data.message)}</Notice>;
  return (
    <div className="stack">
      <TextField
        label={t("signIn.email")}
        type="email"
        autoComplete="email"
        value={email}
        onChange={(event) => setEmail(event.target.value)}
      />
      <Button disabled={!email} busy={send.isPending} onClick={() => send.mutate(email)}>
        {t("signIn.resend")}
      </Button>
    </div>
  );
}

export function SignUp() {
  const { t } = useTranslation();
  const { next } = useSearch({ from: "/login/sign-up" });
  useTitle(t("signUp.title"));
  const signUp = useMutation({
    mutationFn: (form: FormData) =>
      whole(
        api.POST("/api/auth/signup", {
          body: {
            username: filled(form, "username") ?? "",
            email: filled(form, "email") ?? "",
            name: filled(form, "name"),
            password: String(form.get("password")),
          },
        }),
      ),
  });
  if (signUp.data) {
    return (
      <div className="wrap narrow stack">
        <h1>{t("signUp.done")}</h1>
        <Notice tone="good">{sentence(signUp.data.message)}</Notice>
        <Link to="/login" search={{ next }} className="button main">
          {t("signIn.do")}
        </Link>
      </div>
    );
  }
  const problem = signUp.error ? asProblem(signUp.error) : undefined;
  return (
    <div className="wrap narrow stack">
      <h1>{t("signUp.title")}</h1>
      <FormProblem value={problem}>
        <form className="card stack" onSubmit={submit((form) => signUp.mutate(form))}>
          <AccountFields />
          <ProblemNotice problem={problem} />
          <Button type="submit" look="main" busy={signUp.isPending}>
            {t("signUp.do")}
          </Button>
        </form>
      </FormProblem>
      <p className="small">
        {t("signUp.known")}{" "}
        <Link to="/login" search={{ next }}>
          {t("signIn.do")}
        </Link>
      </p>
    </div>
  );
}

/** What every new account needs. */
export function AccountFields() {
  const { t } = useTranslation();
  return (
    <>
      <TextField label={t("signUp.username")} hint={t("nameHint")} name="username" autoComplete="username" required />
      <TextField label={t("signIn.email")} name="email" type="email" autoComplete="email" required />
      <TextField label={t("signUp.fullName")} hint={t("optional")} name="name" autoComplete="name" />
      <NewPassword />
    </>
  );
}

export function NewPassword({ name = "password" }: { name?: string }) {
  const { t } = useTranslation();
  return (
    <TextField
      label={name === "newPassword" ? t("signUp.newPassword") : t("signUp.password")}
      hint={t("signUp.passwordHint")}
      name={name}
      type="password"
      autoComplete="new-password"
      required
    />
  );
}

export function Forgot() {
  const { t } = useTranslation();
  useTitle(t("forgot.title"));
  const send = useMutation({
    mutationFn: (form: FormData) =>
      whole(api.POST("/api/auth/forgot-password", { body: { email: filled(form, "email") ?? "" } })),
  });
  const problem = send.error ? asProblem(send.error) : undefined;
  return (
    <div className="wrap narrow stack">
      <h1>{t("forgot.title")}</h1>
      {send.data ? (
        <Notice tone="good" role="status">
          {sentence(send.data.message)}
        </Notice>
      ) : (
        <FormProblem value={problem}>
          <form className="card stack" onSubmit={submit((form) => send.mutate(form))}>
            <p className="soft">{t("forgot.text")}</p>
            <TextField label={t("signIn.email")} name="email" type="email" autoComplete="email" required autoFocus />
            <ProblemNotice problem={problem} />
            <Button type="submit" look="main" busy={send.isPending}>
              {t("forgot.do")}
            </Button>
          </form>
        </FormProblem>
      )}
      <p className="small">
        <Link to="/login">{t("forgot.back")}</Link>
      </p>
    </div>
  );
}

/** Takes what was filled in, in the place of the browser. */
export function submit(act: (form: FormData) => void) {
  return (event: React.FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    act(new FormData(event.currentTarget));
  };
}
