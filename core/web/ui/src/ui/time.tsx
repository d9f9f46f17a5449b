import { ago, moment } from "./format.ts";

/** A moment as people speak of it, and exactly for whoever points at it. */
export function Ago({ at }: { at: string }) {
  return (
    <time dateTime={at} title={moment(at)}>
      {ago(at)}
    </time>
  );
}
