import { useTranslation } from "react-i18next";
import type { Schemas } from "../api/types.ts";
import { Badge, type Tone } from "./parts.tsx";

const TONES: Record<Schemas["VersionStatus"], Tone> = { released: "good", unreleased: "plain", revoked: "bad" };

/** Whether clients see a version, and whether they should take it. */
export function VersionStatus({ version }: { version: Schemas["VersionView"] }) {
  const { t } = useTranslation();
  return (
    <>
      <Badge tone={TONES[version.status]}>{t(`status.${version.status}`)}</Badge>
      {version.deprecated && <Badge tone="warn">{t("status.deprecated")}</Badge>}
    </>
  );
}
