// The ways to what looks after the whole server, each for who may see what is there.
import { type May, useMay, useParts } from "../api/queries.ts";

interface Sight {
  may: May;
  /** The parts of the server itself that may be read. */
  parts: readonly string[];
}

const PLACES = [
  ["/admin", "users", ({ may }: Sight) => may("user", "read")],
  ["/admin/stores", "stores", ({ may }: Sight) => may("storage", "read")],
  ["/admin/plugins", "plugins", ({ parts }: Sight) => parts.includes("plugins")],
  // everybody may read it, and nobody looks for it who looks after nothing
  ["/admin/health", "health", ({ parts }: Sight) => parts.length > 0],
  ["/admin/jobs", "jobs", ({ parts }: Sight) => parts.includes("jobs")],
  ["/admin/configuration", "configuration", ({ parts }: Sight) => parts.includes("configuration")],
  ["/admin/organizations", "organizations", ({ may }: Sight) => may("user", "read")],
  ["/admin/audit", "audit", ({ may }: Sight) => may("audit", "read")],
  ["/policies", "policy", ({ may }: Sight) => may("policy", "read")],
] as const;

/** Where the caller can go; nowhere until it is known what they may. */
export function useAdminPlaces() {
  const sight = { may: useMay({}), parts: useParts() };
  return PLACES.filter(([, , isSeen]) => isSeen(sight));
}
