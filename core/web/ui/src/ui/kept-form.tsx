// A form over something that others change as well. What somebody is writing stays while events tell of changes, and a
// save is held to what its author has seen (`If-Match`): nothing of anybody is written over before somebody chose so.
import { useMutation } from "@tanstack/react-query";
import { type ReactNode, useState } from "react";
import { useTranslation } from "react-i18next";
import type { Tagged } from "../api/client.ts";
import { asProblem } from "../api/problem.ts";
import { Button, FormProblem, Notice, ProblemNotice } from "./parts.tsx";

/** What the request has to say. */
export interface Seen {
  "If-Match": string | undefined;
}

interface KeptFormProps<T extends Tagged, A extends { data: object }> {
  newest: T;
  /** What the form writes, by its label. Changes of anything else are nobody's conflict. */
  fields: { [K in keyof T]?: string };
  save: (form: FormData, seen: Seen) => Promise<A>;
  /** Asks the server what is there now; `newest` follows. */
  read: () => Promise<T>;
  /** Says that it is saved, and asks again for what that touched. */
  onSaved: (answer: A) => Promise<unknown>;
  children: (now: T) => ReactNode;
}

export function KeptForm<T extends Tagged, A extends { data: object }>({
  newest,
  fields,
  save,
  read,
  onSaved,
  children,
}: KeptFormProps<T, A>) {
  const { t } = useTranslation();
  // what the form began with, and what its author has seen since
  const [began, setBegan] = useState({ now: newest, round: 0 });
  const [seen, setSeen] = useState(newest);
  const [isTouched, setTouched] = useState(false);
  const labels = Object.entries(fields) as [keyof T & string, string][];
  const changed = (from: T, to: T) =>
    labels.filter(([name]) => !isSame(from[name], to[name])).map(([, label]) => label);
  const follow = () => {
    setBegan({ now: newest, round: began.round + 1 });
    setSeen(newest);
    setTouched(false);
  };
  const saving = useMutation({
    mutationFn: async (form: FormData) => {
      const send = ({ tag }: T) => save(form, { "If-Match": tag });
      try {
        return await send(seen);
      } catch (thrown) {
        if (!isPassed(thrown)) throw thrown;
        const there = await read();
        if (changed(seen, there).length > 0) throw thrown;
        return send(there);
      }
    },
    onSuccess: async (answer) => {
      const saved = { ...seen, ...answer.data };
      setBegan({ now: saved, round: began.round });
      setSeen(saved);
      await onSaved(answer);
      setTouched(false);
    },
  });
  const passed = saving.isPending ? [] : changed(seen, newest);
  if (passed.length > 0 && !isTouched) follow();
  // the same in all that is written here: only the tag is another one
  if (passed.length === 0 && !saving.isPending && seen.tag !== newest.tag) setSeen(newest);
  const isChosen = isTouched && !saving.isPending && changed(began.now, seen).length > 0;
  const problem = saving.error ? asProblem(saving.error) : undefined;
  const isRefused = isPassed(problem);
  return (
    <FormProblem value={problem}>
      <form
        key={began.round}
        className="card stack"
        onInput={() => setTouched(true)}
        onSubmit={(event) => {
          event.preventDefault();
          setTouched(true);
          saving.mutate(new FormData(event.currentTarget));
        }}
      >
        {children(began.now)}
        {isTouched && passed.length > 0 && (
          <Notice tone="warn" role={isRefused ? "alert" : "status"}>
            <p>{t(isRefused ? "kept.refused" : "kept.text", { fields: passed.join(", ") })}</p>
            <div className="row">
              <Button
                size="small"
                onClick={() => {
                  follow();
                  saving.reset();
                }}
              >
                {t("kept.take")}
              </Button>
              <Button
                size="small"
                onClick={() => {
                  setSeen(newest);
                  saving.reset();
                }}
              >
                {t("kept.keep")}
              </Button>
            </div>
          </Notice>
        )}
        {isChosen && passed.length === 0 && (
          <Notice role="status">
            <p>{t("kept.over")}</p>
          </Notice>
        )}
        {!(isRefused && passed.length > 0) && <ProblemNotice problem={problem} />}
        <div>
          <Button type="submit" look="main" busy={saving.isPending}>
            {t("save")}
          </Button>
        </div>
      </form>
    </FormProblem>
  );
}

const isPassed = (thrown: unknown) => !!thrown && asProblem(thrown).is("PRECONDITION_FAILED");

const isSame = (one: unknown, other: unknown) => JSON.stringify(one ?? "") === JSON.stringify(other ?? "");
