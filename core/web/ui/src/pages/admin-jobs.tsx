// How the server is, what it does in the background, and the configuration that it was started with. All are only looked
// at.
import { useQuery } from "@tanstack/react-query";
import { Settings2 } from "lucide-react";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { api, ok } from "../api/client.ts";
import { asProblem } from "../api/problem.ts";
import { health } from "../api/queries.ts";
import type { Schemas } from "../api/types.ts";
import { span } from "../ui/format.ts";
import { Badge, Bones, Check, Empty, Notice, ProblemNotice, sentence } from "../ui/parts.tsx";
import { Table } from "../ui/table.tsx";
import { Ago } from "../ui/time.tsx";
import { AdminPage } from "./admin-page.tsx";
import { SearchBox } from "./discover.tsx";
import { OpenMoves } from "./store-moves.tsx";

/** How often is asked while somebody looks. */
const LOOKED_MS = 3_000;

type Job = Schemas["JobView"];

export function AdminHealth() {
  const { t } = useTranslation();
  const ready = useQuery(health);
  const parts = Object.entries(ready.data?.parts ?? {});
  return (
    <AdminPage title={t("admin.health")}>
      <ProblemNotice problem={ready.error && asProblem(ready.error)} />
      {!ready.data && !ready.error && <Bones />}
      {parts.length > 0 && (
        <ul className="list">
          {parts.map(([name, part]) => (
            <li key={name} className="row between">
              <div className="stack tight-lines">
                <span className="name mono">{name}</span>
                {part.problem && <span className="small">{sentence(part.problem)}</span>}
              </div>
              <Badge tone={part.ok ? "good" : "bad"}>{t(part.ok ? "admin.well" : "admin.unwell")}</Badge>
            </li>
          ))}
        </ul>
      )}
    </AdminPage>
  );
}

export function AdminJobs() {
  const { t } = useTranslation();
  const jobs = useQuery({
    queryKey: ["jobs"],
    queryFn: () => ok(api.GET("/api/jobs")),
    refetchInterval: LOOKED_MS,
  });
  return (
    <AdminPage title={t("admin.jobs")}>
      <p className="soft">{t("jobs.text")}</p>
      <ProblemNotice problem={jobs.error && asProblem(jobs.error)} />
      {!jobs.data && !jobs.error && <Bones lines={6} />}
      {jobs.data && (
        <Table heads={[t("jobs.job"), t("jobs.last"), t("jobs.next"), t("admin.state")]} label={t("admin.jobs")}>
          {jobs.data.map((job) => (
            <JobRow key={job.name} job={job} />
          ))}
        </Table>
      )}
      <OpenMoves />
    </AdminPage>
  );
}

function JobRow({ job }: { job: Job }) {
  const { t } = useTranslation();
  const every = job.everySeconds;
  return (
    <tr>
      <td>
        <span className="stack tight-lines">
          <span className="name">{t(`job.${job.name}`, { defaultValue: job.name })}</span>
          {every != null && <span className="soft small">{t("jobs.every", { time: span(every) })}</span>}
          {job.problem && job.failedAt && (
            <span className="small">
              {sentence(job.problem)} <Ago at={job.failedAt} />
            </span>
          )}
        </span>
      </td>
      <td data-label={t("jobs.last")} className="soft">
        {job.endedAt ? <Ago at={job.endedAt} /> : t("scope.never")}
      </td>
      <td data-label={t("jobs.next")} className="soft">
        {job.nextAt ? <Ago at={job.nextAt} /> : ""}
      </td>
      <td data-label={t("admin.state")}>
        <span className="row">
          <Badge tone={tone(job)}>{t(`jobs.${state(job)}`)}</Badge>
          {!!job.waiting && <Badge>{t("jobs.waiting", { count: job.waiting })}</Badge>}
          {!!job.givenUp && <Badge tone="bad">{t("jobs.givenUp", { count: job.givenUp })}</Badge>}
        </span>
      </td>
    </tr>
  );
}

/** What went wrong before the last time is over. */
const failed = ({ failedAt, endedAt }: Job) => !!failedAt && failedAt === endedAt;

function state(job: Job): "off" | "running" | "failed" | "fine" {
  if (!job.enabled) return "off";
  if (failed(job)) return "failed";
  return job.running ? "running" : "fine";
}

function tone(job: Job) {
  if (failed(job)) return "bad";
  return job.enabled ? "good" : "plain";
}

export function AdminConfiguration() {
  const { t } = useTranslation();
  const [q, setQ] = useState("");
  const [onlyChanged, setOnlyChanged] = useState(false);
  const settings = useQuery({
    queryKey: ["configuration"],
    queryFn: () => ok(api.GET("/api/configuration")),
    staleTime: Number.POSITIVE_INFINITY,
  });
  const wanted = q.toLowerCase();
  const shown = settings.data?.filter(({ key, changed }) => key.includes(wanted) && (changed || !onlyChanged));
  return (
    <AdminPage title={t("admin.configuration")}>
      <Notice>{t("configuration.text")}</Notice>
      <div className="row between">
        <div className="grow-search">
          <SearchBox label={t("configuration.search")} value={q} onValue={setQ} />
        </div>
        <Check
          label={t("configuration.onlyChanged")}
          checked={onlyChanged}
          onChange={(event) => setOnlyChanged(event.target.checked)}
        />
      </div>
      <ProblemNotice problem={settings.error && asProblem(settings.error)} />
      {!shown && !settings.error && <Bones lines={8} />}
      {shown?.length === 0 && (
        <Empty icon={Settings2} title={t("configuration.none")}>
          <p>{t("configuration.noneText")}</p>
        </Empty>
      )}
      {shown && shown.length > 0 && (
        <Table
          heads={[t("configuration.key"), t("configuration.value"), t("configuration.origin")]}
          label={t("admin.configuration")}
        >
          {shown.map(({ key, value, origin, changed }) => (
            <tr key={key}>
              <td>
                <code className="name">{key}</code>
              </td>
              <td data-label={t("configuration.value")}>
                {value == null ? <span className="soft">{t("configuration.notSet")}</span> : <code>{value}</code>}
              </td>
              <td data-label={t("configuration.origin")}>
                {changed ? (
                  <code>{origin}</code>
                ) : (
                  <span className="soft">
                    {t(origin === "default" ? "configuration.default" : "configuration.derived")}
                  </span>
                )}
              </td>
            </tr>
          ))}
        </Table>
      )}
    </AdminPage>
  );
}
