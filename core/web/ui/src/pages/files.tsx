// The files of a version, by provider and architecture.
import { useMutation } from "@tanstack/react-query";
import { Download, ShieldCheck, Star, Trash2 } from "lucide-react";
import { useTranslation } from "react-i18next";
import { api, whole } from "../api/client.ts";
import { asProblem } from "../api/problem.ts";
import { type Artifact, refreshBox, useMay, type VersionPath } from "../api/queries.ts";
import { tellOfCheck } from "../api/told.ts";
import { FormDialog } from "../ui/dialog.tsx";
import { bytes, count } from "../ui/format.ts";
import { Badge, IconButton } from "../ui/parts.tsx";
import { CopyButton } from "../ui/snippet.tsx";
import { toast } from "../ui/toast.tsx";

const PROVIDER = "/api/organization/{organization}/box/{box}/version/{version}/provider/{provider}";
const ARCHITECTURE = `${PROVIDER}/architecture/{architecture}` as const;

interface FilesProps {
  path: VersionPath;
  artifacts: Artifact[];
  mayChange: boolean;
  isReleased: boolean;
  /** Files that are not here come from another registry when somebody fetches them. */
  isMirrored: boolean;
}

export function Files({ artifacts, ...rest }: FilesProps) {
  const { t } = useTranslation();
  return (
    <div className="table-wrap">
      <table className="table folds">
        <thead>
          <tr>
            <th>{t("word.provider")}</th>
            <th>{t("file.size")}</th>
            <th>{t("file.checksum")}</th>
            <th className="end">{t("box.downloads")}</th>
            <th className="end" aria-label={t("actions")} />
          </tr>
        </thead>
        <tbody>
          {artifacts.map((one) => (
            <Row key={`${one.provider}/${one.architecture}`} artifact={one} {...rest} />
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Row({
  path,
  artifact,
  mayChange,
  isReleased,
  isMirrored,
}: Omit<FilesProps, "artifacts"> & { artifact: Artifact }) {
  const { t } = useTranslation();
  const may = useMay(path);
  const { provider, architecture, file } = artifact;
  return (
    <tr>
      <td>
        <span className="row">
          <span className="name">{provider}</span>
          <span className="soft">{architecture}</span>
          {artifact.defaultBox && <Badge>{t("file.default")}</Badge>}
        </span>
      </td>
      <td data-label={t("file.size")} className="number nowrap">
        {file ? bytes(file.fileSize) : <span className="soft">{t(isMirrored ? "mirror.notYet" : "file.none")}</span>}
      </td>
      <td data-label={t("file.checksum")}>
        {file && (
          <span className="row nowrap-row">
            <code className="nowrap" title={`${file.checksumType} ${file.checksum}`}>
              {file.checksum.slice(0, 12)}…
            </code>
            <CopyButton text={file.checksum} label={t("file.copyChecksum", { type: file.checksumType })} />
          </span>
        )}
      </td>
      <td data-label={t("box.downloads")} className="end number">
        {file ? count(file.downloadCount) : ""}
      </td>
      <td className="end">
        <span className="row nowrap-row">
          {(file || isMirrored) && isReleased && (
            <a
              className="button icon small quiet"
              href={`/${path.organization}/boxes/${path.box}/versions/${path.version}/providers/${provider}/${architecture}/vagrant.box`}
              aria-label={t("file.download", { name: `${provider} ${architecture}` })}
              title={t("file.download", { name: `${provider} ${architecture}` })}
              download
            >
              <Download aria-hidden />
            </a>
          )}
          {file && may("file", "verify") && <Verify path={path} artifact={artifact} />}
          {mayChange && !artifact.defaultBox && <MakeDefault path={path} artifact={artifact} />}
          {mayChange && <Remove path={path} artifact={artifact} />}
        </span>
      </td>
    </tr>
  );
}

/** Has the stored bytes read again; what is found is told when it is there. */
function Verify({ path, artifact: { provider, architecture } }: { path: VersionPath; artifact: Artifact }) {
  const { t } = useTranslation();
  const at = { ...path, provider, architecture };
  const verify = useMutation({
    mutationFn: () => {
      tellOfCheck(at);
      return whole(api.POST(`${ARCHITECTURE}/file/verify`, { params: { path: at } }));
    },
    onSuccess: ({ message }) => toast(message),
    onError: (error) => toast(asProblem(error).message, "bad"),
  });
  return (
    <IconButton
      size="small"
      look="quiet"
      icon={ShieldCheck}
      label={t("file.verify", { name: `${provider} ${architecture}` })}
      busy={verify.isPending}
      onClick={() => verify.mutate()}
    />
  );
}

function MakeDefault({ path, artifact }: { path: VersionPath; artifact: Artifact }) {
  const { t } = useTranslation();
  const params = { path: { ...path, provider: artifact.provider, architecture: artifact.architecture } };
  const make = useMutation({
    mutationFn: () => whole(api.PUT(ARCHITECTURE, { params, body: { defaultBox: true } })),
    onSuccess: ({ message }) => {
      toast(message);
      return refreshBox(path);
    },
    onError: (error) => toast(asProblem(error).message, "bad"),
  });
  return (
    <IconButton
      size="small"
      look="quiet"
      icon={Star}
      label={t("file.makeDefault", { name: artifact.architecture })}
      busy={make.isPending}
      onClick={() => make.mutate()}
    />
  );
}

function Remove({ path, artifact }: { path: VersionPath; artifact: Artifact }) {
  const { t } = useTranslation();
  const name = `${artifact.provider} ${artifact.architecture}`;
  const params = { path: { ...path, provider: artifact.provider, architecture: artifact.architecture } };
  const remove = async () => {
    toast((await whole(api.DELETE(ARCHITECTURE, { params }))).message);
    await refreshBox(path);
  };
  return (
    <FormDialog
      trigger={(open) => (
        <IconButton size="small" look="quiet" icon={Trash2} label={t("file.remove", { name })} onClick={open} />
      )}
      danger
      title={t("file.remove", { name })}
      description={t("file.removeText")}
      submit={t("delete")}
      onSubmit={remove}
    />
  );
}
