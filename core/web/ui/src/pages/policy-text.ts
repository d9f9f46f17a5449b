// A policy's text as rules, for looking at. The server alone decides what a text means.

export interface Rule {
  file: string;
  /** Counted from 1. */
  line: number;
  /** `p` for a rule, `g` and the like for what somebody is. */
  kind: string;
  cells: string[];
}

export function rulesOf(file: string, text: string): Rule[] {
  return text.split("\n").flatMap((row, index) => {
    const bare = row.trim();
    if (bare === "" || bare.startsWith("#")) return [];
    const [kind = "", ...cells] = bare.split(",").map((cell) => cell.trim());
    return [{ file, line: index + 1, kind, cells }];
  });
}
