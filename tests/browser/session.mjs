// One session in several tabs: its token is exchanged once, a lost answer costs nothing, and its end is noticed by all.
// Arguments: the server's URL, a user name, a password.
import { assert, look, signIn, walk, watch } from "./harness.mjs";

await walk(async ({ url, enter, rest: [username, password], problems }) => {
  const page = await enter();
  await page.goto("/login");
  await page.getByLabel("User name or e-mail address").fill(username);
  await page.getByLabel("Password", { exact: true }).fill("wrong horse battery");
  await page.getByRole("main").getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("alert").waitFor();
  await look(page, "refused sign-in", problems);
  await signIn(page, username, password);
  await look(page, "home, signed in", problems);
  await page.getByRole("button", { name: `Account of ${username}` }).click();
  await page.getByRole("menuitem", { name: "Sign out" }).waitFor();
  await look(page, "account menu", problems);
  await page.keyboard.press("Escape");

  // a token that has to be exchanged is exchanged once, however many tabs find it so; without the browser's locks as well
  const tabs = [page];
  while (tabs.length < 4) tabs.push(await page.context().newPage());
  for (const tab of tabs.slice(1)) watch(tab, problems);
  let exchanges = 0;
  page.context().on("requestfinished", (request) => {
    if (request.url().endsWith("/api/auth/refresh-token")) exchanges += 1;
  });
  for (const locks of [true, false]) {
    // a page that goes while it exchanges a token asks again, which would be counted here
    for (const tab of tabs.slice(1)) await tab.goto("about:blank");
    if (!locks) {
      await page.context().addInitScript(() => Object.defineProperty(navigator, "locks", { value: undefined }));
      // a browser has locks in each of its pages or in none
      await page.reload();
      await page.getByRole("button", { name: `Account of ${username}` }).waitFor();
    }
    exchanges = 0;
    await expire(page);
    // the first one stays, so that the browser is not one that was closed; and until there is another token, since it may
    // begin to exchange it by itself, and whoever is on its way elsewhere reads no answer
    await Promise.all(tabs.slice(1).map((tab) => tab.goto("/acme/debian")));
    for (const tab of tabs.slice(1)) await tab.getByRole("link", { name: "Settings" }).waitFor();
    await page.goto("/acme/debian");
    for (const tab of tabs) await tab.getByRole("button", { name: `Account of ${username}` }).waitFor();
    assert(exchanges === 1, `${exchanges} exchanges in four tabs (locks: ${locks})`);

    // a page that is loaded anew once the server has exchanged the token, and before it has the answer
    for (const tab of tabs.slice(1)) await tab.goto("about:blank");
    await expire(page);
    const before = await refreshToken(page);
    const lost = await loseAnswer(page);
    await page.goto("/acme/debian");
    const next = await lost();
    await page.reload();
    await page.getByRole("link", { name: "Settings" }).waitFor();
    assert(next !== before && (await refreshToken(page)) === next, `the answer was not given again (locks: ${locks})`);
    // and what it got is good for more than the access token beside it
    await expire(page);
    await page.reload();
    await page.getByRole("link", { name: "Settings" }).waitFor();
    assert((await refreshToken(page)) !== next, `the token was not exchanged (locks: ${locks})`);
  }

  // a session that is ended elsewhere ends in every tab
  for (const tab of tabs.slice(1)) {
    await tab.goto("/acme/debian");
    await tab.getByRole("link", { name: "Settings" }).waitFor();
  }
  const kept = await page.evaluate(() => JSON.parse(localStorage.getItem("boxvault.session")));
  const ended = await fetch(`${url}/api/auth/signout`, {
    method: "POST",
    headers: { authorization: `Bearer ${kept.accessToken}` },
  });
  assert(ended.ok, `signing out elsewhere: ${ended.status}`);
  await page.getByRole("link", { name: "Organizations" }).click();
  await page.getByText("Your session has ended").waitFor();
  for (const tab of tabs) await tab.getByRole("link", { name: "Sign in" }).waitFor();

  // signing in leads back to where somebody wanted to go
  await page.goto("/acme/debian/settings");
  await page.waitForURL(/\/login\?next=/);
  await page.getByLabel("User name or e-mail address").fill(username);
  await page.getByLabel("Password", { exact: true }).fill(password);
  await page.getByRole("main").getByRole("button", { name: "Sign in" }).click();
  await page.waitForURL("/acme/debian/settings");
  await look(page, "box settings", problems);
  await page.reload();
  await page.getByRole("button", { name: `Account of ${username}` }).waitFor();

  // who did not ask to stay is signed out when the browser was closed
  const storageState = await page.context().storageState();
  await page.context().close();
  const later = await enter({ storageState });
  await later.clock.setSystemTime(Date.now() + 60_000);
  await later.goto("/");
  await later.getByRole("link", { name: "Sign in" }).waitFor();
});

/** Makes the page think that its access token has to be exchanged. */
function expire(page) {
  return page.evaluate(() => {
    const kept = JSON.parse(localStorage.getItem("boxvault.session"));
    kept.accessTokenExpiresAt = new Date(0).toISOString();
    localStorage.setItem("boxvault.session", JSON.stringify(kept));
  });
}

function refreshToken(page) {
  return page.evaluate(() => JSON.parse(localStorage.getItem("boxvault.session")).refreshToken);
}

/** Lets the next exchange reach the server and its answer no page; gives the token that was in it, once it is there. */
async function loseAnswer(page) {
  let answered;
  const lost = new Promise((resolve) => {
    answered = resolve;
  });
  await page.route(
    "**/api/auth/refresh-token",
    async (route) => {
      const answer = await route.fetch();
      answered((await answer.json()).data.refreshToken);
    },
    { times: 1 },
  );
  // not the promise itself, which would be waited for here
  return () => lost;
}
