// Who is signed in, in all tabs of this browser.
//
// The API gives a short access token and a refresh token that works once; a later use of it ends the session. So they
// lie where every tab sees them, and only one tab at a time exchanges them. A page that is loaded anew in the middle
// loses the answer; the next one asks again with the same token, and the server answers the same for half a minute.
// See README.md for why they lie there.
import { useSyncExternalStore } from "react";
import { exclusively, SEEN_ELSEWHERE_MS } from "./lock.ts";
import type { Schemas } from "./types.ts";

export interface Session {
  accessToken: string;
  accessTokenExpiresAt: string;
  refreshToken: string;
  stayLoggedIn: boolean;
  username: string;
}

const KEY = "boxvault.session";
/** Marks a tab that has been part of the session, so that loading it again does not end it. */
const TAB_KEY = "boxvault.session.tab";
/** A token that ends sooner than this is exchanged before it is used. */
const FRESH_MS = 30_000;
/** When the last page went that was part of it. */
const LEFT_KEY = "boxvault.session.left";
/** How long a page may take to be there again when it is loaded anew. */
const RELOAD_MS = 10_000;

const listeners = new Set<() => void>();
let seen: { text: string | null; session: Session | undefined } | undefined;

/** The session, the same object for as long as it is the same. */
export function session(): Session | undefined {
  const text = localStorage.getItem(KEY);
  if (!seen || seen.text !== text) seen = { text, session: parse(text) };
  return seen.session;
}

export function useSession(): Session | undefined {
  return useSyncExternalStore(subscribe, session);
}

/** Calls back when somebody signs in or out, here or in another tab. */
export function subscribe(listener: () => void): () => void {
  const onStorage = (event: StorageEvent) => {
    if (event.key === KEY || event.key === null) listener();
  };
  listeners.add(listener);
  window.addEventListener("storage", onStorage);
  return () => {
    listeners.delete(listener);
    window.removeEventListener("storage", onStorage);
  };
}

export function keep(view: Schemas["SignInView"]): void {
  const { accessToken, accessTokenExpiresAt, refreshToken, stayLoggedIn, username } = view;
  const kept: Session = { accessToken, accessTokenExpiresAt, refreshToken, stayLoggedIn, username };
  localStorage.setItem(KEY, JSON.stringify(kept));
  holdTab();
  tell();
}

export function forget(): void {
  localStorage.removeItem(KEY);
  tell();
}

/**
 * Ends a session that was to last only as long as the browser has a page open, once it was closed. To be asked once,
 * before anything else looks at the session.
 */
export async function endIfLeftBehind(): Promise<void> {
  const left = session();
  if (left && !left.stayLoggedIn && !sessionStorage.getItem(TAB_KEY) && navigator.locks) {
    // a page that is being loaded anew holds nothing until it is there again
    if (!wasLeftJustNow() && !(await isElsewhere())) forget();
  }
  if (session()) holdTab();
}

function wasLeftJustNow(): boolean {
  const ago = Date.now() - Number(localStorage.getItem(LEFT_KEY));
  return ago >= 0 && ago < RELOAD_MS;
}

async function isElsewhere(): Promise<boolean> {
  const { held } = await navigator.locks.query();
  return held?.some((lock) => lock.name === TAB_KEY) ?? false;
}

/** Whether the access token will do for a request now. */
export function isFresh(current: Session): boolean {
  return Date.parse(current.accessTokenExpiresAt) - Date.now() > FRESH_MS;
}

/** Exchanges that this tab has begun, by the token that is to go. */
const renewing = new Map<string, Promise<Session | undefined>>();

/** A session with another access token than `stale`, or none if it has ended. */
export function renew(stale: string): Promise<Session | undefined> {
  // what a page reads at once waits for one turn, and not each for its own
  const begun = renewing.get(stale) ?? exchange(stale).finally(() => renewing.delete(stale));
  renewing.set(stale, begun);
  return begun;
}

function exchange(stale: string): Promise<Session | undefined> {
  return exclusively(KEY, async () => {
    const current = session();
    // another tab was faster
    if (!current || (current.accessToken !== stale && isFresh(current))) return current;
    const reply = await fetch("/api/auth/refresh-token", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ refreshToken: current.refreshToken }),
    });
    if (reply.status === 401) {
      // another tab may have exchanged the same token, which is no reason to throw away what it got for it
      await new Promise((resolve) => setTimeout(resolve, SEEN_ELSEWHERE_MS));
      if (session()?.refreshToken === current.refreshToken) forget();
      return session();
    }
    // out of reach or too busy: the session is as good as before
    if (!reply.ok) return current;
    keep((await reply.json()).data);
    return session();
  });
}

function parse(text: string | null): Session | undefined {
  try {
    return text ? JSON.parse(text) : undefined;
  } catch {
    return undefined;
  }
}

let isHeld = false;

/** Other tabs see by the lock that the browser has a page open. */
function holdTab(): void {
  if (isHeld) return;
  isHeld = true;
  sessionStorage.setItem(TAB_KEY, "here");
  navigator.locks?.request(TAB_KEY, { mode: "shared" }, () => new Promise(() => {}));
  window.addEventListener("pagehide", () => localStorage.setItem(LEFT_KEY, String(Date.now())));
}

function tell(): void {
  for (const listener of listeners) listener();
}
