// An organization becomes a mirror of another BoxVault, shows what it has of it, and stops being one.
// Arguments: the server's URL, a user name, a password, the URL of the organization to mirror, a token for it. There is the
// organization copy, and debian at the other one.
import { assert, look, signIn, walk } from "./harness.mjs";

await walk(async ({ enter, rest: [username, password, upstream, token], problems }) => {
  const page = await enter();
  await signIn(page, username, password);
  const main = page.getByRole("main");
  const dialog = page.getByRole("dialog");
  const section = page.getByRole("region", { name: "Mirror of another registry" });
  await page.goto("/organizations/copy/settings");
  await section.getByRole("button", { name: "Mirror a registry" }).click();
  // what may not be mirrored is told at its field, and nothing that was typed is gone
  await dialog.getByLabel("Registry").fill("https://elsewhere.example/acme");
  await dialog.getByLabel("Token").fill(token);
  await dialog.getByLabel("License, where it says none").fill("MIT");
  await dialog.getByLabel("Everybody may read its boxes").check();
  const begin = dialog.getByRole("button", { name: "Mirror a registry" });
  await begin.click();
  await dialog.getByRole("alert").waitFor();
  assert((await dialog.getByLabel("Registry").getAttribute("aria-invalid")) === "true", "the address is not marked");
  await look(page, "mirror that is refused", problems);
  await dialog.getByLabel("Registry").fill(upstream);
  await begin.click();
  await dialog.waitFor({ state: "detached" });
  await section.getByText("Only what is asked for").waitFor();
  await page.getByRole("banner").waitFor();
  await main.getByText("Mirrors").first().waitFor();
  assert(!(await page.content()).includes(token), "the token shows");

  // a box comes when somebody asks for it by name
  await page.goto("/copy");
  await page.getByRole("heading", { name: "No boxes here yet" }).waitFor();
  assert((await main.getByRole("button", { name: "Create a box" }).count()) === 0, "a mirror offers to create a box");
  await look(page, "empty mirror", problems);
  await main.getByLabel("Box of the other registry").fill("debian");
  await page.keyboard.press("Enter");
  await page.waitForURL("/copy/debian");
  const facts = page.getByRole("region", { name: "Facts" });
  await facts.getByRole("link", { name: /\/acme\/debian$/ }).waitFor();
  await facts.getByText("MIT", { exact: true }).waitFor();
  assert((await main.getByRole("button", { name: "New version" }).count()) === 0, "a mirror offers a new version");
  await look(page, "mirrored box", problems);

  // what would be refused is not offered
  await main.getByRole("link", { name: "Settings" }).click();
  await page.getByText("copy is a mirror, so this box changes").waitFor();
  assert((await main.getByRole("button", { name: "Save changes" }).count()) === 0, "a mirrored box offers to be changed");
  await main.getByRole("button", { name: "Delete this box" }).waitFor();
  await look(page, "settings of a mirrored box", problems);

  // it is brought over by itself, and what goes wrong is told with what to do
  await page.goto("/organizations/copy/settings");
  await section.getByRole("button", { name: "Change the mirror" }).click();
  await dialog.getByLabel("Registry").fill(upstream.replace(/acme$/, "nobody"));
  await dialog.getByLabel("Bring all boxes over").selectOption("Another interval");
  await dialog.getByLabel("Every so many minutes").fill("90");
  await dialog.getByRole("button", { name: "Save changes" }).click();
  await section.getByText("Every 90 minutes").waitFor();
  await section.getByText("Not all could be brought over").waitFor();
  await section.getByText("One is kept").waitFor();
  await look(page, "mirror that fails", problems);

  await section.getByRole("button", { name: "End the mirror" }).click();
  await look(page, "end of a mirror", problems);
  await dialog.getByRole("button", { name: "End the mirror" }).click();
  await section.getByRole("button", { name: "Mirror a registry" }).waitFor();
  assert((await main.getByText("Mirrors").count()) === 0, "it is still said to be a mirror");
  await page.goto("/copy/debian/settings");
  await main.getByRole("button", { name: "Save changes" }).waitFor();
});
