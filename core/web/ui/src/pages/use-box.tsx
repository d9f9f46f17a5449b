// "Use this box": lines to copy, for the version, provider and tool that are chosen.
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { artifacts, type BoxPath, versions } from "../api/queries.ts";
import { Notice, Select } from "../ui/parts.tsx";
import { Snippet } from "../ui/snippet.tsx";
import { Tabs } from "../ui/tabs.tsx";
import { snippet, TOOLS, type Tool } from "./snippets.ts";

interface UseBoxProps {
  path: BoxPath;
  isPublic: boolean;
  /** On the page of a version it is that one. */
  version?: string;
}

export function UseBox({ path, isPublic, version }: UseBoxProps) {
  const { t } = useTranslation();
  const [tool, setTool] = useState<Tool>("vagrant");
  const [chosen, setChosen] = useState(version);
  const [at, setAt] = useState(0);
  const released = useQuery(versions(path)).data?.data.filter(({ status }) => status === "released");
  const latest = released?.[0]?.versionNumber;
  const files = useQuery({
    ...artifacts({ ...path, version: chosen ?? latest ?? "" }),
    enabled: !!(chosen ?? latest),
  }).data?.filter(({ file }) => file);
  if (!version && released?.length === 0) return null;
  const file = files?.[at] ?? files?.[0];
  // curl fetches one file, so that it needs a version
  const named = chosen ?? (tool === "curl" ? latest : undefined);
  const text = snippet(tool, {
    ...path,
    origin: location.origin,
    version: named,
    provider: file?.provider,
    architecture: file?.architecture,
    isPublic,
  });
  return (
    <section className="card stack">
      <h2>{t("use.title")}</h2>
      <Tabs
        label={t("use.title")}
        tabs={TOOLS.map((one) => [one, t(`use.${one}`)] as const)}
        chosen={tool}
        onChoose={setTool}
      >
        <Snippet label={t(`use.${tool}`)} text={text} />
      </Tabs>
      {!version && released && released.length > 0 && (
        <Select
          label={t("word.version")}
          value={chosen ?? ""}
          onChange={(event) => setChosen(event.target.value || undefined)}
        >
          <option value="">{t("use.latest", { version: latest })}</option>
          {released.map((one) => (
            <option key={one.id} value={one.versionNumber}>
              {one.versionNumber}
            </option>
          ))}
        </Select>
      )}
      {files && files.length > 1 && (
        <Select label={t("word.provider")} value={at} onChange={(event) => setAt(Number(event.target.value))}>
          {files.map((one, index) => (
            <option key={`${one.provider}/${one.architecture}`} value={index}>
              {one.provider} · {one.architecture}
            </option>
          ))}
        </Select>
      )}
      {!isPublic && <Notice>{t("use.private")}</Notice>}
    </section>
  );
}
