import { describe, expect, it } from "vitest";
import de from "./de.json" with { type: "json" };
import en from "./en.json" with { type: "json" };

type Texts = { [key: string]: string | Texts };

function flat(texts: Texts, before = ""): Map<string, string> {
  return new Map(
    Object.entries(texts).flatMap(([key, value]) =>
      typeof value === "string" ? [[before + key, value] as const] : [...flat(value, `${before}${key}.`)],
    ),
  );
}

const values = (text: string) => [...text.matchAll(/\{\{(\w+)\}\}/g)].map(([, name]) => name).sort();

describe.each([["de", de]])("%s", (_, texts) => {
  const [ours, theirs] = [flat(en), flat(texts)];

  it("says all that English says, and no more", () => {
    expect([...theirs.keys()].sort()).toEqual([...ours.keys()].sort());
  });

  it("speaks of the same values", () => {
    for (const [key, text] of ours) expect([key, values(theirs.get(key) ?? "")]).toEqual([key, values(text)]);
  });
});
