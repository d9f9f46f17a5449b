// What somebody is writing stays while others change what it is about: it comes from events, at any moment.
import { type ReactNode, useState } from "react";
import { useTranslation } from "react-i18next";
import { Button, Notice } from "./parts.tsx";

interface Kept<T> {
  /** What the form shows: the newest there is, or what there was when somebody began to write. */
  now: T;
  /** The form's `key`: it begins anew with each thing that it shows. */
  key: string;
  /** The form's `onInput`. */
  onInput: () => void;
  /** To be called when what was written is saved, so that the form follows again. */
  release: () => void;
  /** Says that there is something newer, where there is. */
  notice: ReactNode;
}

/** Holds a form to what it began with, from the first letter until it is saved. `version` tells one thing from the next. */
export function useKept<T>(newest: T, version: string): Kept<T> {
  const { t } = useTranslation();
  const [shown, setShown] = useState({ now: newest, version, round: 0 });
  const [isTouched, setTouched] = useState(false);
  const follow = () => setShown({ now: newest, version, round: shown.round + 1 });
  const isOld = shown.version !== version;
  if (isOld && !isTouched) follow();
  const take = () => {
    setTouched(false);
    follow();
  };
  return {
    now: shown.now,
    key: `${shown.round}`,
    onInput: () => setTouched(true),
    release: () => setTouched(false),
    notice: isOld && isTouched && (
      <Notice tone="warn" role="status">
        <p>{t("kept.text")}</p>
        <div>
          <Button size="small" onClick={take}>
            {t("kept.take")}
          </Button>
        </div>
      </Notice>
    ),
  };
}
