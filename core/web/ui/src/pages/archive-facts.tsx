// What the archives of a version say of themselves. Their publisher wrote it, so it is shown as text and nothing else.
import { useQuery } from "@tanstack/react-query";
import { useTranslation } from "react-i18next";
import { type Artifact, artifacts, type VersionPath } from "../api/queries.ts";
import { bytes } from "../ui/format.ts";

type Archive = NonNullable<NonNullable<Artifact["file"]>["archive"]>;

const GIB = 1024 ** 3;

export function ArchiveFacts({ path }: { path: VersionPath }) {
  const { t } = useTranslation();
  const known = useQuery(artifacts(path)).data?.filter(({ file }) => file?.archive);
  if (!known || known.length === 0) return null;
  return (
    <section className="stack">
      <h2>{t("facts.title")}</h2>
      {known.map(({ provider, architecture, file }) => (
        <div key={`${provider}/${architecture}`} className="stack tight">
          <p>
            <span className="name">{provider}</span> <span className="soft">{architecture}</span>
          </p>
          {file?.archive && <One archive={file.archive} />}
        </div>
      ))}
    </section>
  );
}

function One({ archive: { compression, metadata } }: { archive: Archive }) {
  const { t } = useTranslation();
  const said = metadata as Record<string, unknown>;
  const facts: [string, string | undefined][] = [
    [t("facts.format"), word(said.format)],
    [t("facts.virtual_size"), size(said.virtual_size)],
    [t("facts.disks"), Array.isArray(said.disks) ? String(said.disks.length) : undefined],
    [t("facts.architecture"), word(said.architecture)],
    [t("facts.compression"), compression === "none" ? t("facts.none") : compression],
  ];
  return (
    <>
      <dl className="facts">
        {facts.map(
          ([name, value]) =>
            value !== undefined && (
              <div key={name} className="fact">
                <dt>{name}</dt>
                <dd>{value}</dd>
              </div>
            ),
        )}
      </dl>
      {Object.keys(said).length > 0 && (
        <details className="fold small">
          <summary>{t("facts.more")}</summary>
          <pre className="metadata">{JSON.stringify(said, null, 2)}</pre>
        </details>
      )}
    </>
  );
}

const word = (value: unknown) => (typeof value === "string" && value !== "" ? value : undefined);

/** `virtual_size` counts GiB. */
const size = (value: unknown) => (typeof value === "number" && value > 0 ? bytes(value * GIB) : undefined);
