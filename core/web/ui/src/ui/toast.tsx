// Short notes on what was done, which go away by themselves.
import { X } from "lucide-react";
import { useSyncExternalStore } from "react";
import { useTranslation } from "react-i18next";
import { IconButton, Notice, sentence, type Tone } from "./parts.tsx";

interface Toast {
  id: number;
  tone: Tone;
  text: string;
}

/** Long enough to be read twice. */
const SHOWN_MS = 7_000;
/** More would cover what somebody works at on a phone. */
const SHOWN_MAX = 3;

let toasts: Toast[] = [];
let last = 0;
const listeners = new Set<() => void>();

export function toast(text: string, tone: Tone = "good"): void {
  last += 1;
  const id = last;
  const all = [...toasts, { id, tone, text: sentence(text) }];
  // what went wrong outlasts what went well
  const spare = all.find((one) => one.tone !== "bad" && one.id !== id) ?? all[0];
  change(all.length > SHOWN_MAX ? all.filter((one) => one !== spare) : all);
  setTimeout(() => drop(id), SHOWN_MS);
}

function drop(id: number): void {
  change(toasts.filter((one) => one.id !== id));
}

function change(next: Toast[]): void {
  toasts = next;
  for (const listener of listeners) listener();
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export function Toasts() {
  const { t } = useTranslation();
  const shown = useSyncExternalStore(subscribe, () => toasts);
  return (
    <div className="toasts" role="status" aria-live="polite">
      {shown.map((one) => (
        <Notice key={one.id} tone={one.tone}>
          <div className="row between nowrap-row">
            <p>{one.text}</p>
            <IconButton look="quiet" size="small" icon={X} label={t("close")} onClick={() => drop(one.id)} />
          </div>
        </Notice>
      ))}
    </div>
  );
}
