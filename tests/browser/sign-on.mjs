// Signing in at an OpenID provider, and out of it again; what somebody sees who is refused there.
// Arguments: the server's URL, the provider's.
import { assert, look, walk } from "./harness.mjs";

await walk(async ({ url, enter, rest: [provider], problems }) => {
  // the provider's certificate is of a test
  const options = { ignoreHTTPSErrors: true };
  const page = await enter(options);

  async function signInThere(name) {
    await page.getByRole("button", { name: "Continue with sso" }).click();
    await page.waitForURL((at) => at.href.startsWith(provider));
    await page.getByLabel("Name").fill(name);
    await page.getByLabel("Password").fill("correct horse");
    await page.getByRole("button", { name: "Continue" }).click();
  }

  // who is sent away there reads so here, and can begin anew
  await page.goto("/login?next=/acme/secret");
  await page.getByRole("button", { name: "Continue with sso" }).waitFor();
  await look(page, "sign-in with a provider", problems);
  await signInThere("nobody");
  await page.waitForURL(/\/login\/callback\/sso/);
  await page.getByRole("alert").getByText("The auth provider did not say who you are").waitFor();
  await look(page, "refused at the provider", problems);
  await page.getByRole("link", { name: "Back to sign-in" }).click();

  // the way leads back to where somebody wanted to go, and their group opens it
  await page.goto("/login?next=/acme/secret");
  await signInThere("ann");
  await page.waitForURL("/acme/secret");
  await page.getByRole("button", { name: "Account of ann" }).waitFor();
  await page.getByRole("heading", { name: "secret" }).first().waitFor();
  await page.reload();
  await page.getByRole("button", { name: "Account of ann" }).waitFor();

  // what came back is good once, and only in this browser
  const stranger = await enter({ ...options, locale: "de-DE" });
  await stranger.goto(`/login/callback/sso?code=1e400&state=00000000000000000000000000000001&iss=${encodeURIComponent(provider)}`);
  await stranger.getByRole("alert").getByText("nicht in diesem Browser begonnen").waitFor();
  await stranger.getByRole("link", { name: "Zurück zur Anmeldung" }).waitFor();

  // signing out leads on to the provider; there is another question, since it may be for others as well
  await page.getByRole("button", { name: "Account of ann" }).click();
  await page.getByRole("menuitem", { name: "Sign out" }).click();
  await page.waitForURL((at) => at.href.startsWith(provider));
  await page.getByRole("button", { name: "Yes, sign me out" }).click();
  await page.waitForURL((at) => at.href.startsWith(provider) && at.pathname.endsWith("/success"));
  await page.goto("/");
  await page.getByRole("link", { name: "Sign in" }).waitFor();
  const kept = await page.evaluate(() => localStorage.getItem("boxvault.session"));
  assert(kept === null, `signed out of ${url}, and a session is kept`);
});
