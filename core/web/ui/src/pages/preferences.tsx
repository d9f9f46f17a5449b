// How somebody wants things, what they watch, and what the server knows of them.
import { useMutation, useQuery } from "@tanstack/react-query";
import { Link, useNavigate } from "@tanstack/react-router";
import { BellOff, Download, Eye, Trash2 } from "lucide-react";
import { useTranslation } from "react-i18next";
import { act, tellProblem } from "../api/act.ts";
import { api, type Tagged, whole } from "../api/client.ts";
import { asProblem } from "../api/problem.ts";
import { preferences, queryClient, useProfile, watches } from "../api/queries.ts";
import { forget, useSession } from "../api/session.ts";
import type { Schemas } from "../api/types.ts";
import { choose, LANGUAGES, type Language, language } from "../i18n.ts";
import { chooseTheme, type Theme, theme } from "../theme.ts";
import { FormDialog, filled } from "../ui/dialog.tsx";
import { date } from "../ui/format.ts";
import { KeptForm } from "../ui/kept-form.tsx";
import { Badge, Bones, Button, Empty, ProblemNotice, Select } from "../ui/parts.tsx";
import { Ago } from "../ui/time.tsx";
import { toast } from "../ui/toast.tsx";
import { CurrentPassword } from "./profile.tsx";
import { saveAs } from "./save-as.ts";
import { SettingsPage } from "./settings-page.tsx";

export function Preferences() {
  const { t } = useTranslation();
  const wanted = useQuery(preferences);
  return (
    <SettingsPage title={t("settings.preferences")}>
      <ProblemNotice problem={wanted.error && asProblem(wanted.error)} />
      {!wanted.data && !wanted.error && <Bones />}
      {wanted.data && <Wishes newest={wanted.data} />}
    </SettingsPage>
  );
}

function Wishes({ newest }: { newest: Schemas["PreferencesView"] & Tagged }) {
  const { t } = useTranslation();
  const me = useProfile();
  return (
    <KeptForm
      newest={newest}
      fields={{
        language: t("foot.language"),
        theme: t("foot.theme"),
        timeZone: t("preferences.timeZone"),
        defaultOrganization: t("preferences.organization"),
      }}
      read={() => queryClient.fetchQuery({ ...preferences, staleTime: 0 })}
      save={(form, header) =>
        whole(
          api.PUT("/api/user/preferences", {
            params: { header },
            body: {
              language: form.get("language") as Language,
              theme: form.get("theme") as Theme,
              timeZone: filled(form, "timeZone") ?? null,
              defaultOrganization: filled(form, "defaultOrganization") ?? null,
            },
          }),
        )
      }
      onSaved={async (saved) => {
        await act(Promise.resolve(saved), ["preferences"]);
        chooseTheme((saved.data.theme as Theme | null) ?? theme());
        await choose((saved.data.language as Language | null) ?? language());
      }}
    >
      {(now) => (
        <>
          <Select label={t("foot.language")} name="language" defaultValue={now.language ?? language()}>
            {Object.entries(LANGUAGES).map(([tag, name]) => (
              <option key={tag} value={tag}>
                {name}
              </option>
            ))}
          </Select>
          <Select label={t("foot.theme")} name="theme" defaultValue={now.theme ?? theme()}>
            <option value="auto">{t("theme.auto")}</option>
            <option value="light">{t("theme.light")}</option>
            <option value="dark">{t("theme.dark")}</option>
          </Select>
          <Select label={t("preferences.timeZone")} name="timeZone" defaultValue={now.timeZone ?? ""}>
            <option value="">{t("theme.auto")}</option>
            {Intl.supportedValuesOf("timeZone").map((zone) => (
              <option key={zone} value={zone}>
                {zone}
              </option>
            ))}
          </Select>
          <Select
            label={t("preferences.organization")}
            name="defaultOrganization"
            defaultValue={now.defaultOrganization ?? ""}
          >
            <option value="">{t("preferences.noOrganization")}</option>
            {me?.organizations.map(({ name }) => (
              <option key={name} value={name}>
                {name}
              </option>
            ))}
          </Select>
        </>
      )}
    </KeptForm>
  );
}

