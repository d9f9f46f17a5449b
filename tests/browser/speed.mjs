// How long the first page takes, and how a list of very many boxes scrolls, read off the browser's own trace.
// What is asserted is what does not depend on the machine: how much is loaded and shown. The times are printed.
// Arguments: the server's URL, how many boxes acme has.
import { assert, walk } from "./harness.mjs";

const HIDDEN = "disabled-by-default-devtools.timeline";
const CATEGORIES = ["loading", "blink.user_timing", "devtools.timeline", HIDDEN, `${HIDDEN}.frame`];
/** As browsers count them: nobody notices a shorter one. */
const LONG_TASK_US = 50_000;
const PAGE_SIZE = 30;
const WHEEL_PX = 240;

await walk(async ({ enter, rest: [boxes] }) => {
  const page = await enter({ viewport: { width: 1440, height: 900 } });
  const browser = page.context().browser();
  const traced = async (act) => {
    await browser.startTracing(page, { categories: CATEGORIES });
    await act();
    return JSON.parse((await browser.stopTracing()).toString()).traceEvents;
  };

  const loading = await traced(async () => {
    await page.goto("/");
    await page.getByRole("searchbox").fill("x");
    await page.getByRole("heading", { name: "Recently updated" }).waitFor();
  });
  const start = loading.find(({ name, args }) => name === "navigationStart" && args?.data?.documentLoaderURL?.startsWith("http"))?.ts;
  const since = (name) => loading.findLast((event) => event.name === name && event.ts >= start)?.ts - start;
  const busy = tasks(loading).filter(({ ts }) => ts >= start);
  assert(busy.length > 0, "the trace does not tell of tasks");
  const long = busy.filter(({ dur }) => dur >= LONG_TASK_US);
  const quiet = Math.max(since("firstContentfulPaint"), ...long.map(({ ts, dur }) => ts + dur - start));
  assert(start > 0 && Number.isFinite(quiet), "the trace does not tell when the page was there");
  console.log(`first page: painted after ${ms(since("firstContentfulPaint"))}, interactive after ${ms(quiet)} (${long.length} long tasks)`);

  // each page of the list is as long as the first one, however many boxes there are
  const last = Math.ceil(Number(boxes) / PAGE_SIZE);
  for (const number of [1, Math.ceil(last / 2), last]) {
    await page.goto(`/discover?page=${number}`);
    // of very many the server counts no more than it has to
    await page.getByText(`Page ${number} of `).waitFor();
    const shown = await page.locator(".cards > li").count();
    assert(shown > 0 && shown <= PAGE_SIZE, `${shown} boxes on page ${number}`);
  }
  await page.goto("/discover");
  await page.locator(".cards > li").first().waitFor();
  const scrolling = await traced(async () => {
    await page.mouse.move(700, 500);
    for (let turn = 0; turn < 40; turn += 1) {
      await page.mouse.wheel(0, turn < 20 ? WHEEL_PX : -WHEEL_PX);
      await page.evaluate(() => new Promise((resolve) => requestAnimationFrame(resolve)));
    }
  });
  const drawn = scrolling.filter(({ name }) => name === "DrawFrame").length;
  const dropped = scrolling.filter(({ name }) => name === "DroppedFrame").length;
  const longest = Math.max(0, ...tasks(scrolling).map(({ dur }) => dur));
  assert(drawn > 0, "the trace does not tell of frames");
  console.log(`scrolling ${boxes} boxes: ${drawn} frames drawn, ${dropped} dropped, longest task ${ms(longest)}`);
});

/** What kept the thread of a page busy. */
function tasks(events) {
  const names = events.filter(({ name }) => name === "thread_name");
  const main = new Set(names.filter(({ args }) => args.name === "CrRendererMain").map(({ pid, tid }) => `${pid} ${tid}`));
  return events.filter(({ name, pid, tid, dur }) => name === "RunTask" && dur > 0 && main.has(`${pid} ${tid}`));
}

function ms(us) {
  return `${Math.round(us / 1000)} ms`;
}
