// The frame of what looks after the whole server, with the ways to what the caller may see of it.
import { Link } from "@tanstack/react-router";
import type { ReactNode } from "react";
import { useTranslation } from "react-i18next";
import { useProfile } from "../api/queries.ts";
import { useTitle } from "../ui/title.ts";
import { useAdminPlaces } from "./admin-places.ts";
import { NotFound } from "./not-found.tsx";

export function AdminPage({ title, children }: { title: string; children: ReactNode }) {
  const { t } = useTranslation();
  const me = useProfile();
  const places = useAdminPlaces();
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
