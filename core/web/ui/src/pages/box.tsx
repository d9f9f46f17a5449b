// A box: what it is, how to use it, and its versions.
import { useQuery } from "@tanstack/react-query";
import { Link, useNavigate, useParams } from "@tanstack/react-router";
import { BookOpen, ExternalLink, Plus, Tag } from "lucide-react";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { api, ok } from "../api/client.ts";
import { asProblem } from "../api/problem.ts";
import { type BoxPath, box, boxDownloads, refreshBox, renderedBox, useMay, versions } from "../api/queries.ts";
import type { Schemas } from "../api/types.ts";
import { FormDialog, filled } from "../ui/dialog.tsx";
import { count, date } from "../ui/format.ts";
import { Guide } from "../ui/guide.tsx";
import { Markdown } from "../ui/markdown.tsx";
import { Pager } from "../ui/pager.tsx";
import { Bones, Button, Empty, PageBones, ProblemNotice, TextArea, TextField } from "../ui/parts.tsx";
import { Ago } from "../ui/time.tsx";
import { useTitle } from "../ui/title.ts";
import { VersionStatus } from "../ui/version-status.tsx";
import { ArchiveFacts } from "./archive-facts.tsx";
import { BoxHead } from "./box-head.tsx";
import { ReadProblem } from "./not-found.tsx";
import { Upstream } from "./upstream.tsx";
import { UseBox } from "./use-box.tsx";

export function Box() {
  const path = useParams({ from: "/$organization/$box" });
  const about = useQuery(box(path));
  const rendered = useQuery(renderedBox(path));
  useTitle(`${path.organization}/${path.box}`);
  if (about.error) return <ReadProblem problem={asProblem(about.error)} retry={about.refetch} />;
  if (!about.data) return <PageBones />;
  return (
    <div className="wrap stack loose">
      <BoxHead box={about.data} />
      <div className="columns aside-first">
        <div className="stack loose">
          <Versions path={path} />
          <About box={about.data} rendered={rendered.data} />
        </div>
        <aside className="stack loose">
          <UseBox path={path} isPublic={about.data.isPublic} />
          <Facts box={about.data} path={path} />
          <LatestFacts path={path} />
        </aside>
      </div>
    </div>
  );
}

function About({ box, rendered }: { box: Schemas["BoxView"]; rendered: Schemas["RenderedBoxView"] | undefined }) {
  const { t } = useTranslation();
  const mayWrite = useMay({ organization: box.organization, box: box.name })("box", "update");
  if (!rendered) return <Bones lines={2} />;
  if (!rendered.description && !rendered.readme) {
    if (!mayWrite) return null;
    return (
      <Empty icon={BookOpen} title={t("box.noReadme")}>
        <p>{t("box.noReadmeText")}</p>
        <Link
          to="/$organization/$box/settings"
          params={{ organization: box.organization, box: box.name }}
          className="button"
        >
          {t("box.writeReadme")}
        </Link>
      </Empty>
    );
  }
  return (
    <section className="card stack" aria-label={t("box.about")}>
      {rendered.description && <Markdown html={rendered.description} />}
      {rendered.readme && <Markdown html={rendered.readme} />}
    </section>
  );
}

function Versions({ path }: { path: BoxPath }) {
  const { t } = useTranslation();
  const mayCreate = useMay(path)("version", "create");
  const [page, setPage] = useState(1);
  const list = useQuery(versions(path, page));
  const isEmpty = list.data?.page.total === 0;
  return (
    <section className="stack">
      <div className="row between">
        <h2>{t("box.versions")}</h2>
        {mayCreate && !isEmpty && <CreateVersion path={path} />}
      </div>
      {list.error && <ProblemNotice problem={asProblem(list.error)} />}
      {!list.data && !list.error && <Bones />}
      {isEmpty && mayCreate && <Guide at="version" />}
      {isEmpty && (
        <Empty icon={Tag} title={t("box.noVersions")}>
          <p>{mayCreate ? t("box.noVersionsMember") : t("box.noVersionsVisitor")}</p>
          {mayCreate && <CreateVersion path={path} />}
        </Empty>
      )}
      {list.data && !isEmpty && (
        <ul className="list">
          {list.data.data.map((one) => (
            <li key={one.id} className="hit row between">
              <div className="row">
                <Link
                  to="/$organization/$box/versions/$version"
                  params={{ ...path, version: one.versionNumber }}
                  className="name cover mono"
                >
                  {one.versionNumber}
                </Link>
                <VersionStatus version={one} />
              </div>
              <span className="soft small">
                <Ago at={one.releasedAt ?? one.createdAt} />
              </span>
              {one.deprecationReason && <p className="soft small whole-row">{one.deprecationReason}</p>}
            </li>
          ))}
        </ul>
      )}
      <Pager page={list.data?.page} onPage={setPage} />
    </section>
  );
}

