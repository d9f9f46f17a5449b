import { expect, it } from "vitest";
import { rulesOf } from "./policy-text.ts";

it("finds rules at their lines, and neither comments nor empty lines", () => {
  const text = "# who may read\n\np, role:member, *, box/**, read, allow\n  g, user:local:bob, role:admin, acme\n";
  expect(rulesOf("policy.csv", text)).toEqual([
    { file: "policy.csv", line: 3, kind: "p", cells: ["role:member", "*", "box/**", "read", "allow"] },
    { file: "policy.csv", line: 4, kind: "g", cells: ["user:local:bob", "role:admin", "acme"] },
  ]);
});
