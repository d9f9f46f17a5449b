// The stores: what each holds and how it is, the moves between them, and what was found to be damaged.
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useTranslation } from "react-i18next";
import { api, ok, whole } from "../api/client.ts";
import { asProblem } from "../api/problem.ts";
import { health, stores, useParts } from "../api/queries.ts";
import type { Schemas } from "../api/types.ts";
import { bytes } from "../ui/format.ts";
import { Badge, Bones, Notice, ProblemNotice, sentence } from "../ui/parts.tsx";
import { Table } from "../ui/table.tsx";
import { AdminPage } from "./admin-page.tsx";
import { StoreMoves } from "./store-moves.tsx";

export function AdminStores() {
  const { t } = useTranslation();
  const list = useQuery(stores);
  const parts = useQuery(health).data?.parts;
  return (
    <AdminPage title={t("admin.stores")}>
      <ProblemNotice problem={list.error && asProblem(list.error)} />
      {!list.data && !list.error && <Bones lines={2} />}
      {list.data && (
        <Table
          label={t("admin.stores")}
          heads={[
            t("organizations.name"),
            t("admin.plugin"),
            t("version.files"),
            t("file.size"),
            t("admin.unused"),
            t("admin.state"),
          ]}
        >
          {list.data.map((store) => (
            <StoreRow key={store.name} store={store} part={parts?.[`store:${store.name}`]} />
          ))}
        </Table>
      )}
      {list.data && <WhereNewFilesGo stores={list.data} />}
      {list.data && <StoreMoves stores={list.data} />}
      <Damaged />
    </AdminPage>
  );
}

function StoreRow({ store, part }: { store: Schemas["StoreView"]; part: Schemas["PartView"] | undefined }) {
  const { t } = useTranslation();
  return (
    <tr>
      <td>
        <span className="row">
          <span className="name mono">{store.name}</span>
          {store.isDefault && <Badge>{t("file.default")}</Badge>}
        </span>
      </td>
      <td data-label={t("admin.plugin")} className="mono small">
        {store.plugin ?? t("admin.notConfigured")}
      </td>
      <td data-label={t("version.files")} className="number">
        {store.files}
      </td>
      <td data-label={t("file.size")} className="number">
        {bytes(store.bytes)}
      </td>
      <td data-label={t("admin.unused")} className="number soft">
        {bytes(store.unreferencedBytes)}
      </td>
      <td data-label={t("admin.state")}>
        {part && <Badge tone={part.ok ? "good" : "bad"}>{t(part.ok ? "admin.well" : "admin.unwell")}</Badge>}
      </td>
    </tr>
  );
}

/** Which store takes what: the rules of the configuration, for whoever may read it, and where an admin chooses. */
function WhereNewFilesGo({ stores: all }: { stores: Schemas["StoreView"][] }) {
  const { t } = useTranslation();
  const mayReadRules = useParts().includes("configuration");
  const settings = useQuery({
    queryKey: ["configuration"],
    queryFn: () => ok(api.GET("/api/configuration")),
    staleTime: Number.POSITIVE_INFINITY,
    enabled: mayReadRules,
  });
  const usual = all.find((store) => store.isDefault)?.name;
  const rules = rulesIn(settings.data ?? []);
  if (all.length < 2 && rules.length === 0) return null;
  return (
    <section className="stack">
      <h2>{t("placement.title")}</h2>
      <p className="soft small">{t("placement.adminText")}</p>
      <ul className="list">
        {rules.map(({ name, facts }) => (
          <li key={name} className="row between">
            <span className="name mono">{name}</span>
            <span className="row">
              {facts.map(([key, value]) => (
                <code key={key}>
                  {key} = {value}
                </code>
              ))}
            </span>
          </li>
        ))}
        <li className="row between">
          <span>{t(rules.length > 0 ? "placement.otherwise" : "placement.all")}</span>
          <span className="name mono">{usual}</span>
        </li>
      </ul>
      <p className="small">
        <Link to="/admin/organizations">{t("placement.perOrganization")}</Link>
      </p>
    </section>
  );
}

interface Rule {
  name: string;
  facts: [string, string][];
}

/** What stands in `[storage.rules]`, rule by rule. */
function rulesIn(settings: Schemas["SettingView"][]): Rule[] {
  const rules = new Map<string, Rule>();
  for (const { key, value } of settings) {
    const [section, table, name, ...rest] = key.split(".");
    if (section !== "storage" || table !== "rules" || !name || value == null) continue;
    const rule = rules.get(name) ?? { name, facts: [] };
    rule.facts.push([rest.join("."), value]);
    rules.set(name, rule);
  }
  return [...rules.values()];
}

function Damaged() {
  const { t } = useTranslation();
  const damaged = useQuery({ queryKey: ["damaged"], queryFn: () => whole(api.GET("/api/storage/damaged")) });
  if (damaged.data?.page.total === 0) return <Notice tone="good">{t("admin.noneDamaged")}</Notice>;
  if (!damaged.data) return <ProblemNotice problem={damaged.error && asProblem(damaged.error)} />;
  return (
    <section className="stack">
      <h2>{t("admin.damaged")}</h2>
      <ul className="list">
        {damaged.data.data.map((one) => (
          <li key={one.key} className="stack tight">
            <Link
              to="/$organization/$box/versions/$version"
              params={{ organization: one.organization, box: one.box, version: one.version }}
              className="name"
            >
              {one.organization}/{one.box} {one.version} · {one.provider} {one.architecture}
            </Link>
            <p className="small">{one.problem && sentence(one.problem)}</p>
            <code className="soft breaks">
              {one.store}: {one.key}
            </code>
          </li>
        ))}
      </ul>
    </section>
  );
}
