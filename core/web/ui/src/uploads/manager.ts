// Uploads that go on while somebody looks at other pages, and can be continued after the page was closed.
//
// The server keeps what has arrived; this browser keeps where. A file itself cannot be kept: after the page was loaded
// anew it has to be chosen again, and goes on where it stood.
import { useSyncExternalStore } from "react";
import type { DetailedError, PreviousUpload, Upload as TusUpload } from "tus-js-client";
import { accessToken } from "../api/client.ts";
import { asProblem, Problem } from "../api/problem.ts";
import { refreshBox, type VersionPath } from "../api/queries.ts";
import { language } from "../i18n.ts";
import { Speed } from "./speed.ts";

export interface Target extends VersionPath {
  provider: string;
  architecture: string;
}

export interface Upload {
  id: number;
  target: Target;
  fileName: string;
  size: number;
  offset: number;
  bytesPerSecond: number;
  state: "waiting" | "running" | "paused" | "checking" | "done" | "failed";
  problem: Problem | undefined;
}

export interface Unfinished {
  key: string;
  url: string;
  target: Target;
  fileName: string;
  size: number;
}

/** One request carries so much: an access token outlives it, and a lost connection costs no more. */
const CHUNK_BYTES = 16 * 1024 * 1024;
const RETRY_DELAYS_MS = [0, 1_000, 3_000, 5_000, 10_000, 20_000, 30_000];
/** More at once only share the same line. */
const RUNNING_MAX = 2;

interface Job {
  file: File;
  tus: TusUpload | undefined;
}

let uploads: Upload[] = [];
let last = 0;
const jobs = new Map<number, Job>();
const listeners = new Set<() => void>();

export function useUploads(): Upload[] {
  return useSyncExternalStore(subscribe, () => uploads);
}

/** Takes a file for a place in a version; it goes as soon as its turn comes. */
export function add(file: File, target: Target): void {
  last += 1;
  jobs.set(last, { file, tus: undefined });
  const upload: Upload = {
    id: last,
    target,
    fileName: file.name,
    size: file.size,
    offset: 0,
    bytesPerSecond: 0,
    state: "waiting",
    problem: undefined,
  };
  change([...uploads, upload]);
  next();
}

export function pause(id: number): void {
  set(id, { state: "paused", bytesPerSecond: 0 });
  jobs.get(id)?.tus?.abort();
  next();
}

/** Goes on, also after a failure. */
export function resume(id: number): void {
  set(id, { state: "waiting", problem: undefined });
  next();
}

/** Ends an upload, here and on the server, or takes one that has ended off the list. */
export function remove(id: number): void {
  const upload = uploads.find((one) => one.id === id);
  if (upload?.state !== "done")
    jobs
      .get(id)
      ?.tus?.abort(true)
      .catch(() => undefined);
  jobs.delete(id);
  change(uploads.filter((one) => one.id !== id));
  next();
}

/** Uploads into a version that this browser began and that are in no list of its pages. */
export async function findUnfinished(path: VersionPath): Promise<Unfinished[]> {
  const { defaultOptions } = await import("tus-js-client");
  const begun = (await defaultOptions.urlStorage?.findAllUploads()) ?? [];
  const running = new Set([...jobs.values()].map(({ tus }) => tus?.url));
  return begun.flatMap((one) => {
    const target = targetOf(one.uploadUrl);
    if (!one.uploadUrl || !target || !isIn(target, path) || running.has(one.uploadUrl)) return [];
    return [
      {
        key: one.urlStorageKey,
        url: one.uploadUrl,
        target,
        fileName: one.metadata.filename ?? "",
        size: one.size ?? 0,
      },
    ];
  });
}

/** Gives up an upload that was not finished. */
export async function discard({ key, url }: Unfinished): Promise<void> {
  const { defaultOptions, Upload: Tus } = await import("tus-js-client");
  const token = await accessToken();
  // also where the server has forgotten it by itself
  await Tus.terminate(url, { headers: token ? { authorization: `Bearer ${token}` } : {} }).catch(() => undefined);
  await defaultOptions.urlStorage?.removeUpload(key);
}

function next(): void {
  const running = uploads.filter(({ state }) => state === "running" || state === "checking").length;
  const waiting = uploads.filter(({ state }) => state === "waiting").slice(0, RUNNING_MAX - running);
  for (const { id } of waiting) {
    set(id, { state: "running" });
    run(id).catch((thrown) => set(id, { state: "failed", problem: asProblem(thrown) }));
  }
}

