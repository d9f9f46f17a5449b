// "May this subject do that?" answered by the policy in force, with the rule that decides.
import { useMutation } from "@tanstack/react-query";
import { useTranslation } from "react-i18next";
import { api, ok } from "../api/client.ts";
import { asProblem } from "../api/problem.ts";
import type { Schemas } from "../api/types.ts";
import { filled } from "../ui/dialog.tsx";
import { Button, FormProblem, Notice, ProblemNotice, Select, sentence, TextField } from "../ui/parts.tsx";
import { submit } from "./sign-in.tsx";

const ACTIONS = [
  "read",
  "download",
  "create",
  "update",
  "upload",
  "replace",
  "release",
  "revoke",
  "delete",
  "verify",
  "watch",
  "transfer",
  "restore",
];

export function Simulator() {
  const { t } = useTranslation();
  const ask = useMutation({
    mutationFn: (form: FormData) =>
      ok(
        api.GET("/api/policies/explain", {
          params: {
            query: {
              subject: filled(form, "subject") ?? "",
              action: form.get("action") as Schemas["Action"],
              object: filled(form, "object") ?? "",
              organization: filled(form, "organization"),
            },
          },
        }),
      ),
  });
  const problem = ask.error ? asProblem(ask.error) : undefined;
  return (
    <div className="stack">
      <FormProblem value={problem}>
        <form className="card stack" onSubmit={submit((form) => ask.mutate(form))}>
          <p className="soft">{t("policy.simulatorText")}</p>
          <div className="filters">
            <TextField label={t("policy.subject")} name="subject" placeholder="user:local:bob" required />
            <Select label={t("audit.action")} name="action">
              {ACTIONS.map((action) => (
                <option key={action}>{action}</option>
              ))}
            </Select>
            <TextField label={t("audit.object")} name="object" placeholder="box/debian" required />
            <TextField label={t("word.organization")} name="organization" placeholder="acme" />
          </div>
          <ProblemNotice problem={problem} />
          <div>
            <Button type="submit" look="main" busy={ask.isPending}>
              {t("policy.ask")}
            </Button>
          </div>
        </form>
      </FormProblem>
      {ask.data && <Explanation explanation={ask.data} />}
    </div>
  );
}

function Explanation({ explanation }: { explanation: Schemas["ExplanationView"] }) {
  const { t } = useTranslation();
  const { allowed, reason, rule, near, remedies } = explanation;
  return (
    <section className="stack" role="status">
      <Notice tone={allowed ? "good" : "bad"}>
        <p>
          <strong>{t(allowed ? "policy.yes" : "policy.no")}</strong> {sentence(reason)}
        </p>
        {rule && <RuleLine rule={rule.rule} />}
        {rule?.through.map((step) => (
          <RuleLine key={`${step.file}:${step.line}`} rule={step} />
        ))}
      </Notice>
      {!allowed && near.length > 0 && (
        <div className="stack tight">
          <h2>{t("policy.near")}</h2>
          <ul className="list">
            {near.map((one) => (
              <li key={`${one.rule.file}:${one.rule.line}`} className="stack tight">
                <RuleLine rule={one.rule} />
                <span className="soft small">{t("policy.differs", { words: one.differs.join(", ") })}</span>
              </li>
            ))}
          </ul>
        </div>
      )}
      {remedies.length > 0 && (
        <div className="stack tight">
          <h2>{t("policy.remedies")}</h2>
          <ul className="list">
            {remedies.map((one) => (
              <li key={one} className="mono small">
                {one}
              </li>
            ))}
          </ul>
        </div>
      )}
    </section>
  );
}

function RuleLine({ rule }: { rule: Schemas["PolicyRuleView"] }) {
  return (
    <p className="mono small">
      <span className="soft">
        {rule.file}:{rule.line}
      </span>{" "}
      {rule.text}
    </p>
  );
}
