// One at a time, also across tabs.
//
// Browsers have locks only where the page came over HTTPS or from this machine. Elsewhere a lease in the storage that
// all tabs share does it: whoever still finds their own mark after a moment has it.

const LEASE_MS = 10_000;
/** Longer than a busy machine takes to show one tab what another has stored. It is waited once in a token's life. */
export const SEEN_ELSEWHERE_MS = 400;
const POLL_MS = 60;

export async function exclusively<T>(name: string, work: () => Promise<T>): Promise<T> {
  if (navigator.locks) return navigator.locks.request(name, work);
  const key = `${name}.lease`;
  const mark = `${Math.random()}`;
  const release = () => {
    if (holder(key)?.mark === mark) localStorage.removeItem(key);
  };
  // as the browser does with a lock: a page that is loaded anew waits for nobody who is gone
  window.addEventListener("pagehide", release);
  try {
    await lease(key, mark);
    return await work();
  } finally {
    window.removeEventListener("pagehide", release);
    release();
  }
}

async function lease(key: string, mark: string): Promise<void> {
  for (;;) {
    const held = holder(key);
    if (held?.mark === mark) return;
    if (!held || held.until < Date.now()) {
      localStorage.setItem(key, JSON.stringify({ mark, until: Date.now() + LEASE_MS }));
      await pause(SEEN_ELSEWHERE_MS);
    } else {
      await pause(POLL_MS);
    }
  }
}

function holder(key: string): { mark: string; until: number } | undefined {
  try {
    return JSON.parse(localStorage.getItem(key) ?? "null") ?? undefined;
  } catch {
    return undefined;
  }
}

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
