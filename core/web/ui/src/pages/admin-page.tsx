// The frame of what looks after the whole server, with the ways to what the caller may see of it.
import { Link } from "@tanstack/react-router";
import type { ReactNode } from "react";
import { useTranslation } from "react-i18next";
import { type May, useMay, useProfile } from "../api/queries.ts";
import { useTitle } from "../ui/title.ts";
import { NotFound } from "./not-found.tsx";

const PLACES = [
  ["/admin", "users", "user"],
  ["/admin/stores", "stores", "storage"],
  ["/admin/health", "health", "system"],
  ["/admin/jobs", "jobs", "system"],
  ["/admin/configuration", "configuration", "system"],
  ["/admin/organizations", "organizations", "user"],
  ["/admin/audit", "audit", "audit"],
  ["/policies", "policy", "policy"],
] as const;

/** Where the caller can go; nowhere until it is known what they may. */
export const adminPlaces = (may: May) => PLACES.filter(([, , kind]) => may(kind, "read"));

export function AdminPage({ title, children }: { title: string; children: ReactNode }) {
  const { t } = useTranslation();
  const me = useProfile();
  const places = adminPlaces(useMay({}));
  useTitle(title);
  if (me && !me.platformAdmin && places.length === 0) return <NotFound />;
  return (
    <div className="wrap with-side">
      <nav className="side-nav" aria-label={t("admin.label")}>
        {places.map(([to, name]) => (
          <Link key={to} to={to} activeOptions={{ exact: true }}>
            {t(`admin.${name}`)}
          </Link>
        ))}
      </nav>
      <div className="stack">
        <h1>{title}</h1>
        {children}
      </div>
    </div>
  );
}
