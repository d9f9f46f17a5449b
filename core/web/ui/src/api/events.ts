// What the server tells while a page is open: one stream for all tabs of this browser, handed on by a channel.
//
// The tab that has the lock reads the stream, and tells the others; when it is closed, the next one goes on where it
// was. Over plain HTTP browsers have no such locks: there each tab reads while it is looked at, since a browser opens few
// connections to one server. `EventSource` cannot send a token, so the stream is read by hand.
import { accessToken } from "./client.ts";
import { queryClient } from "./queries.ts";
import { renew, session, subscribe } from "./session.ts";
import { type ServerEvent, touches } from "./touches.ts";
import type { Schemas } from "./types.ts";

const PATH = "/api/events";
const NAME = "boxvault.events";
/** How long events are collected before what they touch is read anew: an upload comes with several. */
const COLLECTED_MS = 250;
/** The pauses after failures, longer and longer. */
const PAUSES_MS = [1_000, 2_000, 5_000, 15_000, 30_000];
/** How often is asked where there is no stream to be had. */
const ASKED_MS = 30_000;
/** Longer than the server is silent. */
const SILENCE_MS = 40_000;

let lastId: string | undefined;
/** Whether what was read may be old by the time that the next stream begins. */
let isLate = false;
let gathered: ServerEvent[] = [];
const channel = new BroadcastChannel(NAME);
const listeners = new Set<(event: ServerEvent) => void>();

/** Listens for as long as somebody is signed in. To be called once. */
export function start(): void {
  let running: AbortController | undefined;
  const follow = () => {
    const isOn = !!session() && (!!navigator.locks || document.visibilityState === "visible");
    if (isOn && !running) {
      running = new AbortController();
      listen(running.signal);
    } else if (!isOn && running) {
      running.abort();
      running = undefined;
      if (!session()) lastId = undefined;
    }
  };
  channel.onmessage = ({ data }: MessageEvent<ServerEvent>) => take(data);
  subscribe(follow);
  if (!navigator.locks) document.addEventListener("visibilitychange", follow);
  follow();
}

/** Calls back for each event. */
export function onEvent(listener: (event: ServerEvent) => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

async function listen(signal: AbortSignal): Promise<void> {
  try {
    if (!navigator.locks) return await read(signal);
    const { held } = await navigator.locks.query();
    const isElsewhere = held?.some(({ name }) => name === NAME);
    await navigator.locks.request(NAME, { signal }, async () => {
      // between the stream of the tab that went and this one, with nothing to go on from, something may have been missed
      isLate = !!isElsewhere && !lastId;
      await read(signal);
    });
  } catch {
    // ended while it waited for its turn
  }
}

async function read(signal: AbortSignal): Promise<void> {
  let failures = 0;
  while (!signal.aborted) {
    const outcome = await stream(signal).catch(() => "failed" as const);
    if (signal.aborted) return;
    if (outcome === "refused") await askOnce(signal).catch(() => undefined);
    failures = outcome === "ended" ? 0 : failures + 1;
    const pause = PAUSES_MS[Math.min(failures, PAUSES_MS.length) - 1];
    await wait(outcome === "refused" ? ASKED_MS : (pause ?? 0), signal);
  }
}

/** Reads one stream to its end. */
async function stream(signal: AbortSignal): Promise<"ended" | "refused" | "failed"> {
  const token = await accessToken();
  if (!token) return "failed";
  const silent = new AbortController();
  let alarm = setTimeout(() => silent.abort(), SILENCE_MS);
  try {
    const reply = await ask(token, "text/event-stream", AbortSignal.any([signal, silent.signal]));
    if (reply.status === 503) return "refused";
    if (reply.status === 401) await renew(token);
    if (!reply.ok || !reply.body) return "failed";
    if (isLate) queryClient.invalidateQueries();
    isLate = false;
    const reader = reply.body.pipeThrough(new TextDecoderStream()).getReader();
    let text = "";
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return "ended";
      clearTimeout(alarm);
      alarm = setTimeout(() => silent.abort(), SILENCE_MS);
      const blocks = (text + value).split("\n\n");
      text = blocks.pop() ?? "";
      for (const block of blocks) await heard(block, token);
    }
  } finally {
    clearTimeout(alarm);
  }
}

function ask(token: string, accept: string, signal: AbortSignal): Promise<Response> {
  const headers: Record<string, string> = { accept, authorization: `Bearer ${token}` };
  if (lastId) headers["last-event-id"] = lastId;
  return fetch(PATH, { headers, signal, cache: "no-store" });
}

async function askOnce(signal: AbortSignal): Promise<void> {
  const token = await accessToken();
  if (!token) return;
  const reply = await ask(token, "application/json", signal);
  if (reply.status === 401) await renew(token);
  if (!reply.ok) return;
  const { data } = (await reply.json()) as { data: Schemas["EventsView"] };
  for (const event of data.events) tell(event);
  lastId = data.lastEventId;
}

async function heard(block: string, token: string): Promise<void> {
  const lines = block.split("\n");
  const field = (name: string) => lines.find((line) => line.startsWith(`${name}: `))?.slice(name.length + 2);
  lastId = field("id") ?? lastId;
  const data = field("data");
  if (!data) return;
  const event: ServerEvent = JSON.parse(data);
  // the token is good no more: there is another one, or the session is over in every tab
  if (event.kind === "end") await renew(token);
  else tell(event);
}

function tell(event: ServerEvent): void {
  channel.postMessage(event);
  take(event);
}

function take(event: ServerEvent): void {
  lastId = event.id;
  gathered.push(event);
  if (gathered.length === 1) setTimeout(apply, COLLECTED_MS);
}

function apply(): void {
  const events = gathered;
  gathered = [];
  for (const event of events) for (const listener of listeners) listener(event);
  queryClient.invalidateQueries({ predicate: ({ queryKey }) => events.some((event) => touches(event, queryKey)) });
}

function wait(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      resolve();
    });
  });
}
