import { Link } from "@tanstack/react-router";
import { CopyCheck, Mail } from "lucide-react";
import { useTranslation } from "react-i18next";
import { useMay, useProfile } from "../api/queries.ts";
import { useSession } from "../api/session.ts";
import type { Schemas } from "../api/types.ts";
import { Avatar } from "../ui/avatar.tsx";
import { Badge, Notice } from "../ui/parts.tsx";
import { AskToJoin } from "./join.tsx";
import { Upstream } from "./upstream.tsx";

/** What an organization is, and the ways to what belongs to it. */
export function OrganizationHead({ organization }: { organization: Schemas["OrganizationView"] }) {
  const { t } = useTranslation();
  const current = useSession();
  const me = useProfile();
  const may = useMay({ organization: organization.name });
  const params = { organization: organization.name };
  return (
    <>
      <header className="head">
        <Avatar name={organization.name} look="square large" />
        <div className="grow stack tight">
          <div className="row">
            <h1>{organization.name}</h1>
            {organization.role && <Badge>{t(`role.${organization.role}`)}</Badge>}
            {organization.mirrorOf && (
              <Badge>
                <CopyCheck aria-hidden />
                {t("mirror.mark")}
              </Badge>
            )}
          </div>
          {organization.mirrorOf && (
            <p className="small soft">
              {t("mirror.of")} <Upstream url={organization.mirrorOf} />
            </p>
          )}
          {organization.description && <p className="soft">{organization.description}</p>}
          {organization.email && (
            <p className="small">
              <a href={`mailto:${organization.email}`} className="row">
                <Mail aria-hidden size={14} />
                {organization.email}
              </a>
            </p>
          )}
        </div>
        {current && me && !organization.role && organization.accessMode === "request_to_join" && (
          <AskToJoin organization={organization} />
        )}
      </header>
      {organization.suspended && (
        <Notice tone="warn">
          <p>{t("organization.suspended")}</p>
          {organization.suspendedReason && <p className="soft">{organization.suspendedReason}</p>}
        </Notice>
      )}
      {may("member", "read") && (
        <nav className="tabs" aria-label={organization.name}>
          <Link to="/$organization" params={params} activeOptions={{ exact: true, includeSearch: false }}>
            {t("organization.boxes")}
          </Link>
          <Link to="/organizations/$organization/members" params={params}>
            {t("organization.members")}
          </Link>
          {may("service", "read") && (
            <Link to="/organizations/$organization/service-accounts" params={params}>
              {t("organization.services")}
            </Link>
          )}
          {may("storage", "read") && (
            <Link to="/organizations/$organization/usage" params={params}>
              {t("organization.usage")}
            </Link>
          )}
          {may("audit", "read") && (
            <Link to="/organizations/$organization/audit" params={params}>
              {t("audit.title")}
            </Link>
          )}
          {may("rules", "read") && (
            <Link to="/organizations/$organization/rules" params={params}>
              {t("rules.title")}
            </Link>
          )}
          <Link to="/organizations/$organization/settings" params={params}>
            {t("organization.settings")}
          </Link>
        </nav>
      )}
    </>
  );
}
