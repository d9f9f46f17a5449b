// What the files of an organization take, and may take.
import { useQuery } from "@tanstack/react-query";
import { useParams } from "@tanstack/react-router";
import { Gauge } from "lucide-react";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { act } from "../api/act.ts";
import { api, ok, whole } from "../api/client.ts";
import { asProblem } from "../api/problem.ts";
import { useMay } from "../api/queries.ts";
import type { Schemas } from "../api/types.ts";
import { FormDialog, filled } from "../ui/dialog.tsx";
import { bytes, GIB } from "../ui/format.ts";
import { Pager } from "../ui/pager.tsx";
import { Bones, Button, ProblemNotice, TextField } from "../ui/parts.tsx";
import { Table } from "../ui/table.tsx";
import { OrganizationPage } from "./organization-page.tsx";
import { Placement } from "./placement.tsx";

const ORGANIZATION = "/api/organization/{organization}";

export function Usage() {
  const { t } = useTranslation();
  const { organization } = useParams({ from: "/organizations/$organization/usage" });
  const mayLimit = useMay({ organization })("storage", "update");
  const path = { organization };
  const usage = useQuery({
    queryKey: ["organization", organization, "usage"],
    queryFn: () => ok(api.GET(`${ORGANIZATION}/usage`, { params: { path } })),
  });
  return (
    <OrganizationPage name={organization} title={t("organization.usage")}>
      {() => (
        <>
          <section className="stack">
            <div className="row between">
              <h2>{t("organization.usage")}</h2>
              {mayLimit && usage.data && <SetQuota organization={organization} quota={usage.data.quota} />}
            </div>
            <ProblemNotice problem={usage.error && asProblem(usage.error)} />
            {!usage.data && !usage.error && <Bones lines={2} />}
            {usage.data && <Summary usage={usage.data} />}
          </section>
          <Placement organization={organization} />
          <Boxes organization={organization} />
        </>
      )}
    </OrganizationPage>
  );
}

function Summary({ usage }: { usage: Schemas["UsageView"] }) {
  const { t } = useTranslation();
  const limit = usage.quota.bytes;
  const percent = limit ? Math.min(100, (100 * usage.bytes) / limit) : 0;
  return (
    <div className="card stack">
      <p>
        <span className="figure number">{bytes(usage.bytes)}</span>{" "}
        <span className="soft">
          {limit ? t("usage.of", { limit: bytes(limit) }) : t("usage.unlimited")} ·{" "}
          {t("usage.files", { count: usage.files })}
        </span>
      </p>
      {!!limit && (
        <div
          className="progress"
          role="progressbar"
          aria-label={t("organization.usage")}
          aria-valuenow={Math.round(percent)}
          aria-valuemin={0}
          aria-valuemax={100}
        >
          <div style={{ width: `${percent}%` }} />
        </div>
      )}
      {usage.quota.fileBytes && (
        <p className="soft small">{t("usage.perFile", { limit: bytes(usage.quota.fileBytes) })}</p>
      )}
      <dl className="facts">
        {usage.stores.map((one) => (
          <StoreFact key={one.store} store={one} />
        ))}
      </dl>
    </div>
  );
}

function StoreFact({ store }: { store: Schemas["StoreUsageView"] }) {
  const { t } = useTranslation();
  return (
    <>
      <dt>{t("usage.inStore", { store: store.store })}</dt>
      <dd className="number">{bytes(store.bytes)}</dd>
    </>
  );
}

function Boxes({ organization }: { organization: string }) {
  const { t } = useTranslation();
  const [page, setPage] = useState(1);
  const list = useQuery({
    queryKey: ["organization", organization, "usage", "boxes", page],
    queryFn: () =>
      whole(api.GET(`${ORGANIZATION}/usage/boxes`, { params: { path: { organization }, query: { page } } })),
  });
  if (!list.data || list.data.page.total === 0) return null;
  return (
    <section className="stack">
      <h2>{t("usage.byBox")}</h2>
      <Table heads={[t("word.box"), t("version.files"), t("file.size")]}>
        {list.data.data.map((one) => (
          <tr key={one.box}>
            <td className="name">{one.box}</td>
            <td data-label={t("version.files")} className="number">
              {one.files}
            </td>
            <td data-label={t("file.size")} className="number">
              {bytes(one.bytes)}
            </td>
          </tr>
        ))}
      </Table>
      <Pager page={list.data.page} onPage={setPage} />
    </section>
  );
}

function SetQuota({ organization, quota }: { organization: string; quota: Schemas["QuotaView"] }) {
  const { t } = useTranslation();
  const set = (form: FormData) => {
    const gib = (name: string) => {
      const value = filled(form, name);
      return value ? Math.round(Number(value) * GIB) : null;
    };
    const body = { bytes: gib("bytes"), fileBytes: gib("fileBytes") };
    return act(whole(api.PUT(`${ORGANIZATION}/quota`, { params: { path: { organization } }, body })), [
      "organization",
      organization,
      "usage",
    ]);
  };
  const shown = (value: number | null | undefined, isDefault: boolean) => (value && !isDefault ? value / GIB : "");
  return (
    <FormDialog
      trigger={(open) => (
        <Button onClick={open}>
          <Gauge aria-hidden />
          {t("usage.setQuota")}
        </Button>
      )}
      title={t("usage.setQuota")}
      description={t("usage.setQuotaText")}
      submit={t("save")}
      onSubmit={set}
    >
      <TextField
        label={t("usage.all")}
        name="bytes"
        type="number"
        min={0}
        step="any"
        defaultValue={shown(quota.bytes, quota.bytesIsDefault)}
      />
      <TextField
        label={t("usage.oneFile")}
        name="fileBytes"
        type="number"
        min={0}
        step="any"
        defaultValue={shown(quota.fileBytes, quota.fileBytesIsDefault)}
      />
    </FormDialog>
  );
}
