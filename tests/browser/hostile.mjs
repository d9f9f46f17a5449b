// What people write is text, wherever it shows: scripts and tags in every field that somebody controls.
// Arguments: the server's URL, a user name, a password. There is acme/debian with a released 1.0.0.
import { assert, look, signIn, walk } from "./harness.mjs";

/** Marks what must not become an element, and runs what must not run. */
const EVIL = `"'><img src=x onerror="window.stolen=1" data-evil><svg onload="window.stolen=1" data-evil></svg>`;
const LINK = "javascript:window.stolen=1";
const MARKDOWN = [
  EVIL,
  `<script data-evil>window.stolen=1</script>`,
  `<iframe srcdoc="<script>parent.stolen=1</script>" data-evil></iframe>`,
  `<style data-evil>body { display: none }</style>`,
  `<a href="${LINK}" data-evil>raw</a> [link](${LINK}) ![picture](${LINK}) <${LINK}>`,
  `[data](data:text/html,<script>window.stolen=1</script>)`,
  "```html\n<script>window.stolen=1</script>\n```",
].join("\n\n");
const SVG = `<svg xmlns="http://www.w3.org/2000/svg" onload="window.stolen=1"><script>window.stolen=1</script></svg>`;

await walk(async ({ url, enter, rest: [username, password], problems }) => {
  const page = await enter();
  await signIn(page, username, password);
  const token = await page.evaluate(() => JSON.parse(localStorage.getItem("boxvault.session")).accessToken);
  const call = (method, path, body, type = "application/json") =>
    fetch(url + path, {
      method,
      headers: { "x-access-token": token, "content-type": type },
      body: type === "application/json" ? JSON.stringify(body) : body,
    });
  const done = async (method, path, body) => {
    const reply = await call(method, path, body);
    assert(reply.ok, `${method} ${path}: ${reply.status} ${await reply.text()}`);
  };
  const box = "/api/organization/acme/box/debian";
  // names are names: nothing else is taken
  for (const [path, body] of [
    ["/api/organization", { name: EVIL }],
    ["/api/organization/acme/box", { name: EVIL }],
    [`${box}/version`, { versionNumber: EVIL }],
    ["/api/organization/acme/service-accounts", { name: EVIL }],
  ]) {
    assert((await call("POST", path, body)).status === 400, `${path} takes it for a name`);
  }
  assert((await call("PUT", box, { homepageUrl: LINK })).status === 400, "a link that runs a script is taken");
  // a picture is one whose bytes are a picture's
  for (const type of ["image/svg+xml", "image/png"]) {
    const reply = await call("PUT", `${box}/artwork`, SVG, type);
    assert([400, 415].includes(reply.status), `an SVG is taken as ${type}: ${reply.status}`);
  }
  const texts = { shortDescription: EVIL.slice(0, 120), description: MARKDOWN, readme: MARKDOWN };
  await done("PUT", box, texts);
  await done("PUT", `${box}/version/1.0.0`, {
    description: MARKDOWN,
    releaseNotes: MARKDOWN,
    deprecated: true,
    deprecationReason: EVIL,
  });
  await done("PUT", "/api/organization/acme", { description: EVIL });
  await done("PUT", "/api/user", { name: EVIL });
  await done("POST", "/api/user/tokens", { description: EVIL });
  await done("POST", "/api/organization/acme/service-accounts", { name: "ci", description: EVIL });
  await fetch(`${url}/api/organization/${encodeURIComponent(EVIL)}/box/${encodeURIComponent(EVIL)}`, {
    headers: { "x-access-token": token, "x-request-id": EVIL },
  });

  const pages = {
    "/": "img",
    "/discover": "img",
    "/acme": "img",
    "/acme/debian": "img",
    "/acme/debian/settings": undefined,
    "/acme/debian/versions/1.0.0": "img",
    "/organizations": undefined,
    "/organizations/acme/members": "img",
    "/organizations/acme/service-accounts": "img",
    "/organizations/acme/settings": undefined,
    "/organizations/acme/audit": undefined,
    "/settings": undefined,
    "/settings/tokens": "img",
    "/admin": "img",
    "/admin/audit": undefined,
    [`/${encodeURIComponent(EVIL)}`]: undefined,
    [`/discover?q=${encodeURIComponent(EVIL)}&tag=${encodeURIComponent(EVIL)}`]: undefined,
  };
  for (const [path, shown] of Object.entries(pages)) {
    await page.goto(path);
    await page.getByRole("main").waitFor();
    await page.waitForFunction(() => document.querySelector("main h1, main h2, main [role=alert]") && !document.querySelector(".bone"));
    if (shown) {
      const text = page.getByText("onerror=").first();
      await text.waitFor().catch(() => problems.push(`${path}: what was written does not show`));
    }
    const found = await page.evaluate(() => ({
      stolen: window.stolen,
      evil: document.querySelectorAll("[data-evil], main script, main iframe, main style, main [onload], main [onerror]").length,
      links: [...document.querySelectorAll("a[href], img[src]")]
        .map((one) => one.getAttribute("href") ?? one.getAttribute("src"))
        .filter((target) => /^\s*(javascript|data):/i.test(target)),
    }));
    assert(!found.stolen, `${path}: a script ran`);
    assert(found.evil === 0, `${path}: ${found.evil} elements came of a text`);
    assert(found.links.length === 0, `${path}: links to ${found.links}`);
  }
  await page.goto("/acme/debian");
  await look(page, "box with hostile texts", problems);
  await page.goto("/acme/debian/versions/1.0.0");
  await look(page, "version with hostile texts", problems);
});
