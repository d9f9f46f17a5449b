// An organization that mirrors another registry: what is mirrored and how it goes, to set it, and to end it.
import { useQuery } from "@tanstack/react-query";
import { CopyCheck, Settings2, Unlink } from "lucide-react";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { act } from "../api/act.ts";
import { api, whole } from "../api/client.ts";
import { asProblem } from "../api/problem.ts";
import { mirror, useMay } from "../api/queries.ts";
import type { Schemas } from "../api/types.ts";
import { FormDialog, filled } from "../ui/dialog.tsx";
import { ago } from "../ui/format.ts";
import { Bones, Button, Check, Notice, ProblemNotice, Select, sentence, TextField } from "../ui/parts.tsx";
import { Ago } from "../ui/time.tsx";
import { Upstream } from "./upstream.tsx";

type View = Schemas["MirrorView"];

const MIRROR = "/api/organization/{organization}/mirror";
/** How often somebody who looks is shown how it goes. */
const LOOKED_MS = 5_000;
const [HOUR, DAY] = [3_600, 86_400];
const UNITS = [
  ["day", DAY],
  ["hour", HOUR],
  ["minute", 60],
  ["second", 1],
] as const;
/** The intervals that are offered, in seconds; nothing is brought over by itself without one. */
const INTERVALS = [0, HOUR, 6 * HOUR, DAY, 7 * DAY];
/** Another one, which is typed. */
const OTHER = "other";

export function Mirror({ organization }: { organization: string }) {
  const { t } = useTranslation();
  const may = useMay({ organization });
  const read = useQuery({ ...mirror(organization), enabled: may("mirror", "read"), refetchInterval: LOOKED_MS });
  const isMirror = !!read.data?.url;
  if (!may("mirror", "read") || (read.data && !isMirror && !may("mirror", "update"))) return null;
  return (
    <section className="card stack" aria-labelledby="mirror">
      <h2 id="mirror">{t("mirror.title")}</h2>
      <ProblemNotice problem={read.error && asProblem(read.error)} />
      {!read.data && !read.error && <Bones lines={1} />}
      {read.data && isMirror && <State view={read.data} />}
      {read.data && !isMirror && (
        <>
          <p className="soft">{t("mirror.text")}</p>
          <p className="soft small">{t("mirror.textHosts")}</p>
        </>
      )}
      {read.data && (
        <div className="row">
          {may("mirror", "update") && <SetUp organization={organization} view={read.data} />}
          {isMirror && may("mirror", "delete") && <End organization={organization} />}
        </div>
      )}
    </section>
  );
}

function State({ view }: { view: View }) {
  const { t } = useTranslation();
  const { url, hasToken, isPublic, license, syncSeconds, syncedAt, problem } = view;
  const next = syncedAt ? Date.parse(syncedAt) + syncSeconds * 1000 : 0;
  const nextText = next > Date.now() ? ago(new Date(next).toISOString()) : t("mirror.soon");
  const facts = [
    [t("mirror.upstream"), <Upstream key="url" url={url ?? ""} />],
    [t("mirror.readers"), t(isPublic ? "mirror.everybody" : "mirror.members")],
    [t("mirror.token"), t(hasToken ? "mirror.hasToken" : "mirror.noToken")],
    [t("mirror.license"), license],
    [t("mirror.schedule"), t(...interval(syncSeconds))],
    [t("mirror.synced"), syncedAt ? <Ago key="at" at={syncedAt} /> : syncSeconds > 0 && t("mirror.never")],
    [t("mirror.next"), syncSeconds > 0 && nextText],
  ] as const;
  return (
    <>
      {problem && (
        <Notice tone="bad">
          <p>{t("mirror.failed")}</p>
          <p className="small">{sentence(problem)}</p>
          <p className="soft small">{t("mirror.failedText")}</p>
        </Notice>
      )}
      <dl className="facts">
        {facts.map(
          ([name, value]) =>
            value && (
              <div key={name} className="fact">
                <dt>{name}</dt>
                <dd>{value}</dd>
              </div>
            ),
        )}
      </dl>
      <p className="soft small">{t("mirror.readOnly")}</p>
    </>
  );
}

