// Signing in through a directory: people choose it, and their groups decide.
// Arguments: the server's URL.
import { look, walk } from "./harness.mjs";

await walk(async ({ enter, problems }) => {
  const page = await enter();
  await page.goto("/login?next=/acme/secret");
  await page.getByLabel("Sign in with").selectOption("corp");
  await look(page, "sign-in with a directory", problems);
  await page.getByLabel("User name or e-mail address").fill("ann");
  await page.getByLabel("Password", { exact: true }).fill("wrong horse");
  await page.getByRole("main").getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("alert").waitFor();
  await page.getByLabel("Password", { exact: true }).fill("correct horse");
  await page.getByRole("main").getByRole("button", { name: "Sign in" }).click();
  await page.waitForURL("/acme/secret");
  await page.getByRole("button", { name: "Account of ann" }).waitFor();
  await page.getByRole("heading", { name: "secret" }).first().waitFor();
  // there is no second place to sign out of
  await page.getByRole("button", { name: "Account of ann" }).click();
  await page.getByRole("menuitem", { name: "Sign out" }).click();
  await page.getByRole("link", { name: "Sign in" }).waitFor();
});
