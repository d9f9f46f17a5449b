// From an empty server to a box that Vagrant can fetch, without anything but the pages.
// Arguments: the server's URL, the one-time token, a box file, its SHA-256.
import { assert, look, walk } from "./harness.mjs";

await walk(async ({ enter, rest: [token, file, sha256], problems }) => {
  const page = await enter();
  await page.goto("/acme/web");
  await page.waitForURL("/setup");
  await look(page, "set-up", problems);
  const main = page.getByRole("main");
  await page.getByLabel("One-time token").fill("bvs_wrong");
  await page.getByLabel("User name").fill("alice");
  await page.getByLabel("E-mail address").fill("alice@example.com");
  await page.getByLabel("Password").fill("correct horse battery");
  await main.getByRole("button", { name: "Create the admin" }).click();
  await page.getByRole("alert").waitFor();
  await page.getByLabel("One-time token").fill(token);
  await main.getByRole("button", { name: "Create the admin" }).click();
  await page.getByRole("heading", { name: "Your first organization" }).waitFor();
  await look(page, "first organization", problems);
  await page.getByLabel("Name", { exact: true }).fill("acme");
  await main.getByRole("button", { name: "Create an organization" }).click();

  await page.waitForURL("/acme");
  await page.getByRole("heading", { name: "No boxes here" }).waitFor();
  const step = (name) => page.locator("[aria-current=step]", { hasText: name }).waitFor();
  await step("Create a box");
  await look(page, "empty organization", problems);
  await main.getByRole("button", { name: "Create a box" }).first().click();
  const dialog = page.getByRole("dialog");
  await look(page, "box dialog", problems);
  // a refusal of the server stands at its field
  await dialog.getByLabel("Name", { exact: true }).fill("no/name");
  await dialog.getByRole("button", { name: "Create a box" }).click();
  await dialog.locator("[aria-invalid=true]").waitFor();
  await dialog.getByLabel("Name", { exact: true }).fill("web");
  await dialog.getByLabel("Short description").fill("<b>bold</b> & plain");
  await dialog.getByLabel(/^Public/).check();
  await dialog.getByRole("button", { name: "Create a box" }).click();

  await page.waitForURL("/acme/web");
  await step("Add a version");
  await look(page, "empty box", problems);
  await main.getByRole("button", { name: "New version" }).click();
  await page.getByLabel("Version number").fill("1.0.0");
  await page.getByLabel("Release notes").fill("# First\n\n<script>window.stolen = true</script>");
  await dialog.getByRole("button", { name: "New version" }).click();
  await page.waitForURL("/acme/web/versions/1.0.0");
  const release = main.getByRole("button", { name: "Release" });
  assert(await release.isDisabled(), "a version without a file can be released");
  await step("Upload its file");
  await look(page, "empty version", problems);

  await page.getByLabel("Choose files").setInputFiles(file);
  await dialog.getByLabel("Architecture").fill("amd64");
  await look(page, "upload dialog", problems);
  await dialog.getByRole("button", { name: "Start the upload" }).click();
  await page.getByText("Uploaded and checked").waitFor();
  await page.getByTitle(`sha256 ${sha256}`).waitFor();
  await step("Release it");
  await look(page, "version with a file", problems);
  await release.click();
  await dialog.getByRole("button", { name: "Release" }).click();
  await main.getByText("Released", { exact: true }).waitFor();
  await step("Bring it up");

  await main.getByRole("link", { name: "acme/web" }).click();
  await page.waitForURL("/acme/web");
  await page.getByText("vagrant init acme/web").waitFor();
  await look(page, "box", problems);
  assert(!(await page.evaluate(() => window.stolen)), "a script of a release note ran");

  // whoever is not signed in sees it as well, and nothing to change it by
  const visitor = await enter();
  await visitor.goto("/acme/web");
  await visitor.getByText("<b>bold</b> & plain").waitFor();
  assert((await visitor.getByRole("button", { name: "New version" }).count()) === 0, "a visitor may change it");
});
