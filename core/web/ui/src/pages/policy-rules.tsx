// The rules in force as a table that can be searched.
import { useState } from "react";
import { useTranslation } from "react-i18next";
import type { Schemas } from "../api/types.ts";
import { Badge, TextField } from "../ui/parts.tsx";
import { Table } from "../ui/table.tsx";
import { type Rule, rulesOf } from "./policy-text.ts";

export function RulesTable({ files }: { files: Schemas["PolicyFileView"][] }) {
  const { t } = useTranslation();
  const [words, setWords] = useState("");
  const wanted = words.toLowerCase().split(/\s+/).filter(Boolean);
  const rules = files.filter(({ name }) => name.endsWith(".csv")).flatMap(({ name, text }) => rulesOf(name, text));
  const shown = rules.filter(({ cells }) => wanted.every((word) => cells.join(" ").toLowerCase().includes(word)));
  return (
    <section className="stack">
      <TextField
        label={t("policy.search")}
        placeholder="role:member upload"
        value={words}
        onChange={(event) => setWords(event.target.value)}
      />
      <Table
        heads={[t("policy.subject"), t("policy.domain"), t("audit.object"), t("audit.action"), t("audit.outcome")]}
      >
        {shown.map((rule) => (
          <Row key={`${rule.file}:${rule.line}`} rule={rule} />
        ))}
      </Table>
    </section>
  );
}

function Row({ rule: { kind, cells, file, line } }: { rule: Rule }) {
  const { t } = useTranslation();
  if (kind !== "p") {
    const [who, role, domain] = cells;
    return (
      <tr title={`${file}:${line}`}>
        <td className="mono small">{who}</td>
        <td data-label={t("policy.domain")} className="mono small">
          {domain}
        </td>
        <td data-label={t("policy.has")} className="mono small">
          {role}
        </td>
        <td />
        <td>
          <Badge>{t("policy.binding")}</Badge>
        </td>
      </tr>
    );
  }
  const [who, domain, object, action, effect] = cells;
  return (
    <tr title={`${file}:${line}`}>
      <td className="mono small">{who}</td>
      <td data-label={t("policy.domain")} className="mono small">
        {domain}
      </td>
      <td data-label={t("audit.object")} className="mono small">
        {object}
      </td>
      <td data-label={t("audit.action")} className="mono small">
        {action}
      </td>
      <td data-label={t("audit.outcome")}>
        <Badge tone={effect === "deny" ? "bad" : "good"}>{effect}</Badge>
      </td>
    </tr>
  );
}
