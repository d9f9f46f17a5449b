// The policy of the whole server: who may do what. Nothing comes into force before it was checked.
import { useQuery } from "@tanstack/react-query";
import { Plus, Scale } from "lucide-react";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { act } from "../api/act.ts";
import { api, ok, tagged, whole } from "../api/client.ts";
import { asProblem } from "../api/problem.ts";
import { useProfile } from "../api/queries.ts";
import type { Schemas } from "../api/types.ts";
import { CodeEditor } from "../ui/code-editor.tsx";
import { FormDialog, filled } from "../ui/dialog.tsx";
import { Badge, Button, Empty, PageBones, ProblemNotice, TextField } from "../ui/parts.tsx";
import { Tabs } from "../ui/tabs.tsx";
import { useTitle } from "../ui/title.ts";
import { ReadProblem } from "./not-found.tsx";
import { DecisionChanges, SaveRules } from "./policy-changes.tsx";
import { Findings, findingsOf, marksOf, useCheck } from "./policy-check.tsx";
import { PolicyHistory } from "./policy-history.tsx";
import { RulesTable } from "./policy-rules.tsx";
import { Simulator } from "./policy-simulator.tsx";

type File = Schemas["PolicyFileView"];

const TABS = ["text", "rules", "simulator", "history"] as const;

export function Policy() {
  const { t } = useTranslation();
  const me = useProfile();
  const [tab, setTab] = useState<(typeof TABS)[number]>("text");
  useTitle(t("policy.title"));
  const current = useQuery({
    queryKey: ["policy", "current"],
    queryFn: () => tagged(api.GET("/api/policies")),
    // what somebody writes is not replaced while they look elsewhere
    staleTime: Number.POSITIVE_INFINITY,
  });
  if (me && !me.platformAdmin) {
    return (
      <div className="wrap middle">
        <Empty icon={Scale} title={t("policy.title")} isPage>
          <p>{t("policy.forAdmins")}</p>
        </Empty>
      </div>
    );
  }
  if (current.error) return <ReadProblem problem={asProblem(current.error)} retry={current.refetch} />;
  if (!current.data) return <PageBones />;
  return (
    <div className="wrap stack">
      <div className="stack tight">
        <div className="row">
          <h1>{t("policy.title")}</h1>
          <Badge>{t("policy.version", { number: current.data.version })}</Badge>
        </div>
        <p className="soft">{t("policy.text")}</p>
      </div>
      <Tabs
        label={t("policy.title")}
        tabs={TABS.map((one) => [one, t(`policy.tab.${one}`)] as const)}
        chosen={tab}
        onChoose={setTab}
      >
        {/* what was written stays while another tab is looked at */}
        <div hidden={tab !== "text"}>
          <Editor key={current.data.version} files={current.data.files} tag={current.data.tag} />
        </div>
        {tab === "rules" && <RulesTable files={current.data.files} />}
        {tab === "simulator" && <Simulator />}
        {tab === "history" && <PolicyHistory inForce={current.data.version} />}
      </Tabs>
    </div>
  );
}

function Editor({ files: saved, tag }: { files: File[]; tag: string | undefined }) {
  const { t } = useTranslation();
  const [files, setFiles] = useState(saved);
  const [discarded, setDiscarded] = useState(0);
  const [name, setName] = useState(() => firstShown(saved));
  const { check, problem } = useCheck(files, (next) => ok(api.POST("/api/policies/check", { body: { files: next } })));
  const isChanged = JSON.stringify(files) !== JSON.stringify(saved);
  const found = findingsOf(check);
  const file = files.find((one) => one.name === name);
  const save = (form: FormData) =>
    act(
      whole(
        api.PUT("/api/policies", {
          params: { header: { "If-Match": tag } },
          body: { files, message: filled(form, "message") ?? "" },
        }),
      ),
      ["policy"],
    );
  return (
    <div className="stack">
      <div className="row between">
        <nav className="row" aria-label={t("policy.files")}>
          {files.map((one) => (
            <Button
              key={one.name}
              size="small"
              look={one.name === name ? "plain" : "quiet"}
              aria-pressed={one.name === name}
              onClick={() => setName(one.name)}
            >
              {one.name}
              {found.some((mark) => mark.file === one.name && mark.severity === "error") && " •"}
            </Button>
          ))}
          <AddFile
            onAdd={(added) => {
              setFiles([...files, { name: added, text: "" }]);
              setName(added);
            }}
          />
        </nav>
        <div className="row">
          {file && !SHIPPED.includes(name) && (
            <Button
              look="quiet"
              onClick={() => {
                setFiles(files.filter((one) => one !== file));
                setName(firstShown(saved));
              }}
            >
              {t("policy.removeFile", { name })}
            </Button>
          )}
          {isChanged && (
            <Button
              look="quiet"
              onClick={() => {
                setFiles(saved);
                setName(firstShown(saved));
                setDiscarded(discarded + 1);
              }}
            >
              {t("policy.discard")}
            </Button>
          )}
          <SaveRules check={check} isChanged={isChanged} onSave={save} />
        </div>
      </div>
      {file && (
        <CodeEditor
          // another file is another text, and so is what was there before changes were thrown away
          key={`${name} ${discarded}`}
          label={name}
          text={file.text}
          marks={marksOf(found, name)}
          onText={(text) => setFiles((before) => before.map((one) => (one.name === name ? { ...one, text } : one)))}
        />
      )}
      <ProblemNotice problem={problem} />
      <Findings found={found} isValid={check?.valid} onFile={setName} />
      {isChanged && check?.valid && <DecisionChanges changes={check.changes} isComplete={check.changesComplete} />}
    </div>
  );
}

/** What comes with the program. It can be changed only where the server has a folder of its own for it. */
const SHIPPED = ["model.conf", "policy.csv", "tests.csv"];

/** A file of one's own, if there is one. */
function firstShown(files: File[]): string {
  const own = files.find(({ name }) => !SHIPPED.includes(name));
  return (own ?? files.find(({ name }) => name === "policy.csv") ?? files[0])?.name ?? "";
}

function AddFile({ onAdd }: { onAdd: (name: string) => void }) {
  const { t } = useTranslation();
  return (
    <FormDialog
      trigger={(open) => (
        <Button size="small" look="quiet" onClick={open}>
          <Plus aria-hidden />
          {t("policy.addFile")}
        </Button>
      )}
      title={t("policy.addFile")}
      description={t("policy.addFileText")}
      submit={t("policy.addFile")}
      onSubmit={async (form) => onAdd(filled(form, "name") ?? "")}
    >
      <TextField
        label={t("organizations.name")}
        name="name"
        className="input mono"
        defaultValue="site.csv"
        pattern="[A-Za-z0-9][A-Za-z0-9._\-]*\.csv"
        autoComplete="off"
        required
      />
    </FormDialog>
  );
}
