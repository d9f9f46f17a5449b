// Which of its promises a plugin keeps, as the conformance kit found: what fails comes first, all the rest can be opened.
import { useTranslation } from "react-i18next";
import type { Schemas } from "../api/types.ts";
import { Badge, Notice, sentence, type Tone } from "../ui/parts.tsx";
import { Snippet } from "../ui/snippet.tsx";
import { Ago } from "../ui/time.tsx";

type Report = Schemas["ConformanceView"];
type Suite = Schemas["SuiteView"];
type Case = Schemas["CaseView"];

const OUTCOMES = ["failed", "passed", "not-claimed", "skipped"] as const;
const TONES: Record<Case["outcome"], Tone> = {
  failed: "bad",
  passed: "good",
  "not-claimed": "plain",
  skipped: "plain",
};

export function Conformance({ plugin }: { plugin: Schemas["PluginView"] }) {
  const { t } = useTranslation();
  const report = plugin.conformance;
  return (
    <div className="stack tight">
      <h3 className="small">{t("conformance.title")}</h3>
      {report ? <Found report={report} /> : <p className="soft small">{t("conformance.none")}</p>}
      {!report && (
        <Snippet
          label={t("conformance.command", { name: plugin.entry })}
          text={`boxvault plugin check ${plugin.name} --config ${plugin.name}.toml --keep`}
        />
      )}
    </div>
  );
}

function Found({ report }: { report: Report }) {
  const { t } = useTranslation();
  const failed = report.suites.flatMap(({ suite, cases }) =>
    cases.filter(({ outcome }) => outcome === "failed").map((one) => ({ suite, ...one })),
  );
  return (
    <>
      <div className="row">
        <Badge tone={report.passed ? "good" : "bad"}>
          {t(report.passed ? "conformance.passed" : "conformance.failed")}
        </Badge>
        <span className="soft small">
          {t(`conformance.where.${where(report.isolation)}`, { version: report.version })} ·{" "}
          <Ago at={report.checkedAt} />
        </span>
      </div>
      {failed.length > 0 && (
        <Notice tone="bad">
          <ul className="plain-list stack tight">
            {failed.map(({ suite, name, reason }) => (
              <li key={`${suite}/${name}`}>
                <p className="keeps-words">
                  {promise(name)} <span className="soft small">({suite})</span>
                </p>
                {reason && <p className="small">{sentence(reason)}</p>}
              </li>
            ))}
          </ul>
        </Notice>
      )}
      <ul className="plain-list small">
        {report.suites.map((suite) => (
          <li key={suite.suite} className="row between">
            <span className="mono">{suite.suite}</span>
            <span className="soft">
              {counts(suite)
                .map(([outcome, count]) => t(`conformance.count.${outcome}`, { count }))
                .join(", ")}
            </span>
          </li>
        ))}
      </ul>
      <details className="fold small">
        <summary>{t("conformance.all")}</summary>
        {report.suites.map(({ suite, cases }) => (
          <section key={suite} className="stack tight" aria-label={suite}>
            <h4 className="mono">{suite}</h4>
            <ul className="plain-list">
              {cases.map(({ name, outcome, reason }) => (
                <li key={name} className="row">
                  <Badge tone={TONES[outcome]}>{t(`conformance.outcome.${outcome}`)}</Badge>
                  <span className="keeps-words">{promise(name)}</span>
                  {reason && <span className="soft whole-row">{sentence(reason)}</span>}
                </li>
              ))}
            </ul>
          </section>
        ))}
      </details>
    </>
  );
}

/** How many cases of a suite ended so, without those that none did. */
const counts = ({ cases }: Suite) =>
  OUTCOMES.map((outcome) => [outcome, cases.filter((one) => one.outcome === outcome).length] as const).filter(
    ([, count]) => count > 0,
  );

const where = (isolation: string) => (isolation === "process" || isolation === "both" ? isolation : "none");

/** Cases are called by what they promise, with underscores for spaces. */
const promise = (name: string) => sentence(name.replaceAll("_", " "));
