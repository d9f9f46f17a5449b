import { toast } from "../ui/toast.tsx";
import { asProblem } from "./problem.ts";
import { refresh } from "./queries.ts";

/** Waits for a change, says what the server says of it, and asks again for what it may have touched. */
export async function act<T extends { message: string }>(
  asked: Promise<T>,
  ...begins: readonly unknown[][]
): Promise<T> {
  const answer = await asked;
  toast(answer.message);
  await refresh(...begins);
  return answer;
}

/** For buttons without a form of their own: what goes wrong is a note as well. */
export const tellProblem = (error: unknown) => toast(asProblem(error).message, "bad");
