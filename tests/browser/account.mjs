// One's own account: name, second factor, sessions, tokens, preferences.
// Arguments: the server's URL, a user name, a password.
import { createHmac } from "node:crypto";
import { assert, look, signIn, walk } from "./harness.mjs";

await walk(async ({ url, enter, rest: [username, password], problems }) => {
  const page = await enter();
  await signIn(page, username, password);
  const main = page.getByRole("main");
  const dialog = page.getByRole("dialog");
  // by keyboard alone
  await page.keyboard.press("Control+k");
  await page.getByRole("combobox", { name: "Go to" }).fill("profile");
  await look(page, "palette", problems);
  await page.keyboard.press("Enter");
  await page.waitForURL("/settings");
  await page.getByLabel("Full name").fill("Robert <i>Builder</i>");
  await main.getByRole("button", { name: "Save changes" }).click();
  await page.getByRole("button", { name: "Close" }).first().waitFor();
  await look(page, "profile", problems);

  await page.getByRole("link", { name: "API tokens" }).click();
  await main.getByRole("button", { name: "Create a token" }).click();
  await dialog.getByLabel("What it is for").fill("laptop");
  await look(page, "token dialog", problems);
  await dialog.getByRole("button", { name: "Create a token" }).click();
  const token = (await dialog.locator("pre").textContent()).trim();
  const answer = await fetch(`${url}/api/user`, { headers: { authorization: `Bearer ${token}` } });
  assert((await answer.json()).data.username === username, "the token is not of this account");
  await look(page, "token, shown once", problems);
  await dialog.getByRole("button", { name: "I have kept it" }).click();
  await page.getByRole("button", { name: "End the token laptop" }).click();
  await page.getByRole("heading", { name: "No tokens" }).waitFor();
  await look(page, "no tokens", problems);

  await page.getByRole("link", { name: "Sign-in and security" }).click();
  await page.getByText("This one").waitFor();
  await look(page, "security", problems);
  await main.getByRole("button", { name: "Set it up" }).click();
  await dialog.getByLabel("Your password").fill(password);
  await dialog.getByRole("button", { name: "Set it up" }).click();
  await page.getByRole("img", { name: /QR code/ }).waitFor();
  await dialog.getByText("Type it in by hand").click();
  await look(page, "second factor dialog", problems);
  const secret = (await dialog.locator("pre").textContent()).trim();
  await dialog.getByLabel("Code of the app").fill("000000");
  await dialog.getByRole("button", { name: "Turn it on" }).click();
  await dialog.getByRole("alert").waitFor();
  await dialog.getByLabel("Code of the app").fill(codeOf(secret));
  await dialog.getByRole("button", { name: "Turn it on" }).click();
  await page.getByRole("heading", { name: "Recovery codes" }).waitFor();
  const [recovery] = (await dialog.locator("pre").textContent()).trim().split("\n");
  await dialog.getByRole("button", { name: "I have kept it" }).click();

  // signing in asks for a code now, and takes one that was kept
  await page.getByRole("button", { name: `Account of ${username}` }).click();
  await page.getByRole("menuitem", { name: "Sign out" }).click();
  await page.getByRole("link", { name: "Sign in" }).click();
  await page.getByLabel("User name or e-mail address").fill(username);
  await page.getByLabel("Password").fill(password);
  await main.getByRole("button", { name: "Sign in" }).click();
  await page.getByLabel("Code").fill(recovery);
  await look(page, "sign-in with a code", problems);
  await main.getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("button", { name: `Account of ${username}` }).waitFor();

  await page.goto("/settings/preferences");
  await main.getByLabel("Language").selectOption("de");
  await main.getByRole("button", { name: "Save changes" }).click();
  await page.getByRole("heading", { name: "Vorlieben" }).waitFor();
  await look(page, "preferences", problems);
  for (const path of ["/settings/watching", "/settings/data"]) {
    await page.goto(path);
    await page.getByRole("heading", { level: 1 }).waitFor();
    await look(page, path, problems);
  }
});

/** The code that an authenticator app shows now (RFC 6238, the usual six digits of SHA-1). */
function codeOf(secret) {
  const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
  const bits = [...secret.replace(/[\s=]/g, "").toUpperCase()].map((c) => alphabet.indexOf(c).toString(2).padStart(5, "0"));
  const bytes = bits.join("").match(/.{8}/g).map((byte) => Number.parseInt(byte, 2));
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(Math.floor(Date.now() / 30_000)));
  const hash = createHmac("sha1", Buffer.from(bytes)).update(counter).digest();
  const value = hash.readUInt32BE(hash[19] & 15) & 0x7fffffff;
  return String(value % 1_000_000).padStart(6, "0");
}
