// What the server says of rules while somebody writes them.
import { useEffect, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import { asProblem, type Problem } from "../api/problem.ts";
import type { Schemas } from "../api/types.ts";
import type { Mark } from "../ui/code-editor.tsx";
import { Badge, Notice, sentence } from "../ui/parts.tsx";

/** Typing is over when nothing came for so long. */
const TYPED_MS = 350;

interface Checked {
  check: Schemas["PolicyCheckView"] | undefined;
  problem: Problem | undefined;
}

/** Asks a moment after typing has stopped. */
export function useCheck<T>(written: T, ask: (written: T) => Promise<Schemas["PolicyCheckView"]>): Checked {
  const [state, setState] = useState<Checked>({ check: undefined, problem: undefined });
  const latest = useRef(ask);
  latest.current = ask;
  useEffect(() => {
    let isStale = false;
    const timer = setTimeout(async () => {
      try {
        const check = await latest.current(written);
        if (!isStale) setState({ check, problem: undefined });
      } catch (thrown) {
        if (!isStale) setState({ check: undefined, problem: asProblem(thrown) });
      }
    }, TYPED_MS);
    return () => {
      isStale = true;
      clearTimeout(timer);
    };
  }, [written]);
  return state;
}

export type Finding = Schemas["PolicyProblemView"] & { severity: Mark["severity"] };

export function findingsOf(check: Schemas["PolicyCheckView"] | undefined): Finding[] {
  return [
    ...(check?.problems ?? []).map((one) => ({ ...one, severity: "error" as const })),
    ...(check?.warnings ?? []).map((one) => ({ ...one, severity: "warning" as const })),
  ];
}

export const marksOf = (found: Finding[], name: string): Mark[] => found.filter(({ file }) => file === name);

interface FindingsProps {
  found: Finding[];
  isValid: boolean | undefined;
  /** Where there are several files. */
  onFile?: (name: string) => void;
}

export function Findings({ found, isValid, onFile }: FindingsProps) {
  const { t } = useTranslation();
  if (isValid === undefined) return null;
  if (found.length === 0) return <Notice tone="good">{t("policy.valid")}</Notice>;
  return (
    <ul className="list" aria-label={t("policy.findings")} aria-live="polite">
      {found.map((one) => (
        <li key={`${one.file}:${one.line}:${one.column}:${one.message}`} className="stack tight">
          <div className="row">
            <Badge tone={one.severity === "error" ? "bad" : "warn"}>{t(`policy.${one.severity}`)}</Badge>
            {onFile ? (
              <button type="button" className="link mono small" onClick={() => onFile(one.file)}>
                {one.file}:{one.line}:{one.column}
              </button>
            ) : (
              <span className="mono small">
                {one.line}:{one.column}
              </span>
            )}
            <span>{sentence(one.message)}</span>
          </div>
          {one.hint && <p className="soft small">{sentence(one.hint)}</p>}
        </li>
      ))}
    </ul>
  );
}