function CreateVersion({ path }: { path: BoxPath }) {
  const { t } = useTranslation();
  const navigate = useNavigate();
  const create = async (form: FormData) => {
    const made = await ok(
      api.POST("/api/organization/{organization}/box/{box}/version", {
        params: { path },
        body: { versionNumber: filled(form, "versionNumber") ?? "", releaseNotes: filled(form, "releaseNotes") },
      }),
    );
    await refreshBox(path);
    navigate({ to: "/$organization/$box/versions/$version", params: { ...path, version: made.versionNumber } });
  };
  return (
    <FormDialog
      trigger={(open) => (
        <Button look="main" onClick={open}>
          <Plus aria-hidden />
          {t("version.create")}
        </Button>
      )}
      title={t("version.create")}
      description={t("version.createText")}
      submit={t("version.create")}
      onSubmit={create}
    >
      <TextField
        label={t("version.number")}
        hint={t("version.numberHint")}
        name="versionNumber"
        className="input mono"
        placeholder="1.0.0"
        autoComplete="off"
        required
      />
      <TextArea label={t("version.notes")} hint={t("markdownHint")} name="releaseNotes" />
    </FormDialog>
  );
}

function Facts({ box, path }: { box: Schemas["BoxView"]; path: BoxPath }) {
  const { t } = useTranslation();
  const downloads = useQuery(boxDownloads(path)).data;
  const links = [
    [t("box.homepage"), box.homepageUrl],
    [t("box.source"), box.sourceUrl],
    [t("box.documentation"), box.documentationUrl],
  ] as const;
  return (
    <section className="stack" aria-label={t("box.facts")}>
      <dl className="facts">
        {box.origin && (
          <>
            <dt>{t("mirror.origin")}</dt>
            <dd>
              <Upstream url={box.origin.url} />
            </dd>
            <dt>{t("box.license")}</dt>
            <dd>{box.origin.license ?? t("mirror.noLicense")}</dd>
            <dt>{t("mirror.checked")}</dt>
            <dd>
              <Ago at={box.origin.checkedAt} />
            </dd>
          </>
        )}
        <dt>{t("box.downloads")}</dt>
        <dd className="number">{count(box.downloadCount)}</dd>
        <dt>{t("box.created")}</dt>
        <dd>{date(box.createdAt)}</dd>
        <dt>{t("box.changed")}</dt>
        <dd>
          <Ago at={box.updatedAt} />
        </dd>
      </dl>
      {downloads && downloads.downloadCount > 0 && <Chart days={downloads.days} />}
      <ul className="plain-list">
        {links.map(
          ([name, url]) =>
            url && (
              <li key={name}>
                <a href={url} rel="nofollow noopener noreferrer" className="row">
                  <ExternalLink aria-hidden size={14} />
                  {name}
                </a>
              </li>
            ),
        )}
      </ul>
    </section>
  );
}

function LatestFacts({ path }: { path: BoxPath }) {
  const latest = useQuery(versions(path)).data?.data.find(({ status }) => status === "released");
  return latest ? <ArchiveFacts path={{ ...path, version: latest.versionNumber }} /> : null;
}

const CHART_DAYS = 30;
const DAY_MS = 86_400_000;

/** How often it was fetched on each of the last days. Days without any are not in the answer. */
function Chart({ days }: { days: Schemas["DayDownloadsView"][] }) {
  const { t } = useTranslation();
  const known = new Map(days.map(({ day, downloadCount }) => [day, downloadCount]));
  const bars = Array.from({ length: CHART_DAYS }, (_, index) => {
    const day = new Date(Date.now() - (CHART_DAYS - 1 - index) * DAY_MS).toISOString().slice(0, 10);
    return { day, value: known.get(day) ?? 0 };
  });
  const most = Math.max(1, ...bars.map(({ value }) => value));
  const sum = bars.reduce((all, { value }) => all + value, 0);
  return (
    <figure className="stack tight">
      <div className="chart" role="img" aria-label={t("box.lastDays", { count: sum, days: CHART_DAYS })}>
        {bars.map(({ day, value }) => (
          <div
            key={day}
            title={`${date(day)}: ${value}`}
            data-none={value === 0 || undefined}
            style={{ height: `${(100 * value) / most}%` }}
          />
        ))}
      </div>
      <figcaption className="soft small">{t("box.lastDays", { count: sum, days: CHART_DAYS })}</figcaption>
    </figure>
  );
}
