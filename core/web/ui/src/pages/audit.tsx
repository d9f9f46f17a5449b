// What was done and what was refused: of an organization, or of the whole server.
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { useParams } from "@tanstack/react-router";
import { Download, ScrollText } from "lucide-react";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { api, whole } from "../api/client.ts";
import { asProblem } from "../api/problem.ts";
import type { Schemas } from "../api/types.ts";
import { filled } from "../ui/dialog.tsx";
import { moment } from "../ui/format.ts";
import { Pager } from "../ui/pager.tsx";
import { Badge, Bones, Button, Empty, ProblemNotice, Select, TextField } from "../ui/parts.tsx";
import { Table } from "../ui/table.tsx";
import { OrganizationPage } from "./organization-page.tsx";
import { saveAs } from "./save-as.ts";
import { submit } from "./sign-in.tsx";

interface Filter {
  actor?: string;
  action?: string;
  object?: string;
  allowed?: boolean;
  page?: number;
}

export function OrganizationAudit() {
  const { t } = useTranslation();
  const { organization } = useParams({ from: "/organizations/$organization/audit" });
  return (
    <OrganizationPage name={organization} title={t("audit.title")}>
      {() => <Audit organization={organization} />}
    </OrganizationPage>
  );
}

/** The log of an organization, or of the whole server where none is given. */
export function Audit({ organization }: { organization?: string }) {
  const { t } = useTranslation();
  const [filter, setFilter] = useState<Filter>({});
  const list = useQuery({
    queryKey: ["audit", organization, filter],
    queryFn: () =>
      organization
        ? whole(
            api.GET("/api/organization/{organization}/audit", { params: { path: { organization }, query: filter } }),
          )
        : whole(api.GET("/api/audit", { params: { query: filter } })),
    placeholderData: keepPreviousData,
  });
  const path = organization
    ? `/api/organization/${encodeURIComponent(organization)}/audit/export`
    : "/api/audit/export";
  return (
    <section className="stack">
      <div className="row between">
        {organization ? <h2>{t("audit.title")}</h2> : <span />}
        <Button onClick={() => saveAs(path, "audit.jsonl")}>
          <Download aria-hidden />
          {t("audit.export")}
        </Button>
      </div>
      <Filters onFilter={setFilter} />
      <ProblemNotice problem={list.error && asProblem(list.error)} />
      {!list.data && !list.error && <Bones lines={6} />}
      {list.data?.data.length === 0 && (
        <Empty icon={ScrollText} title={t("audit.none")}>
          <p>{t("audit.noneText")}</p>
        </Empty>
      )}
      {list.data && list.data.data.length > 0 && (
        <Table heads={[t("audit.when"), t("audit.who"), t("audit.what"), t("audit.outcome")]} label={t("audit.title")}>
          {list.data.data.map((one) => (
            <Row key={one.id} entry={one} withOrganization={!organization} />
          ))}
        </Table>
      )}
      <Pager page={list.data?.page} onPage={(page) => setFilter({ ...filter, page })} />
    </section>
  );
}

function Filters({ onFilter }: { onFilter: (filter: Filter) => void }) {
  const { t } = useTranslation();
  const apply = (form: FormData) => {
    const allowed = filled(form, "allowed");
    onFilter({
      actor: filled(form, "actor"),
      action: filled(form, "action"),
      object: filled(form, "object"),
      allowed: allowed === undefined ? undefined : allowed === "true",
    });
  };
  return (
    <form className="filters" onSubmit={submit(apply)}>
      <TextField label={t("audit.who")} name="actor" placeholder={t("discover.any")} autoComplete="off" />
      <TextField label={t("audit.action")} name="action" placeholder={t("discover.any")} autoComplete="off" />
      <TextField label={t("audit.object")} name="object" placeholder="box/debian" autoComplete="off" />
      <Select label={t("audit.outcome")} name="allowed">
        <option value="">{t("discover.any")}</option>
        <option value="true">{t("audit.allowed")}</option>
        <option value="false">{t("audit.refused")}</option>
      </Select>
      <div className="field end-of-form">
        <Button type="submit">{t("audit.filter")}</Button>
      </div>
    </form>
  );
}

function Row({ entry, withOrganization }: { entry: Schemas["AuditEntryView"]; withOrganization: boolean }) {
  const { t } = useTranslation();
  const object = withOrganization && entry.organization ? `${entry.organization}: ${entry.object}` : entry.object;
  return (
    <tr>
      <td className="nowrap soft">{moment(entry.at)}</td>
      <td data-label={t("audit.who")}>
        <span className="stack tight-lines">
          <span className="name keeps-words">{entry.actor ?? t("audit.nobody")}</span>
          <span className="soft small">{entry.address}</span>
        </span>
      </td>
      <td data-label={t("audit.what")}>
        <span className="stack tight-lines">
          <span>{entry.action}</span>
          <code className="soft">{object}</code>
        </span>
      </td>
      <td data-label={t("audit.outcome")}>
        <Badge tone={entry.allowed ? "good" : "bad"}>
          {t(entry.allowed ? "audit.allowed" : "audit.refused")}
          {entry.status ? ` · ${entry.status}` : ""}
        </Badge>
      </td>
    </tr>
  );
}
