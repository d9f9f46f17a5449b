// Moves of files from store to store: begun, followed while they run, and ended.
import { useMutation, useQuery } from "@tanstack/react-query";
import type { TFunction } from "i18next";
import { ArrowRight, ArrowRightLeft } from "lucide-react";
import { useEffect, useState } from "react";
import { useTranslation } from "react-i18next";
import { act } from "../api/act.ts";
import { api, ok, whole } from "../api/client.ts";
import { asProblem } from "../api/problem.ts";
import { refresh, useMay } from "../api/queries.ts";
import type { Schemas } from "../api/types.ts";
import { FormDialog, filled } from "../ui/dialog.tsx";
import { bytes, GIB, MIB, span } from "../ui/format.ts";
import { Pager } from "../ui/pager.tsx";
import {
  Badge,
  Bones,
  Button,
  Empty,
  Notice,
  ProblemNotice,
  Select,
  sentence,
  TextField,
  type Tone,
} from "../ui/parts.tsx";
import { Ago } from "../ui/time.tsx";

/** How often is asked while a move goes on, and while none does. */
const RUNNING_MS = 1_500;
const IDLE_MS = 15_000;
/** How many moves stand on one page. */
const SHOWN = 10;

type Move = Schemas["StoreMoveView"];

const TONES: Record<Schemas["StoreMoveState"], Tone> = {
  waiting: "plain",
  running: "warn",
  done: "good",
  failed: "bad",
  canceled: "plain",
};

const isOpen = ({ state }: Move) => state === "waiting" || state === "running";

function useMoves(page: number, enabled = true) {
  return useQuery({
    queryKey: ["moves", page],
    queryFn: () => whole(api.GET("/api/storage/moves", { params: { query: { page, per_page: SHOWN } } })),
    refetchInterval: ({ state }) => (state.data?.data.some(isOpen) ? RUNNING_MS : IDLE_MS),
    enabled,
  });
}

/** All moves, newest first, and the way to begin one. */
export function StoreMoves({ stores }: { stores: Schemas["StoreView"][] }) {
  const { t } = useTranslation();
  const [page, setPage] = useState(1);
  const moves = useMoves(page);
  const moved = moves.data?.data.reduce((sum, move) => sum + move.moved.files, 0);
  useEffect(() => {
    // what the stores hold is another thing now
    if (moved) refresh(["stores"]);
  }, [moved]);
  const mayMove = useMay({})("storage", "update");
  const targets = stores.filter(({ plugin }) => plugin);
  const canMove = targets.length > 1 || (targets.length === 1 && stores.length > 1);
  return (
    <section className="stack">
      <div className="row between">
        <h2>{t("moves.title")}</h2>
        {mayMove && canMove && <BeginMove stores={stores} targets={targets} />}
      </div>
      <ProblemNotice problem={moves.error && asProblem(moves.error)} />
      {!moves.data && !moves.error && <Bones lines={2} />}
      {moves.data?.data.length === 0 && (
        <Empty icon={ArrowRightLeft} title={t("moves.none")}>
          <p>{t(canMove ? "moves.noneText" : "moves.oneStoreText")}</p>
        </Empty>
      )}
      {moves.data && moves.data.data.length > 0 && <MoveList moves={moves.data.data} mayEnd={mayMove} />}
      <Pager page={moves.data?.page} onPage={setPage} />
    </section>
  );
}

/** Those that go on now, for whoever may see them; nothing where there are none. */
export function OpenMoves() {
  const { t } = useTranslation();
  const may = useMay({});
  const moves = useMoves(1, may("storage", "read")).data?.data.filter(isOpen) ?? [];
  if (moves.length === 0) return null;
  return (
    <section className="stack">
      <h2>{t("moves.title")}</h2>
      <MoveList moves={moves} mayEnd={may("storage", "update")} />
    </section>
  );
}

function MoveList({ moves, mayEnd }: { moves: Move[]; mayEnd: boolean }) {
  return (
    <ul className="list">
      {moves.map((move) => (
        <li key={move.id} className="stack tight">
          <MoveRow move={move} mayEnd={mayEnd} />
        </li>
      ))}
    </ul>
  );
}

function MoveRow({ move, mayEnd }: { move: Move; mayEnd: boolean }) {
  const { t } = useTranslation();
  const { from, to, state, total, moved } = move;
  const name = t("moves.fromTo", { from, to });
  const percent = share(move);
  const when = move.endedAt ?? move.startedAt ?? move.createdAt;
  return (
    <>
      <div className="row between">
        <span className="row">
          <span className="name mono row" role="img" aria-label={name}>
            {from} <ArrowRight aria-hidden size={14} /> {to}
          </span>
          <Badge tone={TONES[state]}>{t(`moves.${state}`)}</Badge>
        </span>
        <span className="row">
          <span className="soft small">
            <Ago at={when} />
          </span>
          {mayEnd && isOpen(move) && (
            <FormDialog
              trigger={(open) => (
                <Button size="small" onClick={open}>
                  {t("moves.end")}
                </Button>
              )}
              danger
              title={t("moves.endOf", { from, to })}
              description={t("moves.endText")}
              submit={t("moves.end")}
              onSubmit={() =>
                act(whole(api.DELETE("/api/storage/moves/{id}", { params: { path: { id: move.id } } })), ["moves"])
              }
            />
          )}
        </span>
      </div>
      <p className="soft small">{meant(move, t)}</p>
      {state !== "waiting" && (
        <div
          className="progress"
          role="progressbar"
          aria-label={name}
          aria-valuenow={percent}
          aria-valuemin={0}
          aria-valuemax={100}
        >
          <div style={{ width: `${percent}%` }} />
        </div>
      )}
      <p className="soft small number row between">
        <span>
          {t("moves.amount", { moved: moved.files, count: total.files })} · {bytes(moved.bytes)} / {bytes(total.bytes)}
        </span>
        {state === "running" && (
          <span>
            {bytes(move.speedBytesPerSecond)}/s
            {move.secondsLeft != null && <> · {t("upload.left", { time: span(move.secondsLeft) })}</>}
          </span>
        )}
      </p>
      {move.problem && (
        <Notice tone={state === "failed" ? "bad" : "warn"}>
          <p className="small">{sentence(move.problem)}</p>
        </Notice>
      )}
    </>
  );
}