export function Watching() {
  const { t } = useTranslation();
  const list = useQuery(watches(useSession()?.username));
  const stop = useMutation({
    mutationFn: ({ organization, name }: { organization: string; name: string }) => {
      const params = { path: { organization, box: name } };
      return act(whole(api.DELETE("/api/organization/{organization}/box/{box}/watch", { params })), ["watches"]);
    },
    onError: tellProblem,
  });
  return (
    <SettingsPage title={t("settings.watching")}>
      <ProblemNotice problem={list.error && asProblem(list.error)} />
      {!list.data && !list.error && <Bones />}
      {list.data?.length === 0 && (
        <Empty icon={Eye} title={t("watching.none")}>
          <p>{t("watching.noneText")}</p>
        </Empty>
      )}
      {list.data && list.data.length > 0 && (
        <ul className="list">
          {list.data.map((one) => (
            <li key={one.id} className="row between">
              <div className="stack tight-lines">
                <Link
                  to="/$organization/$box"
                  params={{ organization: one.organization, box: one.name }}
                  className="name"
                >
                  <span className="of">{one.organization}/</span>
                  {one.name}
                </Link>
                <span className="soft small">
                  {t("members.since")} <Ago at={one.watchedSince} />
                </span>
              </div>
              <Button size="small" busy={stop.isPending} onClick={() => stop.mutate(one)}>
                <BellOff aria-hidden />
                {t("box.unwatch")}
              </Button>
            </li>
          ))}
        </ul>
      )}
      <OwnRequests />
    </SettingsPage>
  );
}

/** Requests to join organizations: what became of them, and a way to take them back. */
function OwnRequests() {
  const { t } = useTranslation();
  const list = useQuery({ queryKey: ["own-requests"], queryFn: () => whole(api.GET("/api/user/requests")) });
  const withdraw = useMutation({
    mutationFn: (id: string) =>
      act(whole(api.DELETE("/api/user/requests/{id}", { params: { path: { id } } })), ["own-requests"]),
    onError: tellProblem,
  });
  if (!list.data || list.data.data.length === 0) return null;
  return (
    <section className="stack">
      <h2>{t("ownRequests.title")}</h2>
      <ul className="list">
        {list.data.data.map((one) => (
          <li key={one.id} className="row between">
            <div className="row">
              <span className="name">{one.organization}</span>
              <Badge tone={one.status === "approved" ? "good" : one.status === "denied" ? "bad" : "plain"}>
                {t(`ownRequests.${one.status}`)}
              </Badge>
              <span className="soft small">{date(one.createdAt)}</span>
            </div>
            {one.status === "pending" && (
              <Button size="small" busy={withdraw.isPending} onClick={() => withdraw.mutate(one.id)}>
                {t("ownRequests.withdraw")}
              </Button>
            )}
          </li>
        ))}
      </ul>
    </section>
  );
}

export function OwnData() {
  const { t } = useTranslation();
  const navigate = useNavigate();
  const remove = async (form: FormData) => {
    const body = { currentPassword: String(form.get("currentPassword")) };
    toast((await whole(api.DELETE("/api/user", { body }))).message);
    forget();
    navigate({ to: "/" });
  };
  return (
    <SettingsPage title={t("settings.data")}>
      <section className="card stack">
        <h2>{t("data.export")}</h2>
        <p className="soft">{t("data.exportText")}</p>
        <div>
          <Button onClick={() => saveAs("/api/user/export", "boxvault-account.json")}>
            <Download aria-hidden />
            {t("data.exportDo")}
          </Button>
        </div>
      </section>
      <section className="card stack">
        <h2>{t("data.delete")}</h2>
        <p className="soft">{t("data.deleteText")}</p>
        <div>
          <FormDialog
            trigger={(open) => (
              <Button look="danger" onClick={open}>
                <Trash2 aria-hidden />
                {t("data.delete")}
              </Button>
            )}
            danger
            title={t("data.delete")}
            description={t("data.deleteText")}
            submit={t("data.delete")}
            onSubmit={remove}
          >
            <CurrentPassword />
          </FormDialog>
        </div>
      </section>
    </SettingsPage>
  );
}
