import { describe, expect, it } from "vitest";
import { type ServerEvent, touches } from "./touches.ts";

const event = (kind: ServerEvent["kind"], object?: string): ServerEvent => ({
  id: "1",
  kind,
  organization: object ? "acme" : undefined,
  object,
});

describe("an event", () => {
  it.each([
    [event("box", "box/web/version/1.0.0"), ["box", "Acme", "Web", "versions"], true],
    [event("box", "box/web/version/1.0.0"), ["box", "acme", "other", "versions"], false],
    [event("box", "box/web"), ["boxes", "anna", {}], true],
    [event("box", "box/web"), ["organization", "acme", "boxes"], true],
    [event("box", "box/web"), ["organization", "globex", "boxes"], false],
    [event("organization", "member/bob"), ["organization", "ACME", "members"], true],
    [event("organization", "member/bob"), ["profile", "anna"], false],
    [event("account"), ["profile", "anna"], true],
    [event("system"), ["users", {}], true],
    [event("rights"), ["box", "acme", "web"], true],
    // what somebody is writing stays
    [event("rights"), ["policy", "current"], false],
    [event("organization", "rules"), ["organization", "acme", "rules"], false],
  ])("%o touches %o: %s", (happened, key, expected) => {
    expect(touches(happened, key)).toBe(expected);
  });
});
