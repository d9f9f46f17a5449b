import { Link } from "@tanstack/react-router";
import type { ReactNode } from "react";
import { useTranslation } from "react-i18next";
import { useTitle } from "../ui/title.ts";

const PLACES = [
  ["/settings", "profile"],
  ["/settings/security", "security"],
  ["/settings/tokens", "tokens"],
  ["/settings/watching", "watching"],
  ["/settings/preferences", "preferences"],
  ["/settings/data", "data"],
] as const;

/** The frame of what somebody sets for their own account. */
export function SettingsPage({ title, children }: { title: string; children: ReactNode }) {
  const { t } = useTranslation();
  useTitle(title);
  return (
    <div className="wrap with-side">
      <nav className="side-nav" aria-label={t("settings.label")}>
        {PLACES.map(([to, name]) => (
          <Link key={to} to={to} activeOptions={{ exact: true }}>
            {t(`settings.${name}`)}
          </Link>
        ))}
      </nav>
      <div className="stack loose middle">
        <h1>{title}</h1>
        {children}
      </div>
    </div>
  );
}
