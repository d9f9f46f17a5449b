// The first start: who has read the one-time token makes the first account, then an organization.
import { useMutation } from "@tanstack/react-query";
import { Link, useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { api, ok } from "../api/client.ts";
import { asProblem } from "../api/problem.ts";
import { queryClient, versionInfo } from "../api/queries.ts";
import { keep } from "../api/session.ts";
import { filled } from "../ui/dialog.tsx";
import { Button, FormProblem, ProblemNotice, TextField } from "../ui/parts.tsx";
import { useTitle } from "../ui/title.ts";
import { AccountFields, submit } from "./sign-in.tsx";

export function Setup() {
  const { t } = useTranslation();
  const [isMade, setMade] = useState(false);
  useTitle(t("setup.title"));
  return (
    <div className="wrap narrow stack">
      <div className="stack tight">
        <p className="soft small">{t("setup.step", { number: isMade ? 2 : 1 })}</p>
        <h1>{isMade ? t("setup.organization") : t("setup.title")}</h1>
      </div>
      {isMade ? <FirstOrganization /> : <FirstAdmin onMade={() => setMade(true)} />}
    </div>
  );
}

function FirstAdmin({ onMade }: { onMade: () => void }) {
  const { t } = useTranslation();
  // a link may bring the token along; behind "#", so that it reaches no log
  const token = new URLSearchParams(location.hash.slice(1)).get("token") ?? "";
  const make = useMutation({
    mutationFn: (form: FormData) =>
      ok(
        api.POST("/api/setup", {
          body: {
            token: filled(form, "token") ?? "",
            username: filled(form, "username") ?? "",
            email: filled(form, "email") ?? "",
            name: filled(form, "name"),
            password: String(form.get("password")),
          },
        }),
      ),
    onSuccess: (view) => {
      onMade();
      keep(view);
      const info = queryClient.getQueryData(versionInfo.queryKey);
      if (info) queryClient.setQueryData(versionInfo.queryKey, { ...info, needsSetup: false });
    },
  });
  const problem = make.error ? asProblem(make.error) : undefined;
  return (
    <FormProblem value={problem}>
      <p className="soft">{t("setup.text")}</p>
      <form className="card stack" onSubmit={submit((form) => make.mutate(form))}>
        <TextField
          label={t("setup.token")}
          hint={t("setup.tokenHint")}
          name="token"
          className="input mono"
          autoComplete="off"
          spellCheck={false}
          defaultValue={token}
          required
        />
        <AccountFields />
        <ProblemNotice problem={problem} />
        <Button type="submit" look="main" busy={make.isPending}>
          {t("setup.do")}
        </Button>
      </form>
    </FormProblem>
  );
}

function FirstOrganization() {
  const { t } = useTranslation();
  const navigate = useNavigate();
  const make = useMutation({
    mutationFn: (form: FormData) =>
      ok(
        api.POST("/api/organization", {
          body: { name: filled(form, "name") ?? "", description: filled(form, "description") },
        }),
      ),
    onSuccess: ({ name }) => {
      queryClient.invalidateQueries();
      navigate({ to: "/$organization", params: { organization: name } });
    },
  });
  const problem = make.error ? asProblem(make.error) : undefined;
  return (
    <FormProblem value={problem}>
      <p className="soft">{t("setup.organizationText")}</p>
      <form className="card stack" onSubmit={submit((form) => make.mutate(form))}>
        <TextField
          label={t("organizations.name")}
          hint={t("nameHint")}
          name="name"
          autoComplete="off"
          required
          autoFocus
        />
        <TextField label={t("organizations.description")} hint={t("optional")} name="description" />
        <ProblemNotice problem={problem} />
        <Button type="submit" look="main" busy={make.isPending}>
          {t("organizations.create")}
        </Button>
      </form>
      <p className="small">
        <Link to="/">{t("setup.later")}</Link>
      </p>
    </FormProblem>
  );
}
