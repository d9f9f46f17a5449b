// The API, typed by its document: a path, parameter or field that is not in there does not compile.
import createClient from "openapi-fetch";
import { language } from "../i18n.ts";
import { Problem } from "./problem.ts";
import type { paths } from "./schema";
import { isFresh, renew, session } from "./session.ts";

/** A token that can be used now; tokens of sessions that end soon are exchanged first. */
export async function accessToken(): Promise<string | undefined> {
  const current = session();
  if (!current) return undefined;
  if (isFresh(current)) return current.accessToken;
  return (await renew(current.accessToken))?.accessToken;
}

async function send(request: Request): Promise<Response> {
  request.headers.set("accept-language", language());
  const token = await accessToken();
  if (!token) return fetch(request);
  const again = request.clone();
  request.headers.set("authorization", `Bearer ${token}`);
  const reply = await fetch(request);
  if (reply.status !== 401) return reply;
  // the session may have been ended elsewhere, or the clock of this machine be wrong
  const failure = await reply.clone().json();
  if (failure?.error?.code !== "CREDENTIALS_INVALID") return reply;
  const renewed = await renew(token);
  if (!renewed) return reply;
  again.headers.set("authorization", `Bearer ${renewed.accessToken}`);
  again.headers.set("accept-language", language());
  return fetch(again);
}

export const api = createClient<paths>({ baseUrl: location.origin, fetch: send });

/** The entity tag of what was read, to be sent as `If-Match` with what is written of it. */
export interface Tagged {
  tag: string | undefined;
}

interface Answer<T> {
  data?: T;
  error?: unknown;
  response: Response;
}

/** The body of an answer and its entity tag, or the problem thrown. */
async function told<T>(asked: Promise<Answer<T>>): Promise<Tagged & { body: T }> {
  let answer: Answer<T>;
  try {
    answer = await asked;
  } catch {
    throw new Problem(0, undefined);
  }
  const { data: body, response } = answer;
  if (body === undefined || !response.ok) throw new Problem(response.status, answer.error as Partial<Problem>);
  return { body, tag: response.headers.get("etag") ?? undefined };
}

/** The whole envelope of an answer, or the problem thrown. */
export async function whole<T>(asked: Promise<Answer<T>>): Promise<T> {
  return (await told(asked)).body;
}

/** The data of an answer, or the problem thrown. */
export async function ok<T>(asked: Promise<Answer<{ data: T }>>): Promise<T> {
  return (await whole(asked)).data;
}

/** The data of an answer with its entity tag, or the problem thrown. */
export async function tagged<T extends object>(asked: Promise<Answer<{ data: T }>>): Promise<T & Tagged> {
  const { body, tag } = await told(asked);
  return { ...body.data, tag };
}
