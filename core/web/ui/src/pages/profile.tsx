// Who somebody is: name, picture, e-mail address.
import { useMutation } from "@tanstack/react-query";
import { useRef } from "react";
import { useTranslation } from "react-i18next";
import { act, tellProblem } from "../api/act.ts";
import { api, type Tagged, whole } from "../api/client.ts";
import { asProblem } from "../api/problem.ts";
import { profile, queryClient, useProfile } from "../api/queries.ts";
import type { Schemas } from "../api/types.ts";
import { Avatar } from "../ui/avatar.tsx";
import { filled } from "../ui/dialog.tsx";
import { KeptForm } from "../ui/kept-form.tsx";
import { Badge, Bones, Button, FormProblem, ProblemNotice, TextField } from "../ui/parts.tsx";
import { SettingsPage } from "./settings-page.tsx";
import { submit } from "./sign-in.tsx";

export function Profile() {
  const { t } = useTranslation();
  const me = useProfile();
  return (
    <SettingsPage title={t("settings.profile")}>
      {me ? (
        <>
          <Picture me={me} />
          <Name newest={me} />
          <Email me={me} />
        </>
      ) : (
        <Bones />
      )}
    </SettingsPage>
  );
}

function Picture({ me }: { me: Schemas["ProfileView"] }) {
  const { t } = useTranslation();
  const input = useRef<HTMLInputElement>(null);
  const put = useMutation({
    mutationFn: (file: File) =>
      act(
        whole(
          api.PUT("/api/user/avatar", {
            // bytes are a string to the generator
            body: file as unknown as string,
            bodySerializer: (bytes) => bytes as unknown as File,
            headers: { "content-type": file.type },
          }),
        ),
        ["profile"],
      ),
    onError: tellProblem,
  });
  const remove = useMutation({
    mutationFn: () => act(whole(api.DELETE("/api/user/avatar")), ["profile"]),
    onError: tellProblem,
  });
  return (
    <section className="card row">
      <Avatar name={me.username} url={me.avatarUrl} look="large" />
      <div className="stack tight">
        <div className="row">
          <input
            ref={input}
            type="file"
            hidden
            accept="image/png,image/jpeg,image/webp"
            aria-label={t("profile.picture")}
            onChange={(event) => {
              const [file] = event.target.files ?? [];
              if (file) put.mutate(file);
              event.target.value = "";
            }}
          />
          <Button size="small" busy={put.isPending} onClick={() => input.current?.click()}>
            {t("profile.picture")}
          </Button>
          {me.avatarUrl && (
            <Button size="small" look="quiet" busy={remove.isPending} onClick={() => remove.mutate()}>
              {t("remove")}
            </Button>
          )}
        </div>
        <p className="soft small">{t("profile.pictureHint")}</p>
      </div>
    </section>
  );
}

function Name({ newest }: { newest: Schemas["ProfileView"] & Tagged }) {
  const { t } = useTranslation();
  return (
    <KeptForm
      newest={newest}
      fields={{ name: t("signUp.fullName") }}
      read={() => queryClient.fetchQuery({ ...profile(newest.username), staleTime: 0 })}
      save={(form, header) =>
        whole(api.PUT("/api/user", { params: { header }, body: { name: filled(form, "name") ?? "" } }))
      }
      onSaved={(saved) => act(Promise.resolve(saved), ["profile"])}
    >
      {(me) => (
        <>
          <TextField label={t("signUp.username")} value={me.username} readOnly className="input mono" />
          <TextField label={t("signUp.fullName")} name="name" autoComplete="name" defaultValue={me.name ?? ""} />
        </>
      )}
    </KeptForm>
  );
}

function Email({ me }: { me: Schemas["ProfileView"] }) {
  const { t } = useTranslation();
  const change = useMutation({
    mutationFn: (form: FormData) => {
      const body = { email: filled(form, "email") ?? "", currentPassword: String(form.get("currentPassword")) };
      return act(whole(api.PUT("/api/user/email", { body })), ["profile"]);
    },
  });
  const problem = change.error ? asProblem(change.error) : undefined;
  return (
    <FormProblem value={problem}>
      <form className="card stack" onSubmit={submit((form) => change.mutate(form))}>
        <h2>{t("signIn.email")}</h2>
        <p className="row">
          {me.email}
          <Badge tone={me.emailVerified ? "good" : "warn"}>
            {t(me.emailVerified ? "profile.proven" : "profile.unproven")}
          </Badge>
        </p>
        <TextField
          label={t("profile.newEmail")}
          hint={t("profile.newEmailHint")}
          name="email"
          type="email"
          autoComplete="email"
          required
        />
        <CurrentPassword />
        <ProblemNotice problem={problem} />
        <div>
          <Button type="submit" busy={change.isPending}>
            {t("profile.changeEmail")}
          </Button>
        </div>
      </form>
    </FormProblem>
  );
}

export function CurrentPassword() {
  const { t } = useTranslation();
  return (
    <TextField
      label={t("profile.currentPassword")}
      name="currentPassword"
      type="password"
      autoComplete="current-password"
      required
    />
  );
}