/** How far it is, of a hundred; whatever is in the middle of being copied counts. */
function share({ state, total, moved, copiedBytes }: Move): number {
  if (state === "done") return 100;
  const reached = Math.max(moved.bytes, Math.min(copiedBytes, total.bytes));
  return total.bytes === 0 ? 0 : Math.min(100, Math.floor((100 * reached) / total.bytes));
}

/** Which files it is about, and how fast they may go. */
function meant(move: Move, t: TFunction): string {
  const { organization, box, largerThan, bytesPerSecond } = move;
  const which = organization ? [organization, box].filter(Boolean).join("/") : t("moves.everything");
  return [
    which,
    largerThan != null && t("placement.largerThan", { size: bytes(largerThan) }),
    bytesPerSecond != null && t("moves.atMost", { speed: bytes(bytesPerSecond) }),
    t("moves.atOnce", { count: move.concurrency }),
  ]
    .filter(Boolean)
    .join(" · ");
}

function BeginMove({ stores, targets }: { stores: Schemas["StoreView"][]; targets: Schemas["StoreView"][] }) {
  const { t } = useTranslation();
  const [from, setFrom] = useState(stores.find(({ isDefault }) => isDefault)?.name ?? stores[0]?.name ?? "");
  const begin = (form: FormData) =>
    act(whole(api.POST("/api/storage/moves", { body: wish(form) })), ["moves"], ["jobs"]);
  return (
    <FormDialog
      trigger={(open) => (
        <Button look="main" onClick={open}>
          <ArrowRightLeft aria-hidden />
          {t("moves.begin")}
        </Button>
      )}
      title={t("moves.begin")}
      description={t("moves.beginText")}
      submit={t("moves.begin")}
      onSubmit={begin}
    >
      <div className="filters">
        <Select label={t("moves.from")} name="from" value={from} onChange={(event) => setFrom(event.target.value)}>
          {stores.map(({ name }) => (
            <option key={name}>{name}</option>
          ))}
        </Select>
        <Select label={t("moves.to")} name="to">
          {targets
            .filter(({ name }) => name !== from)
            .map(({ name }) => (
              <option key={name}>{name}</option>
            ))}
        </Select>
        <TextField label={t("word.organization")} hint={t("moves.allHint")} name="organization" autoComplete="off" />
        <TextField label={t("word.box")} hint={t("moves.allHint")} name="box" autoComplete="off" />
        <TextField label={t("moves.largerThan")} name="largerThan" type="number" min={0} step="any" />
        <TextField label={t("moves.speed")} name="bytesPerSecond" type="number" min={1} step="any" />
        <TextField label={t("moves.concurrency")} name="concurrency" type="number" min={1} max={64} defaultValue={4} />
      </div>
      <Plan />
    </FormDialog>
  );
}

/** Says what would move, before it does. */
function Plan() {
  const { t } = useTranslation();
  const plan = useMutation({
    mutationFn: (form: FormData) => ok(api.POST("/api/storage/plan", { body: wish(form) })),
  });
  return (
    <div className="stack tight">
      <div>
        <Button
          size="small"
          busy={plan.isPending}
          onClick={({ currentTarget: { form } }) => form && plan.mutate(new FormData(form))}
        >
          {t("moves.plan")}
        </Button>
      </div>
      <div role="status">
        {plan.data && (
          <p className="small">
            {plan.data.files === 0
              ? t("moves.nothing")
              : t("moves.would", { count: plan.data.files, size: bytes(plan.data.bytes) })}
          </p>
        )}
      </div>
      <ProblemNotice problem={plan.error && asProblem(plan.error)} />
    </div>
  );
}

function wish(form: FormData): Schemas["StartMoveParams"] {
  const number = (name: string, unit: number) => {
    const value = filled(form, name);
    return value === undefined ? null : Math.round(Number(value) * unit);
  };
  return {
    from: filled(form, "from") ?? "",
    to: filled(form, "to") ?? "",
    organization: filled(form, "organization") ?? null,
    box: filled(form, "box") ?? null,
    largerThan: number("largerThan", GIB),
    bytesPerSecond: number("bytesPerSecond", MIB),
    concurrency: number("concurrency", 1),
  };
}
