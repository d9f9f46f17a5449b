import { describe, expect, it } from "vitest";
import { nextPath } from "./next.ts";

describe("where to go after signing in", () => {
  it.each(["/", "/acme/debian", "/invitation#token=x", "/discover?q=a"])("%s is ours", (path) => {
    expect(nextPath(path)).toBe(path);
  });

  it.each([
    "//evil.example",
    "/.//evil.example",
    "/\\evil.example",
    "https://evil.example",
    "javascript:alert(1)",
    "",
    undefined,
    7,
    "/\t/evil.example",
  ])("%s is not", (path) => {
    expect(nextPath(path)).toBeUndefined();
  });
});
