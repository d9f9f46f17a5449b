// Rules of an organization's own. They can give no more than their author may do, and the site's rules stay above them.
import { useQuery } from "@tanstack/react-query";
import { useParams } from "@tanstack/react-router";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { act } from "../api/act.ts";
import { api, ok, tagged, whole } from "../api/client.ts";
import { asProblem } from "../api/problem.ts";
import type { Schemas } from "../api/types.ts";
import { CodeEditor } from "../ui/code-editor.tsx";
import { filled } from "../ui/dialog.tsx";
import { Bones, Notice, ProblemNotice } from "../ui/parts.tsx";
import { OrganizationPage } from "./organization-page.tsx";
import { DecisionChanges, SaveRules } from "./policy-changes.tsx";
import { Findings, findingsOf, useCheck } from "./policy-check.tsx";

const POLICY = "/api/organization/{organization}/policy";

export function OrganizationRules() {
  const { t } = useTranslation();
  const { organization } = useParams({ from: "/organizations/$organization/rules" });
  const current = useQuery({
    queryKey: ["organization", organization, "rules"],
    queryFn: () => tagged(api.GET(POLICY, { params: { path: { organization } } })),
    staleTime: Number.POSITIVE_INFINITY,
  });
  return (
    <OrganizationPage name={organization} title={t("rules.title")}>
      {() => (
        <section className="stack">
          <h2>{t("rules.title")}</h2>
          <p className="soft">{t("rules.text")}</p>
          <ProblemNotice problem={current.error && asProblem(current.error)} />
          {!current.data && !current.error && <Bones />}
          {current.data && (
            <Editor
              key={current.data.version}
              organization={organization}
              current={current.data}
              tag={current.data.tag}
            />
          )}
        </section>
      )}
    </OrganizationPage>
  );
}

interface EditorProps {
  organization: string;
  current: Schemas["OrganizationPolicyView"];
  tag: string | undefined;
}

function Editor({ organization, current, tag }: EditorProps) {
  const { t } = useTranslation();
  const [text, setText] = useState(current.text);
  const path = { organization };
  const { check, problem } = useCheck(text, (next) =>
    ok(api.POST(`${POLICY}/check`, { params: { path }, body: { text: next } })),
  );
  const found = findingsOf(check);
  const isChanged = text !== current.text;
  const save = (form: FormData) => {
    const params = { path, header: { "If-Match": tag } };
    const body = { text, message: filled(form, "message") ?? "" };
    return act(whole(api.PUT(POLICY, { params, body })), ["organization", organization]);
  };
  return (
    <div className="stack">
      {!current.inForce && current.version > 0 && <Notice tone="bad">{t("rules.closed")}</Notice>}
      <CodeEditor label={t("rules.title")} text={current.text} marks={found} onText={setText} />
      <ProblemNotice problem={problem} />
      <Findings found={found} isValid={check?.valid} />
      {isChanged && check?.valid && <DecisionChanges changes={check.changes} isComplete={check.changesComplete} />}
      <div>
        <SaveRules check={check} isChanged={isChanged} onSave={save} />
      </div>
    </div>
  );
}
