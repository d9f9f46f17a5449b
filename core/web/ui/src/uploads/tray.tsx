import { Link, useRouterState } from "@tanstack/react-router";
import { useTranslation } from "react-i18next";
import { useUploads } from "./manager.ts";
import { UploadRow } from "./row.tsx";

/** Uploads that run while somebody is on another page than theirs. */
export function UploadTray() {
  const { t } = useTranslation();
  const uploads = useUploads();
  const here = useRouterState({ select: (state) => decodeURIComponent(state.location.pathname) });
  const elsewhere = uploads.filter(
    ({ target: { organization, box, version } }) => here !== `/${organization}/${box}/versions/${version}`,
  );
  if (elsewhere.length === 0) return null;
  return (
    <aside className="tray card stack" aria-label={t("upload.title")}>
      {elsewhere.map((upload) => (
        <div key={upload.id} className="stack tight">
          <Link to="/$organization/$box/versions/$version" params={upload.target} className="small">
            {upload.target.organization}/{upload.target.box} {upload.target.version}
          </Link>
          <UploadRow upload={upload} />
        </div>
      ))}
    </aside>
  );
}
