// A real browser on the pages of a running server: what every journey needs.
//
// Whatever the browser complains of is a failure: scripts that break, and what the content security policy forbids.
// With SCREENSHOTS=FOLDER every page that is looked at is kept there as a picture, in each size, light and dark.
import { mkdirSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { chromium } from "playwright-core";

const AXE = createRequire(import.meta.url)("axe-core").source;
/** A phone, a tablet, a small and a large desk. */
const WIDTHS = [360, 768, 1280, 1440];
const SCREENSHOTS = process.env.SCREENSHOTS;
const SERIOUS = ["serious", "critical"];
const WAIT_MS = 20_000;

/** Starts the browser, does `journey`, and ends with a failure if anything was wrong. */
export async function walk(journey) {
  const [url, ...rest] = process.argv.slice(2);
  const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: ["--no-sandbox"] });
  const problems = [];
  try {
    await journey({ url, rest, problems, enter: (options) => enter(browser, url, problems, options) });
  } finally {
    await browser.close();
  }
  if (problems.length > 0) throw new Error(problems.join("\n"));
}

/** A browser of its own, as somebody new has it, and its first page. */
async function enter(browser, url, problems, options = {}) {
  const context = await browser.newContext({ baseURL: url, locale: "en-US", colorScheme: "light", ...options });
  context.setDefaultTimeout(WAIT_MS);
  const page = await context.newPage();
  watch(page, problems);
  return page;
}

export function watch(page, problems) {
  page.on("pageerror", (error) => problems.push(`${page.url()}: ${error.stack}`));
  page.on("console", (message) => {
    // an answer that refuses is told in the page, and the browser notes it as well
    const isAnswer = message.text().startsWith("Failed to load resource");
    if (message.type() === "error" && !isAnswer) problems.push(`${page.url()}: ${message.text()}`);
  });
}

export async function signIn(page, username, password) {
  await page.goto("/login");
  await page.getByLabel("User name or e-mail address").fill(username);
  await page.getByLabel("Password").fill(password);
  await page.getByRole("main").getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("button", { name: `Account of ${username}` }).waitFor();
}

/** Looks at what is shown as somebody does who does not see it, on screens of each size, light and dark. */
export async function look(page, what, problems) {
  // what is still on its way is not what somebody sees
  await page.waitForFunction(() => document.querySelector("main")?.innerText.trim() && !document.querySelector(".bone"));
  for (const colorScheme of ["light", "dark"]) {
    await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
    for (const width of WIDTHS) {
      await page.setViewportSize({ width, height: 900 });
      await settled(page);
      const over = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
      if (over > 0) problems.push(`${what} at ${width} px: ${over} px too wide`);
      for (const one of await page.evaluate(hidden)) problems.push(`${what} at ${width} px: ${one}`);
      if (SCREENSHOTS) await keep(page, `${what} ${width} ${colorScheme}`);
    }
    await check(page, `${what} (${colorScheme})`, problems);
  }
  await page.emulateMedia({ colorScheme: "light" });
}

/** Runs in the page: what has no heading, tabs and tables that are cut off, and text that lies under a button to copy it. */
function hidden() {
  const found = [];
  if (!document.querySelector("h1")) found.push("the page has no heading");
  for (const tabs of document.querySelectorAll(".tabs, .side-nav")) {
    if (tabs.scrollWidth > tabs.clientWidth) found.push(`${tabs.ariaLabel}: tabs are cut off`);
  }
  for (const table of document.querySelectorAll(".table-wrap")) {
    if (table.scrollWidth > table.clientWidth) found.push(`${table.innerText.split("\n")[0]} …: a table is cut off`);
  }
  for (const snippet of document.querySelectorAll(".snippet")) {
    const text = snippet.querySelector("section").getBoundingClientRect();
    const button = snippet.querySelector("button").getBoundingClientRect();
    if (text.right > button.left + 0.5) found.push("a button lies over what it copies");
  }
  return found;
}

async function keep(page, name) {
  const folder = join(SCREENSHOTS, ...process.argv[1].split("/").slice(-1));
  mkdirSync(folder, { recursive: true });
  await page.screenshot({ path: join(folder, `${name.replace(/[^\w]+/g, "-")}.png`), fullPage: true });
}

/** What hangs at something else is put anew in the frame after. */
function settled(page) {
  return page.evaluate(() => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve))));
}

async function check(page, what, problems) {
  await page.evaluate(AXE);
  const { violations } = await page.evaluate(() => window.axe.run(document, { resultTypes: ["violations"] }));
  for (const { id, impact, help, nodes } of violations) {
    if (!SERIOUS.includes(impact)) continue;
    problems.push(`${what}: ${id} (${impact}), ${help}: ${nodes.map(({ html }) => html.slice(0, 160)).join(" | ")}`);
  }
}

export function assert(condition, message) {
  if (!condition) throw new Error(message);
}
