import { readFileSync } from "node:fs";
import { expect, it } from "vitest";

/** Licenses that ask for nothing but their notice, or, for MPL, the source of changed files; as in deny.toml. */
const LICENSES = [
  "0BSD",
  "Apache-2.0",
  "BSD-2-Clause",
  "BSD-3-Clause",
  "BlueOak-1.0.0",
  "CC-BY-4.0",
  "ISC",
  "MIT",
  "MPL-2.0",
  "Python-2.0",
];

/** Taken all the same, and why. */
const EXCEPTIONS = new Map([
  ["node_modules/isbot", "in the public domain; for rendering on a server, and not in the bundle"],
  ["node_modules/combine-errors", "MIT, as its Readme says; only tus-js-client for Node uses it"],
]);

it("every package has a license from the list", () => {
  const lock = JSON.parse(readFileSync(new URL("package-lock.json", import.meta.url), "utf8"));
  const others = Object.entries<{ license?: string }>(lock.packages)
    .filter(([path]) => path !== "" && !EXCEPTIONS.has(path))
    .map(([path, { license }]) => ({ path, license: license ?? "none" }))
    .filter(
      ({ license }) =>
        !license
          .replace(/[()]/g, "")
          .split(" OR ")
          .some((one) => LICENSES.includes(one)),
    );
  expect(others).toEqual([]);
});
