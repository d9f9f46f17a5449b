import { Pause, Play, X } from "lucide-react";
import { useTranslation } from "react-i18next";
import { bytes, span } from "../ui/format.ts";
import { IconButton, ProblemNotice } from "../ui/parts.tsx";
import { pause, remove, resume, type Upload } from "./manager.ts";

/** One upload: how far it is, how fast, how long it still takes, and what can be done with it. */
export function UploadRow({ upload }: { upload: Upload }) {
  const { t } = useTranslation();
  const { id, state, fileName, size, offset, bytesPerSecond, target } = upload;
  const percent = size === 0 ? 100 : Math.floor((100 * offset) / size);
  const isPaused = state === "paused" || state === "failed";
  const name = `${target.provider} · ${target.architecture}`;
  return (
    <div className="stack tight">
      <div className="row between">
        <div className="stack tight-lines">
          <span className="name">{fileName}</span>
          <span className="soft small">{name}</span>
        </div>
        <div className="row">
          {(state === "running" || state === "waiting") && (
            <IconButton icon={Pause} size="small" look="quiet" label={t("upload.pause")} onClick={() => pause(id)} />
          )}
          {isPaused && (
            <IconButton icon={Play} size="small" look="quiet" label={t("upload.resume")} onClick={() => resume(id)} />
          )}
          {state !== "checking" && (
            <IconButton
              icon={X}
              size="small"
              look="quiet"
              label={state === "done" ? t("close") : t("upload.cancel")}
              onClick={() => remove(id)}
            />
          )}
        </div>
      </div>
      <div
        className="progress"
        role="progressbar"
        aria-valuenow={percent}
        aria-valuemin={0}
        aria-valuemax={100}
        aria-label={fileName}
      >
        <div style={{ width: `${percent}%` }} />
      </div>
      <p className="soft small number row between">
        <span>{t(`upload.${state}`, { percent })}</span>
        {state !== "done" && (
          <span>
            {bytes(offset)} / {bytes(size)}
            {bytesPerSecond > 0 && (
              <>
                {" · "}
                {bytes(bytesPerSecond)}/s · {t("upload.left", { time: span((size - offset) / bytesPerSecond) })}
              </>
            )}
          </span>
        )}
      </p>
      <ProblemNotice problem={upload.problem} />
    </div>
  );
}
