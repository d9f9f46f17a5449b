// What those who lead an organization do: members, invitations, service accounts, log, settings, versions.
// Arguments: the server's URL, a user name, a password. There is acme/debian with a released 1.0.0, and the users bob and dave.
import { assert, look, signIn, walk } from "./harness.mjs";

await walk(async ({ url, enter, rest: [username, password], problems }) => {
  const page = await enter();
  await signIn(page, username, password);
  const main = page.getByRole("main");
  const dialog = page.getByRole("dialog");
  await page.goto("/organizations/acme/members");
  await main.getByRole("button", { name: "Add a member" }).click();
  await dialog.getByLabel("User name").fill("bob");
  await dialog.getByRole("button", { name: "Add a member" }).click();
  await page.getByLabel("Role of bob").selectOption("admin");
  await page.getByText(/bob/).first().waitFor();
  await main.getByRole("button", { name: "Invite by e-mail" }).click();
  await dialog.getByLabel("E-mail address").fill("carol@example.com");
  await dialog.getByRole("button", { name: "Send the invitation" }).click();
  await page.getByRole("cell", { name: "carol@example.com", exact: true }).waitFor();
  await look(page, "members", problems);
  await page.getByRole("button", { name: "Withdraw the invitation to carol@example.com" }).click();
  await page.getByText("Nobody is invited at the moment.").waitFor();

  await page.getByRole("link", { name: "Service accounts" }).click();
  await page.getByRole("heading", { name: "No service accounts" }).waitFor();
  await main.getByRole("button", { name: "Create a service account" }).click();
  await dialog.getByLabel("Name", { exact: true }).fill("nightly");
  await dialog.getByLabel("upload", { exact: true }).check();
  await look(page, "service account dialog", problems);
  await dialog.getByRole("button", { name: "Create a service account" }).click();
  // the secret works, and shows once
  const secret = (await dialog.locator("pre").textContent()).trim();
  const answer = await fetch(`${url}/api/organization/acme`, { headers: { "x-access-token": secret } });
  assert(answer.status !== 401, `the secret of the service account: ${answer.status}`);
  await dialog.getByRole("button", { name: "I have kept it" }).click();
  await page.getByRole("button", { name: "Suspend nightly" }).click();
  await page.getByRole("button", { name: "Resume nightly" }).waitFor();
  await look(page, "service accounts", problems);
  assert(!(await page.content()).includes(secret), "the secret still shows");

  await page.getByRole("link", { name: "Storage" }).click();
  await page.getByRole("cell", { name: "debian" }).waitFor();
  await look(page, "storage", problems);
  await page.getByRole("link", { name: "Audit log" }).click();
  await page.getByRole("textbox", { name: "Object" }).fill("box/debian");
  await page.getByLabel("Action").fill("release");
  await page.getByRole("button", { name: "Filter" }).click();
  await page.getByText("box/debian/version/1.0.0", { exact: true }).first().waitFor();
  await look(page, "audit log", problems);
  await page.getByRole("link", { name: "Settings" }).click();
  await page.getByLabel("Description").fill("Boxes <of> ours");
  await page.getByRole("button", { name: "Save changes" }).click();
  await page.locator("p", { hasText: "Boxes <of> ours" }).waitFor();
  await look(page, "organization settings", problems);

  // rules of its own: a mistake at its line, then what they change, then in force
  await page.getByRole("link", { name: "Rules" }).click();
  const rules = page.getByRole("textbox", { name: "Rules" });
  await rules.click();
  await page.keyboard.type("p, role:acme/builder, acme, box/**, uplod, allow");
  await page.getByRole("list", { name: "Problems" }).getByText(/^1:/).waitFor();
  await look(page, "rules with a mistake", problems);
  for (let index = 0; index < "uplod, allow".length; index += 1) await page.keyboard.press("Backspace");
  await page.keyboard.type("upload, allow\ng, user:local:bob, role:acme/builder, acme");
  await page.getByText("now allowed").first().waitFor();
  await main.getByRole("button", { name: "Review and save" }).click();
  await dialog.getByLabel("Why it changes").fill("bob builds");
  await dialog.getByRole("button", { name: "Put it in force" }).click();
  await dialog.waitFor({ state: "detached" });
  await look(page, "rules", problems);

  // a version: deprecated with a reason, then withdrawn
  await page.goto("/acme/debian/versions/1.0.0");
  const act = async (name) => {
    await main.getByRole("button", { name: "Actions" }).click();
    await page.getByRole("menuitem", { name }).click();
  };
  await act("Deprecate");
  await dialog.getByLabel("This version is deprecated").check();
  await dialog.getByLabel("Reason").fill("use 2");
  await dialog.getByRole("button", { name: "Save changes" }).click();
  await page.getByText("This version is deprecated: choose another one if you can.").waitFor();
  await look(page, "deprecated version", problems);
  await act("Revoke");
  await dialog.getByRole("button", { name: "Revoke" }).click();
  await page.getByText("This version was withdrawn.").waitFor();

  // somebody asks to join, and is taken in
  await page.goto("/organizations/acme/settings");
  await page.getByLabel("Who sees it and how one joins").selectOption("request_to_join");
  await page.getByRole("button", { name: "Save changes" }).click();
  await page.getByRole("button", { name: "Close" }).first().waitFor();
  const dave = await enter();
  await signIn(dave, "dave", password);
  await dave.goto("/acme");
  await dave.getByRole("button", { name: "Ask to join" }).click();
  await dave.getByLabel("A word to them").fill("I build <b>boxes</b>");
  await look(dave, "request to join", problems);
  await dave.getByRole("dialog").getByRole("button", { name: "Ask to join" }).click();
  await dave.getByText("You asked to join").waitFor();
  await page.goto("/organizations/acme/members");
  await page.getByText("I build <b>boxes</b>").waitFor();
  await look(page, "members with a request", problems);
  await main.getByRole("button", { name: "Approve" }).click();
  await dialog.getByRole("button", { name: "Approve" }).click();
  await page.getByLabel("Role of dave").waitFor();

  // a box that was deleted comes back
  await page.goto("/acme/debian/settings");
  await main.getByRole("button", { name: "Delete this box" }).click();
  const remove = dialog.getByRole("button", { name: "Delete" });
  assert(await remove.isDisabled(), "a box is deleted without its name typed");
  await dialog.getByLabel(/to confirm$/).fill("debian");
  await remove.click();
  await page.waitForURL("/acme");
  await page.goto("/organizations/acme/settings");
  await page.getByRole("button", { name: "Restore" }).click();
  await page.getByRole("button", { name: "Restore" }).waitFor({ state: "detached" });
  await page.goto("/acme/debian");
  await page.getByRole("heading", { name: "acme/debian" }).waitFor();
});
