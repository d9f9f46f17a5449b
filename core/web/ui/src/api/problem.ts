// A request that failed, in the words of the server, which say what to do.
import type { Schemas } from "./types.ts";

export type Code = Schemas["ErrorView"]["code"] | "OUT_OF_REACH";

export class Problem extends Error {
  readonly status: number;
  readonly code: Code;
  /** The fields of the form that were refused, and why. */
  readonly fields: Record<string, string>;
  readonly requestId: string | undefined;

  constructor(status: number, envelope: Partial<Schemas["ErrorEnvelope"]> | undefined) {
    super(envelope?.message ?? "");
    this.status = status;
    this.code = envelope?.error?.code ?? "OUT_OF_REACH";
    this.fields = envelope?.error?.fields ?? {};
    this.requestId = envelope?.error?.request_id;
  }

  is(...codes: Code[]): boolean {
    return codes.includes(this.code);
  }
}

/** What was thrown, as a problem. */
export function asProblem(thrown: unknown): Problem {
  return thrown instanceof Problem ? thrown : new Problem(0, undefined);
}
