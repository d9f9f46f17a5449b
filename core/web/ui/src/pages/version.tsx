// A version: its files, where to put new ones, and whether clients see it.
import { useQuery } from "@tanstack/react-query";
import { Link, useParams } from "@tanstack/react-router";
import { FileBox } from "lucide-react";
import { useTranslation } from "react-i18next";
import { asProblem } from "../api/problem.ts";
import { artifacts, box, renderedVersion, useMay, type VersionPath, version, versions } from "../api/queries.ts";
import type { Schemas } from "../api/types.ts";
import { Guide } from "../ui/guide.tsx";
import { Markdown } from "../ui/markdown.tsx";
import { Bones, Empty, Notice, PageBones, ProblemNotice } from "../ui/parts.tsx";
import { Ago } from "../ui/time.tsx";
import { useTitle } from "../ui/title.ts";
import { VersionStatus } from "../ui/version-status.tsx";
import { ArchiveFacts } from "./archive-facts.tsx";
import { Files } from "./files.tsx";
import { ReadProblem } from "./not-found.tsx";
import { UploadFiles } from "./upload-files.tsx";
import { UseBox } from "./use-box.tsx";
import { VersionActions } from "./version-actions.tsx";

export function Version() {
  const path = useParams({ from: "/$organization/$box/versions/$version" });
  const about = useQuery(version(path));
  const ofBox = useQuery(box(path));
  const notes = useQuery(renderedVersion(path)).data;
  const may = useMay(path);
  useTitle(`${path.organization}/${path.box} ${path.version}`);
  const problem = about.error ?? ofBox.error;
  if (problem) return <ReadProblem problem={asProblem(problem)} retry={about.refetch} />;
  if (!about.data || !ofBox.data) return <PageBones />;
  const isReleased = about.data.status === "released";
  return (
    <div className="wrap stack loose">
      <Head path={path} version={about.data} />
      {may("version", "release") && <FirstVersion path={path} box={ofBox.data} />}
      <div className="columns">
        <div className="stack loose">
          <FileList
            path={path}
            version={about.data}
            mayUpload={may("file", "upload") && about.data.status === "unreleased"}
            isMirrored={!!ofBox.data.origin}
          />
          <Notes notes={notes} />
        </div>
        <aside className="stack loose">
          {isReleased && <UseBox path={path} isPublic={ofBox.data.isPublic} version={path.version} />}
          <ArchiveFacts path={path} />
          {!isReleased && may("version", "release") && <HowToRelease version={about.data} />}
        </aside>
      </div>
    </div>
  );
}

/** The only version of a box that nobody has fetched is the first box of somebody, or nearly so. */
function FirstVersion({ path, box }: { path: VersionPath; box: Schemas["BoxView"] }) {
  const all = useQuery(versions(path)).data;
  const hasFile = useQuery(artifacts(path)).data?.some(({ file }) => file);
  const [only] = all?.data ?? [];
  if (all?.page.total !== 1 || box.downloadCount > 0 || hasFile === undefined) return null;
  if (only?.status === "released") return <Guide at="use" />;
  return only?.status === "unreleased" ? <Guide at={hasFile ? "release" : "upload"} /> : null;
}

function Head({ path, version }: { path: VersionPath; version: Schemas["VersionView"] }) {
  const { t } = useTranslation();
  const at = version.revokedAt ?? version.releasedAt ?? version.createdAt;
  return (
    <header className="stack">
      <div className="head">
        <div className="grow stack tight">
          <p className="crumbs">
            <Link to="/$organization/$box" params={path}>
              {path.organization}/{path.box}
            </Link>
          </p>
          <div className="row">
            <h1 className="mono">{version.versionNumber}</h1>
            <VersionStatus version={version} />
            <span className="soft small">
              <Ago at={at} />
            </span>
          </div>
        </div>
        <VersionActions path={path} version={version} />
      </div>
      {version.deprecated && (
        <Notice tone="warn">
          <p>{t("version.deprecated")}</p>
          {version.deprecationReason && <p className="soft">{version.deprecationReason}</p>}
        </Notice>
      )}
      {version.status === "revoked" && <Notice tone="bad">{t("version.revoked")}</Notice>}
    </header>
  );
}

interface FileListProps {
  path: VersionPath;
  version: Schemas["VersionView"];
  mayUpload: boolean;
  isMirrored: boolean;
}

function FileList({ path, version, mayUpload, isMirrored }: FileListProps) {
  const { t } = useTranslation();
  const list = useQuery(artifacts(path));
  return (
    <section className="stack">
      <h2>{t("version.files")}</h2>
      {list.error && <ProblemNotice problem={asProblem(list.error)} />}
      {!list.data && !list.error && <Bones lines={2} />}
      {list.data?.length === 0 && !mayUpload && (
        <Empty icon={FileBox} title={t("version.noFiles")}>
          <p>{t("version.noFilesText")}</p>
        </Empty>
      )}
      {list.data && list.data.length > 0 && (
        <Files
          path={path}
          artifacts={list.data}
          mayChange={mayUpload}
          isReleased={version.status === "released"}
          isMirrored={isMirrored}
        />
      )}
      {mayUpload && list.data && <UploadFiles path={path} artifacts={list.data} />}
    </section>
  );
}

function Notes({ notes }: { notes: Schemas["RenderedVersionView"] | undefined }) {
  const { t } = useTranslation();
  if (!notes?.description && !notes?.releaseNotes) return null;
  return (
    <section className="card stack">
      <h2>{t("version.notes")}</h2>
      {notes.description && <Markdown html={notes.description} />}
      {notes.releaseNotes && <Markdown html={notes.releaseNotes} />}
    </section>
  );
}

function HowToRelease({ version }: { version: Schemas["VersionView"] }) {
  const { t } = useTranslation();
  if (version.status !== "unreleased") return null;
  return (
    <section className="card stack">
      <h2>{t("version.next")}</h2>
      <ol className="steps small">
        <li>{t("version.stepUpload")}</li>
        <li>{t("version.stepCheck")}</li>
        <li>{t("version.stepRelease")}</li>
      </ol>
    </section>
  );
}