function SetUp({ organization, view }: { organization: string; view: View }) {
  const { t } = useTranslation();
  const isMirror = !!view.url;
  const set = (form: FormData) => {
    const forgets = form.get("forgets") === "on";
    const body = {
      url: filled(form, "url") ?? "",
      // absent, the one that is there stays; an empty one takes it away
      token: forgets ? "" : filled(form, "token"),
      isPublic: form.get("isPublic") === "on",
      license: filled(form, "license"),
      syncSeconds: secondsOf(form),
    };
    return act(whole(api.PUT(MIRROR, { params: { path: { organization } }, body })), ...touchedBy(organization));
  };
  return (
    <FormDialog
      trigger={(open) => (
        <Button look={isMirror ? "plain" : "main"} onClick={open}>
          {isMirror ? <Settings2 aria-hidden /> : <CopyCheck aria-hidden />}
          {t(isMirror ? "mirror.change" : "mirror.begin")}
        </Button>
      )}
      title={t(isMirror ? "mirror.change" : "mirror.begin")}
      description={t(isMirror ? "mirror.changeText" : "mirror.beginText")}
      submit={t(isMirror ? "save" : "mirror.begin")}
      onSubmit={set}
    >
      <TextField
        label={t("mirror.upstream")}
        hint={t("mirror.upstreamHint")}
        name="url"
        type="url"
        inputMode="url"
        placeholder="https://boxes.example.com/acme"
        defaultValue={view.url ?? ""}
        autoComplete="off"
        required
      />
      <TextField
        label={t("mirror.token")}
        hint={t(view.hasToken ? "mirror.tokenKeptHint" : "mirror.tokenHint")}
        name="token"
        type="password"
        autoComplete="off"
      />
      {view.hasToken && <Check label={t("mirror.forget")} name="forgets" />}
      <Schedule seconds={view.syncSeconds} />
      <TextField
        label={t("mirror.license")}
        hint={t("mirror.licenseHint")}
        name="license"
        defaultValue={view.license ?? ""}
        autoComplete="off"
      />
      <Check label={t("mirror.public")} hint={t("mirror.publicHint")} name="isPublic" defaultChecked={view.isPublic} />
    </FormDialog>
  );
}

/** When all is brought over: a usual interval, or one of one's own. */
function Schedule({ seconds }: { seconds: number }) {
  const { t } = useTranslation();
  const [chosen, setChosen] = useState(INTERVALS.includes(seconds) ? `${seconds}` : OTHER);
  return (
    <>
      <Select
        label={t("mirror.schedule")}
        hint={t("mirror.scheduleHint")}
        name="interval"
        value={chosen}
        onChange={(event) => setChosen(event.target.value)}
      >
        {INTERVALS.map((one) => (
          <option key={one} value={one}>
            {t(...interval(one))}
          </option>
        ))}
        <option value={OTHER}>{t("mirror.other")}</option>
      </Select>
      {chosen === OTHER && (
        <TextField
          label={t("mirror.minutes")}
          name="syncSeconds"
          type="number"
          min={1}
          max={525_600}
          step="any"
          defaultValue={seconds > 0 ? seconds / 60 : 30}
          required
        />
      )}
    </>
  );
}

/** What may be done with boxes is another thing, too. */
const touchedBy = (organization: string) => [
  ["organization", organization],
  ["organizations"],
  ["boxes"],
  ["box", organization],
];

/** How an interval is called, in the longest unit that it is a whole number of. */
function interval(seconds: number) {
  const [unit, size] = UNITS.find(([, size]) => seconds % size === 0) ?? UNITS[3];
  return [seconds > 0 ? (`mirror.every.${unit}` as const) : "mirror.onDemand", { count: seconds / size }] as const;
}

function secondsOf(form: FormData): number {
  const chosen = form.get("interval");
  return chosen === OTHER ? Math.round(Number(form.get("syncSeconds")) * 60) : Number(chosen);
}

function End({ organization }: { organization: string }) {
  const { t } = useTranslation();
  const end = () => act(whole(api.DELETE(MIRROR, { params: { path: { organization } } })), ...touchedBy(organization));
  return (
    <FormDialog
      trigger={(open) => (
        <Button look="danger" onClick={open}>
          <Unlink aria-hidden />
          {t("mirror.end")}
        </Button>
      )}
      danger
      title={t("mirror.endOf", { name: organization })}
      submit={t("mirror.end")}
      onSubmit={end}
    >
      <ul className="stack tight">
        <li>{t("mirror.endStays")}</li>
        <li>{t("mirror.endGoes")}</li>
        <li>{t("mirror.endAgain")}</li>
      </ul>
    </FormDialog>
  );
}
