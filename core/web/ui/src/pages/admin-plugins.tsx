// What runs from plugins: how each is, what it can do, what it did, and how to find out whether it keeps its promises.
import { useQuery } from "@tanstack/react-query";
import { Plug } from "lucide-react";
import { useTranslation } from "react-i18next";
import { api, ok } from "../api/client.ts";
import { asProblem } from "../api/problem.ts";
import type { Schemas } from "../api/types.ts";
import { Badge, Bones, Empty, Notice, ProblemNotice, sentence, type Tone } from "../ui/parts.tsx";
import { Ago } from "../ui/time.tsx";
import { AdminPage } from "./admin-page.tsx";
import { Conformance } from "./conformance.tsx";

/** How often is asked while somebody looks. */
const LOOKED_MS = 3_000;

type Plugin = Schemas["PluginView"];

export const TONES: Record<Schemas["PluginState"], Tone> = { running: "good", restarting: "warn", failed: "bad" };
const COUNTERS = ["calls", "inFlight", "errors", "deadlinesExceeded", "hung", "panics", "violations"] as const;
/** What is only worth a word when it happened. */
const ALARMING: readonly string[] = ["deadlinesExceeded", "hung", "panics", "violations"];

export function AdminPlugins() {
  const { t } = useTranslation();
  const plugins = useQuery({
    queryKey: ["plugins"],
    queryFn: () => ok(api.GET("/api/admin/plugins")),
    refetchInterval: LOOKED_MS,
  });
  return (
    <AdminPage title={t("admin.plugins")}>
      <p className="soft">{t("plugins.text")}</p>
      <ProblemNotice problem={plugins.error && asProblem(plugins.error)} />
      {!plugins.data && !plugins.error && <Bones lines={4} />}
      {plugins.data?.length === 0 && (
        <Empty icon={Plug} title={t("plugins.none")}>
          <p>{t("plugins.noneText")}</p>
        </Empty>
      )}
      {plugins.data?.map((plugin) => (
        <PluginCard key={plugin.entry} plugin={plugin} />
      ))}
    </AdminPage>
  );
}

function PluginCard({ plugin }: { plugin: Plugin }) {
  const { t } = useTranslation();
  const { name, version, state, isolation, lastError, capabilities } = plugin;
  return (
    <section className="card stack" aria-label={plugin.entry}>
      <div className="row between">
        <h2 className="mono">{plugin.entry}</h2>
        <span className="row">
          <Badge tone={TONES[state]}>{t(`plugins.${state}`)}</Badge>
          <Badge>{t(isolation === "process" ? "plugins.ownProcess" : "plugins.inServer")}</Badge>
          {!plugin.required && <Badge>{t("plugins.optional")}</Badge>}
        </span>
      </div>
      <p className="soft small">
        {[
          `${name} ${version ?? ""}`.trim(),
          t(plugin.kind === "auth" ? "plugins.auth" : "plugins.storage"),
          plugin.contract && t("plugins.contract", { version: plugin.contract }),
          plugin.license,
        ]
          .filter(Boolean)
          .join(" · ")}
      </p>
      {state !== "running" && (
        <Notice tone={state === "failed" ? "bad" : "warn"}>
          <p>{t(state === "failed" ? "plugins.failedText" : "plugins.restartingText")}</p>
        </Notice>
      )}
      {lastError && (
        <Notice tone={state === "running" ? "plain" : "bad"}>
          <p className="small">
            {t("plugins.lastError")} (<Ago at={lastError.at} />
            ): {sentence(lastError.message)}
          </p>
        </Notice>
      )}
      {capabilities.declared.length > 0 && <Capabilities capabilities={capabilities} />}
      <Counters plugin={plugin} />
      <Conformance plugin={plugin} />
      {plugin.file && <code className="soft small breaks">{plugin.file}</code>}
    </section>
  );
}

function Capabilities({ capabilities }: { capabilities: Plugin["capabilities"] }) {
  const { t } = useTranslation();
  return (
    <div className="stack tight">
      <h3 className="small">{t("plugins.can")}</h3>
      <ul className="row plain-row">
        {capabilities.working.map((one) => (
          <li key={one}>
            <Badge tone="good">{one}</Badge>
          </li>
        ))}
        {capabilities.working.length === 0 && <li className="soft small">{t("plugins.canNothing")}</li>}
      </ul>
      {capabilities.switchedOff.map(({ capability, reason }) => (
        <p key={capability} className="small row">
          <Badge tone="warn">{capability}</Badge>
          {t("plugins.switchedOff", { reason })}
        </p>
      ))}
    </div>
  );
}

function Counters({ plugin }: { plugin: Plugin }) {
  const { t } = useTranslation();
  const figures: [(typeof COUNTERS)[number] | "restarts", number][] = COUNTERS.map((name) => [
    name,
    plugin.counters[name],
  ]);
  if (plugin.isolation === "process") figures.push(["restarts", plugin.restarts]);
  return (
    <dl className="figures">
      {figures
        .filter(([name, value]) => value > 0 || !ALARMING.includes(name))
        .map(([name, value]) => (
          <div key={name}>
            <dt>{t(`plugins.counter.${name}`)}</dt>
            <dd className="number">{value.toLocaleString()}</dd>
          </div>
        ))}
    </dl>
  );
}
