// Somebody without an account: finds boxes, follows links, and learns what is not for them.
// Arguments: the server's URL. There are the public box acme/debian, and acme/secret, which is private.
import { assert, look, walk } from "./harness.mjs";

await walk(async ({ url, enter, problems }) => {
  const page = await enter();
  const answer = await page.goto("/");
  await page.getByRole("heading", { name: "Recently updated" }).waitFor();
  await look(page, "home", problems);
  assert((await answer.headerValue("content-encoding")) === "br", "the page is not packed");
  const kib = await page.evaluate(() =>
    performance
      .getEntriesByType("resource")
      .filter(({ name }) => name.endsWith(".js"))
      .reduce((sum, { encodedBodySize }) => sum + encodedBodySize / 1024, 0),
  );
  assert(kib > 0 && kib <= 200, `the first page loads ${kib} KiB of script`);

  // by keyboard: the first stop leads past the bar, and the search is a form
  await page.keyboard.press("Tab");
  assert((await page.evaluate(() => document.activeElement.textContent)) === "Skip to content", "no way past the bar");
  await page.getByRole("searchbox").fill("debian");
  await page.keyboard.press("Enter");
  await page.waitForURL("/discover?q=debian");
  await page.getByRole("link", { name: "acme/debian" }).first().waitFor();
  await look(page, "discover", problems);

  // what is searched for is the address, both ways
  await page.getByRole("searchbox").fill("nothing of the kind");
  await page.waitForURL(/q=nothing/);
  await page.getByRole("heading", { name: "No box fits" }).waitFor();
  await look(page, "nothing found", problems);
  await page.getByRole("button", { name: "Clear search and filters" }).click();
  await page.getByRole("link", { name: "acme/debian" }).first().waitFor();
  await page.goto("/discover?provider=virtualbox&sort=downloads&order=desc");
  await page.getByRole("link", { name: "acme/debian" }).click();
  await page.waitForURL("/acme/debian");
  await page.getByRole("tab", { name: "curl" }).click();
  await page.getByText(`${url}/acme/boxes/debian/versions/1.0.0/providers/virtualbox/amd64/vagrant.box`).waitFor();
  await look(page, "box", problems);
  await page.getByRole("link", { name: "1.0.0" }).click();
  await page.waitForURL("/acme/debian/versions/1.0.0");
  await look(page, "version", problems);

  // what the server hides looks as what is not there
  for (const path of ["/acme/secret", "/acme/nothing", "/nobody"]) {
    await page.goto(path);
    await page.getByRole("heading", { name: "There is nothing here" }).waitFor();
  }
  await look(page, "not found", problems);
  // pages for those who are signed in ask for it, and come back
  await page.goto("/acme/debian/settings");
  await page.waitForURL(/\/login\?next=/);
  for (const path of ["/login", "/login/sign-up", "/login/forgot", "/organizations", "/reset-password#token=x"]) {
    await page.goto(path);
    await page.getByRole("heading", { level: 1 }).waitFor();
    await look(page, path, problems);
  }

  const german = await enter({ locale: "de-DE" });
  await german.goto("/acme/debian");
  await german.getByRole("heading", { name: "Diese Box verwenden" }).waitFor();
  assert((await german.evaluate(() => document.documentElement.lang)) === "de", "the page says another language");
});
