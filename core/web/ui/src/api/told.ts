// What people are told of what happens: a new release of a box that they watch, what was found in a file that they had
// read again.
import { t } from "i18next";
import { sentence } from "../ui/parts.tsx";
import { toast } from "../ui/toast.tsx";
import { api, ok } from "./client.ts";
import { onEvent, start } from "./events.ts";
import { queryClient, type VersionPath, watches } from "./queries.ts";
import { session } from "./session.ts";
import type { ServerEvent } from "./touches.ts";

export interface FilePath extends VersionPath {
  provider: string;
  architecture: string;
}

let hasBegun = false;
/** Files that somebody waits for, by how events call them. */
const awaited = new Map<string, FilePath>();

/** Begins once, however often it is asked. */
export function begin(): void {
  if (hasBegun) return;
  hasBegun = true;
  onEvent(tell);
  start();
}

/** Tells what is found in a file, once it was read again. */
export function tellOfCheck(path: FilePath): void {
  awaited.set(called(path), path);
}

function called({ organization, box, version, provider, architecture }: FilePath): string {
  return `${organization} box/${box}/version/${version}/provider/${provider}/architecture/${architecture}/file`.toLowerCase();
}

async function tell({ kind, action, organization, object }: ServerEvent): Promise<void> {
  if (kind !== "box") return;
  if (action === "release") await tellOfRelease(organization, object);
  const path = awaited.get(`${organization} ${object}`);
  if (action === "verify" && path) await tellWhatWasFound(path);
}

async function tellOfRelease(organization: ServerEvent["organization"], object: ServerEvent["object"]): Promise<void> {
  const [, box, , version] = object?.split("/") ?? [];
  if (document.visibilityState !== "visible") return;
  const watched = await queryClient.ensureQueryData(watches(session()?.username));
  const found = watched.find(
    (one) => one.organization.toLowerCase() === organization && one.name.toLowerCase() === box,
  );
  if (found) toast(t("watching.released", { name: `${found.organization}/${found.name}`, version }));
}

const INFO =
  "/api/organization/{organization}/box/{box}/version/{version}/provider/{provider}/architecture/{architecture}/file/info";

async function tellWhatWasFound(path: FilePath): Promise<void> {
  const { verification } = await ok(api.GET(INFO, { params: { path } }));
  // to ask for it is an event as well
  if (verification?.state !== "ok" && verification?.state !== "damaged") return;
  if (!awaited.delete(called(path))) return;
  const name = `${path.provider} ${path.architecture}`;
  if (verification.state === "ok") toast(t("file.isWell", { name }));
  else toast(t("file.isDamaged", { name, problem: sentence(verification.problem ?? "") }), "bad");
}
