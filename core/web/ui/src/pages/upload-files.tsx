// Where files of a version are dropped, and those that are on their way.
import { useQuery } from "@tanstack/react-query";
import { FileUp, Trash2 } from "lucide-react";
import { useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import { api, whole } from "../api/client.ts";
import { asProblem, type Problem } from "../api/problem.ts";
import { type Artifact, refresh, refreshBox, type VersionPath } from "../api/queries.ts";
import { Dialog, filled } from "../ui/dialog.tsx";
import { bytes } from "../ui/format.ts";
import { Button, FormProblem, IconButton, Notice, ProblemNotice, TextField } from "../ui/parts.tsx";
import { guess } from "../uploads/guess.ts";
import { add, discard, findUnfinished, isIn, type Unfinished, useUploads } from "../uploads/manager.ts";
import { UploadRow } from "../uploads/row.tsx";
import { submit } from "./sign-in.tsx";

interface UploadFilesProps {
  path: VersionPath;
  artifacts: Artifact[];
}

export function UploadFiles({ path, artifacts }: UploadFilesProps) {
  const { t } = useTranslation();
  const [chosen, setChosen] = useState<File[]>([]);
  const [isOver, setOver] = useState(false);
  const input = useRef<HTMLInputElement>(null);
  const uploads = useUploads().filter(({ target }) => isIn(target, path));
  const take = (files: FileList | null) => setChosen((before) => [...before, ...(files ?? [])]);
  const [first] = chosen;
  return (
    <>
      {uploads.length > 0 && (
        <ul className="list" aria-label={t("upload.title")}>
          {uploads.map((upload) => (
            <li key={upload.id}>
              <UploadRow upload={upload} />
            </li>
          ))}
        </ul>
      )}
      <UnfinishedUploads path={path} running={uploads.length} />
      {/* biome-ignore lint/a11y/noStaticElementInteractions: the button in it does the same by keyboard */}
      <div
        className="drop"
        data-over={isOver || undefined}
        onDragOver={(event) => {
          event.preventDefault();
          setOver(true);
        }}
        onDragLeave={() => setOver(false)}
        onDrop={(event) => {
          event.preventDefault();
          setOver(false);
          take(event.dataTransfer.files);
        }}
      >
        <FileUp aria-hidden />
        <p>{t("upload.drop")}</p>
        <input
          ref={input}
          type="file"
          hidden
          multiple
          aria-label={t("upload.choose")}
          onChange={(event) => {
            take(event.target.files);
            event.target.value = "";
          }}
        />
        <Button onClick={() => input.current?.click()}>{t("upload.choose")}</Button>
        <p className="small">{t("upload.hint")}</p>
      </div>
      {first && (
        <PlaceDialog
          key={`${first.name}${chosen.length}`}
          path={path}
          file={first}
          artifacts={artifacts}
          onDone={() => setChosen((before) => before.slice(1))}
        />
      )}
    </>
  );
}

const VERSION = "/api/organization/{organization}/box/{box}/version/{version}";

/** Makes the place of a file, as far as it is not there yet. */
async function makePlace(path: VersionPath, provider: string, architecture: string, known: Artifact[]) {
  const same = known.filter((one) => one.provider === provider);
  if (same.length === 0) {
    await whole(api.POST(`${VERSION}/provider`, { params: { path }, body: { name: provider } })).catch(existsAlready);
  }
  if (!same.some((one) => one.architecture === architecture)) {
    const params = { path: { ...path, provider } };
    await whole(
      api.POST(`${VERSION}/provider/{provider}/architecture`, { params, body: { name: architecture } }),
    ).catch(existsAlready);
  }
}

function existsAlready(thrown: unknown): void {
  if (!asProblem(thrown).is("ALREADY_EXISTS")) throw thrown;
}

/** Asks what a file is for; its name often tells. */
function PlaceDialog({ path, file, artifacts, onDone }: UploadFilesProps & { file: File; onDone: () => void }) {
  const { t } = useTranslation();
  const [problem, setProblem] = useState<Problem>();
  const [busy, setBusy] = useState(false);
  const guessed = guess(file.name);
  const providers = new Set(artifacts.map(({ provider }) => provider));
  const begin = async (form: FormData) => {
    const provider = filled(form, "provider") ?? "";
    const architecture = filled(form, "architecture") ?? "";
    setBusy(true);
    try {
      await makePlace(path, provider, architecture, artifacts);
      add(file, { ...path, provider, architecture });
      onDone();
      await refreshBox(path);
    } catch (thrown) {
      setProblem(asProblem(thrown));
      setBusy(false);
    }
  };
  return (
    <Dialog open title={t("upload.place")} description={`${file.name} · ${bytes(file.size)}`} onClose={onDone}>
      <FormProblem value={problem}>
        <form className="stack" onSubmit={submit(begin)}>
          <TextField
            label={t("word.provider")}
            name="provider"
            list="known-providers"
            autoComplete="off"
            defaultValue={guessed.provider ?? [...providers][0] ?? "virtualbox"}
            required
          />
          <datalist id="known-providers">
            {["virtualbox", "libvirt", "vmware_desktop", "hyperv", "parallels", "qemu"].map((word) => (
              <option key={word} value={word} />
            ))}
          </datalist>
          <TextField
            label={t("word.architecture")}
            hint={t("upload.architectureHint")}
            name="architecture"
            list="known-architectures"
            autoComplete="off"
            defaultValue={guessed.architecture ?? "amd64"}
            required
          />
          <datalist id="known-architectures">
            {["amd64", "arm64", "i386", "unknown"].map((word) => (
              <option key={word} value={word} />
            ))}
          </datalist>
          <ProblemNotice problem={problem} />
          <div className="actions">
            <Button look="quiet" onClick={onDone}>
              {t("cancel")}
            </Button>
            <Button type="submit" look="main" busy={busy}>
              {t("upload.begin")}
            </Button>
          </div>
        </form>
      </FormProblem>
    </Dialog>
  );
}

/** Uploads that were going when the page was closed. */
function UnfinishedUploads({ path, running }: { path: VersionPath; running: number }) {
  const { t } = useTranslation();
  const unfinished = useQuery({
    queryKey: ["unfinished", path, running],
    queryFn: () => findUnfinished(path),
    staleTime: 0,
  });
  return unfinished.data?.map((one) => <UnfinishedUpload key={one.key} upload={one} label={t("upload.unfinished")} />);
}

function UnfinishedUpload({ upload, label }: { upload: Unfinished; label: string }) {
  const { t } = useTranslation();
  const input = useRef<HTMLInputElement>(null);
  const [isOther, setOther] = useState(false);
  const take = (file: File | undefined) => {
    if (!file) return;
    const isSame = file.name === upload.fileName && file.size === upload.size;
    setOther(!isSame);
    if (isSame) add(file, upload.target);
  };
  return (
    <Notice>
      <p>
        {label} <span className="name">{upload.fileName}</span> · {bytes(upload.size)} · {upload.target.provider}{" "}
        {upload.target.architecture}
      </p>
      <p className="soft small">{isOther ? t("upload.other") : t("upload.again")}</p>
      <div className="row">
        <input
          ref={input}
          type="file"
          hidden
          aria-label={t("upload.chooseAgain")}
          onChange={(event) => take(event.target.files?.[0])}
        />
        <Button size="small" onClick={() => input.current?.click()}>
          {t("upload.chooseAgain")}
        </Button>
        <IconButton
          size="small"
          look="quiet"
          icon={Trash2}
          label={t("upload.discard")}
          onClick={() => discard(upload).then(() => refresh(["unfinished"]))}
        />
      </div>
    </Notice>
  );
}
