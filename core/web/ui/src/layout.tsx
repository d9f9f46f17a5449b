// The frame around every page: the bar at the top, who is signed in, and the foot.
import { Menu } from "@base-ui/react/menu";
import { useQuery } from "@tanstack/react-query";
import { Link, Outlet, useNavigate, useRouterState } from "@tanstack/react-router";
import { Building2, KeyRound, LogOut, Search, Settings } from "lucide-react";
import { lazy, Suspense, useEffect, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import { api } from "./api/client.ts";
import { queryClient, useProfile, versionInfo } from "./api/queries.ts";
import { forget, session, subscribe, useSession } from "./api/session.ts";
import { choose, LANGUAGES, type Language, language } from "./i18n.ts";
import { useAdminPlaces } from "./pages/admin-places.ts";
import { chooseTheme, type Theme, theme } from "./theme.ts";
import { Avatar } from "./ui/avatar.tsx";
import icon from "./ui/icon.svg";
import { IconButton } from "./ui/parts.tsx";
import { Toasts, toast } from "./ui/toast.tsx";
import { UploadTray } from "./uploads/tray.tsx";

const Palette = lazy(() => import("./ui/palette.tsx"));

export function Layout() {
  const { t } = useTranslation();
  const [isOpen, setOpen] = useState(false);
  useSessionEnd();
  useEvents();
  useShortcut(() => setOpen(true));
  useFocusOnNavigation();
  return (
    <>
      <a className="skip" href="#main">
        {t("skip")}
      </a>
      <Top onPalette={() => setOpen(true)} />
      <main id="main" tabIndex={-1}>
        <Outlet />
      </main>
      <Foot />
      <UploadTray />
      {isOpen && (
        <Suspense>
          <Palette onClose={() => setOpen(false)} />
        </Suspense>
      )}
      <Toasts />
    </>
  );
}

/** Ctrl+K, or ⌘K. */
function useShortcut(act: () => void) {
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      if (event.key !== "k" || !(event.ctrlKey || event.metaKey)) return;
      event.preventDefault();
      act();
    };
    document.addEventListener("keydown", onKey);
    return () => document.removeEventListener("keydown", onKey);
  });
}

function Top({ onPalette }: { onPalette: () => void }) {
  const { t } = useTranslation();
  const needsSetup = useQuery(versionInfo).data?.needsSetup;
  const current = useSession();
  const [looksAfter] = useAdminPlaces();
  return (
    <header className="top">
      <div className="wrap">
        <Link to="/" className="brand">
          <img src={icon} alt="" />
          BoxVault
        </Link>
        {!needsSetup && (
          <>
            <nav aria-label={t("nav.label")}>
              <Link to="/discover" activeOptions={{ includeSearch: false }}>
                {t("nav.discover")}
              </Link>
              <Link to="/organizations">{t("nav.organizations")}</Link>
              {looksAfter && <Link to={looksAfter[0]}>{t("nav.admin")}</Link>}
            </nav>
            <div className="end">
              <IconButton icon={Search} look="quiet" label={t("palette.open")} onClick={onPalette} />
              {current ? (
                <Account />
              ) : (
                <Link to="/login" className="button main">
                  {t("signIn.do")}
                </Link>
              )}
            </div>
          </>
        )}
      </div>
    </header>
  );
}

