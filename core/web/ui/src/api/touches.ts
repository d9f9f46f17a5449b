// What has to be read anew after an event of the server.
import type { Schemas } from "./types.ts";

export type ServerEvent = Schemas["EventView"];

const OF_BOXES = ["boxes", "watches"];
const OF_ACCOUNT = ["profile", "permissions", "sessions", "tokens", "watches", "preferences", "second-factor"];
const OF_SYSTEM = ["users", "organizations", "stores", "moves", "plugins", "damaged", "health", "jobs", "server"];

/** What somebody writes is not replaced while they write it. */
const WRITTEN = ["policy", "rules"];

/** Whether what was read may be another thing since an event. Names in events are in lower case. */
export function touches(event: ServerEvent, queryKey: readonly unknown[]): boolean {
  const [what, ...names] = queryKey.map((part) => (typeof part === "string" ? part.toLowerCase() : part));
  if (WRITTEN.includes(String(what)) || names.includes("rules")) return false;
  const [, box] = event.object?.split("/") ?? [];
  switch (event.kind) {
    case "rights":
    case "reset":
      return true;
    case "box":
      if (what === "box") return names[0] === event.organization && (!box || names[1] === box);
      return OF_BOXES.includes(String(what)) || (what === "organization" && names[0] === event.organization);
    case "organization":
      return (
        what === "organizations" || (["organization", "box"].includes(String(what)) && names[0] === event.organization)
      );
    case "account":
      return OF_ACCOUNT.includes(String(what));
    case "system":
      return OF_SYSTEM.includes(String(what)) || what === "audit";
    default:
      return false;
  }
}