async function run(id: number): Promise<void> {
  const job = jobs.get(id);
  const upload = uploads.find((one) => one.id === id);
  if (!job || !upload) return;
  job.tus ??= await begin(job.file, upload);
  // it may have been paused while this was on its way
  if (uploads.find((one) => one.id === id)?.state === "running") job.tus.start();
}

async function begin(file: File, { id, target }: Upload): Promise<TusUpload> {
  const { defaultOptions, Upload: Tus } = await import("tus-js-client");
  const endpoint = `${location.origin}${filePath(target)}/uploads`;
  const speed = new Speed(0, performance.now());
  const tus = new Tus(file, {
    endpoint,
    chunkSize: CHUNK_BYTES,
    retryDelays: RETRY_DELAYS_MS,
    metadata: { filename: file.name },
    fingerprint: async () => [endpoint, file.name, file.size, file.lastModified].join("|"),
    removeFingerprintOnSuccess: true,
    onBeforeRequest: async (request) => {
      const token = await accessToken();
      if (token) request.setHeader("authorization", `Bearer ${token}`);
      request.setHeader("accept-language", language());
    },
    onShouldRetry: (error, attempt, options) => {
      const status = error.originalResponse?.getStatus() ?? 0;
      return status === 429 || (defaultOptions.onShouldRetry?.(error, attempt, options) ?? isPassing(status));
    },
    onProgress: (offset) => {
      const bytesPerSecond = speed.note(offset, performance.now());
      // with the last byte the server has a file to look into
      set(id, { offset, bytesPerSecond, state: offset === file.size ? "checking" : "running" });
    },
    onError: (error) => {
      set(id, { state: "failed", bytesPerSecond: 0, problem: problemOf(error) });
      next();
    },
    onSuccess: () => {
      set(id, { state: "done", offset: file.size, bytesPerSecond: 0 });
      refreshBox(target);
      next();
    },
  });
  const [previous] = await tus.findPreviousUploads();
  if (previous) continueFrom(tus, previous);
  return tus;
}

function continueFrom(tus: TusUpload, previous: PreviousUpload): void {
  if (previous.uploadUrl) tus.resumeFromPreviousUpload(previous);
}

const isPassing = (status: number) => status === 0 || status === 409 || status === 423 || status >= 500;

function problemOf(error: Error | DetailedError): Problem {
  const reply = "originalResponse" in error ? error.originalResponse : undefined;
  if (!reply) return new Problem(0, undefined);
  try {
    return new Problem(reply.getStatus(), JSON.parse(reply.getBody() ?? ""));
  } catch {
    return new Problem(reply.getStatus(), undefined);
  }
}

export function filePath({ organization, box, version, provider, architecture }: Target): string {
  const parts = [organization, "box", box, "version", version, "provider", provider, "architecture", architecture];
  return `/api/organization/${parts.map(encodeURIComponent).join("/")}/file`;
}

/** What an upload is for, by its address. */
export function targetOf(url: string | null): Target | undefined {
  const parts =
    /\/api\/organization\/([^/]+)\/box\/([^/]+)\/version\/([^/]+)\/provider\/([^/]+)\/architecture\/([^/]+)\//
      .exec(url ?? "")
      ?.slice(1)
      .map(decodeURIComponent);
  if (!parts) return undefined;
  const [organization = "", box = "", version = "", provider = "", architecture = ""] = parts;
  return { organization, box, version, provider, architecture };
}

export function isIn(target: Target, path: VersionPath): boolean {
  return target.organization === path.organization && target.box === path.box && target.version === path.version;
}

function set(id: number, parts: Partial<Upload>): void {
  const held = uploads.find((one) => one.id === id);
  // a progress that comes late does not wake what was paused
  if (held?.state === "paused" && parts.state !== "waiting") return;
  change(uploads.map((one) => (one.id === id ? { ...one, ...parts } : one)));
}

function change(nextUploads: Upload[]): void {
  uploads = nextUploads;
  for (const listener of listeners) listener();
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

window.addEventListener("beforeunload", (event) => {
  if (uploads.some(({ state }) => state === "running")) event.preventDefault();
});