function Account() {
  const { t } = useTranslation();
  const me = useProfile();
  const navigate = useNavigate();
  const name = me?.username ?? session()?.username ?? "";
  return (
    <Menu.Root>
      <Menu.Trigger className="avatar" aria-label={t("nav.account", { name })}>
        <Avatar name={name} url={me?.avatarUrl} bare />
      </Menu.Trigger>
      <Menu.Portal>
        <Menu.Positioner sideOffset={8} align="end" className="above-all">
          <Menu.Popup className="menu">
            <div className="menu-head">
              <p className="name">{me?.name || name}</p>
              <p className="soft small">{me?.email}</p>
            </div>
            {me?.organizations.map((one) => (
              <Menu.Item
                key={one.name}
                className="menu-item"
                onClick={() => navigate({ to: "/$organization", params: { organization: one.name } })}
              >
                <Building2 aria-hidden />
                {one.name}
              </Menu.Item>
            ))}
            <Menu.Item className="menu-item" onClick={() => navigate({ to: "/settings" })}>
              <Settings aria-hidden />
              {t("settings.label")}
            </Menu.Item>
            <Menu.Item className="menu-item" onClick={() => navigate({ to: "/settings/tokens" })}>
              <KeyRound aria-hidden />
              {t("settings.tokens")}
            </Menu.Item>
            <Menu.Item
              className="menu-item"
              onClick={() =>
                signOut().then((elsewhere) => (elsewhere ? location.assign(elsewhere) : navigate({ to: "/" })))
              }
            >
              <LogOut aria-hidden />
              {t("signOut")}
            </Menu.Item>
          </Menu.Popup>
        </Menu.Positioner>
      </Menu.Portal>
    </Menu.Root>
  );
}

/** Ends the session, and says where the one at its auth provider is ended. */
async function signOut(): Promise<string | null | undefined> {
  // also where the server cannot be reached, nobody is left signed in here
  const answer = await api.POST("/api/auth/signout").catch(() => undefined);
  signingOut = true;
  forget();
  return answer?.data?.data.providerUrl;
}

/** What the server tells, once somebody is signed in; not a part of the first page. */
function useEvents() {
  const isSignedIn = !!useSession();
  useEffect(() => {
    if (isSignedIn) import("./api/told.ts").then(({ begin }) => begin());
  }, [isSignedIn]);
}

/** Set while the end of the session is what somebody asked for. */
let signingOut = false;

/** Says so when a session ends that nobody ended here, and forgets what was read in it. */
function useSessionEnd() {
  const { t } = useTranslation();
  const before = useRef(session()?.username);
  useEffect(
    () =>
      subscribe(() => {
        const now = session()?.username;
        if (now === before.current) return;
        const ended = before.current && !now && !signingOut;
        before.current = now;
        signingOut = false;
        queryClient.resetQueries();
        if (ended) toast(t("signIn.ended"), "warn");
      }),
    [t],
  );
}

/** A new page begins at its content for keyboards and screen readers, as a page that was loaded does. */
function useFocusOnNavigation() {
  const path = useRouterState({ select: (state) => state.resolvedLocation?.pathname });
  const last = useRef(path);
  useEffect(() => {
    if (last.current !== undefined && last.current !== path) document.getElementById("main")?.focus();
    last.current = path;
  }, [path]);
}

function Foot() {
  const { t } = useTranslation();
  const info = useQuery(versionInfo).data;
  return (
    <footer className="foot">
      <div className="wrap">
        <span>BoxVault {info?.version}</span>
        <a href="/api-docs/">{t("foot.api")}</a>
        <a href="/health/ready">{t("foot.health")}</a>
        <div className="end">
          <label>
            <span className="unseen">{t("foot.theme")}</span>
            <select
              className="input plain"
              defaultValue={theme()}
              onChange={(e) => chooseTheme(e.target.value as Theme)}
            >
              <option value="auto">{t("theme.auto")}</option>
              <option value="light">{t("theme.light")}</option>
              <option value="dark">{t("theme.dark")}</option>
            </select>
          </label>
          <label>
            <span className="unseen">{t("foot.language")}</span>
            <select
              className="input plain"
              defaultValue={language()}
              onChange={(event) => choose(event.target.value as Language)}
            >
              {Object.entries(LANGUAGES).map(([tag, name]) => (
                <option key={tag} value={tag}>
                  {name}
                </option>
              ))}
            </select>
          </label>
        </div>
      </div>
    </footer>
  );
}
