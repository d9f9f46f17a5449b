// What platform admins do: the policy with its editor, accounts, stores and moves between them, plugins, health.
// Arguments: the server's URL, a user name, a password. There is acme/debian, the user bob, and the stores main, which
// takes new files, and cold.
import { assert, look, signIn, walk } from "./harness.mjs";

await walk(async ({ url, enter, rest: [username, password], problems }) => {
  const page = await enter();
  await signIn(page, username, password);
  const main = page.getByRole("main");
  const dialog = page.getByRole("dialog");
  await page.goto("/policies");
  await page.getByText("No problems found.").waitFor();
  await look(page, "policy", problems);
  const review = main.getByRole("button", { name: "Review and save" });
  // tabs go by the arrow keys, around their ends, and one of them is a stop of the Tab key
  await page.getByRole("tab", { name: "Text" }).focus();
  for (const [key, name] of [
    ["ArrowLeft", "History"],
    ["Home", "Text"],
    ["End", "History"],
    ["ArrowRight", "Text"],
  ]) {
    await page.keyboard.press(key);
    const tab = page.getByRole("tab", { name, selected: true });
    await tab.waitFor();
    assert(await tab.evaluate((it) => it === document.activeElement), `${key} does not lead to ${name}`);
  }
  assert((await page.locator("[role=tab][tabindex='0']").count()) === 1, "more than one tab is a stop");
  assert(await review.isDisabled(), "a policy that did not change can be saved");

  // a mistake shows at its line while typing, and cannot be saved
  await main.getByRole("button", { name: "Add a file" }).click();
  await look(page, "file dialog", problems);
  await dialog.getByRole("button", { name: "Add a file" }).click();
  await page.getByRole("textbox", { name: "site.csv" }).click();
  await page.keyboard.type("# ours\np, role:member, *, box/**, verfy, allow");
  await page.getByRole("list", { name: "Problems" }).getByText(/site\.csv:2/).first().waitFor();
  assert(await review.isDisabled(), "a policy with a mistake can be saved");
  await look(page, "policy with a mistake", problems);
  for (let index = 0; index < "verfy, allow".length; index += 1) await page.keyboard.press("Backspace");
  await page.keyboard.type("verify, allow");
  await page.getByText("now allowed").first().waitFor();
  await look(page, "changed policy", problems);
  await review.click();
  await dialog.getByLabel("Why it changes").fill("members verify");
  await look(page, "review of a policy", problems);
  await dialog.getByRole("button", { name: "Put it in force" }).click();
  await page.getByText("Version 2", { exact: true }).waitFor();

  await page.getByRole("tab", { name: "Simulator" }).click();
  await page.getByLabel("Subject").fill("role:member");
  await page.getByLabel("Action").selectOption("verify");
  await page.getByLabel("Object").fill("box/debian/version/1.0.0/provider/virtualbox/architecture/amd64/file");
  await page.getByLabel("Organization", { exact: true }).fill("acme");
  await page.getByRole("button", { name: "May they?" }).click();
  await page.getByText("Yes.").waitFor();
  await page.getByText("site.csv:2 p, role:member").waitFor();
  await look(page, "simulator", problems);
  await page.getByRole("tab", { name: "Rules" }).click();
  await page.getByLabel("Search rules").fill("role:member verify");
  await page.getByRole("cell", { name: "role:member" }).waitFor();
  await look(page, "rules", problems);
  await page.getByRole("tab", { name: "History" }).click();
  await page.getByText("members verify").waitFor();
  await page.getByRole("button", { name: "Show version 1" }).click();
  await dialog.getByRole("button", { name: "Close" }).click();
  await look(page, "history", problems);
  await page.getByRole("button", { name: "Go back to version 1" }).click();
  await dialog.getByLabel("Why it changes").fill("too much");
  await dialog.getByRole("button", { name: "Go back" }).click();
  await page.getByText("Version 3", { exact: true }).waitFor();

  await page.getByRole("link", { name: "Administration" }).click();
  await page.getByRole("button", { name: "Suspend bob" }).click();
  await page.getByRole("button", { name: "Resume bob" }).waitFor();
  const refused = await fetch(`${url}/api/auth/signin`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ username: "bob", password }),
  });
  assert(refused.status === 401, `a suspended account signs in: ${refused.status}`);
  await look(page, "accounts", problems);
  const places = page.getByRole("navigation", { name: "Administration" });
  for (const [name, seen] of [
    ["Stores", "No files have moved yet"],
    ["Plugins", "stores.cold"],
    ["Health", "Well"],
    ["Jobs", "Moves between stores"],
    ["Configuration", "stores.cold.root"],
    ["All organizations", "acme"],
    ["Audit log", "Export"],
  ]) {
    await places.getByRole("link", { name }).click();
    await main.getByText(seen).first().waitFor();
    await look(page, name, problems);
  }

  // files go to another store, and it shows how far they are
  await places.getByRole("link", { name: "Stores" }).click();
  await main.getByRole("button", { name: "Move files" }).click();
  await dialog.getByLabel("Organization").fill("acme");
  await dialog.getByRole("button", { name: "What would move?" }).click();
  await dialog.getByText(/^1 file, /).waitFor();
  await look(page, "move of files", problems);
  await dialog.getByRole("button", { name: "Move files" }).click();
  const moved = main.getByRole("listitem").filter({ has: page.getByRole("img", { name: "From main to cold" }) });
  await moved.getByText("Done", { exact: true }).waitFor();
  await moved.getByText(/^1 of 1 file/).waitFor();
  await look(page, "stores after a move", problems);

  // and new ones, where an admin says so
  await places.getByRole("link", { name: "All organizations" }).click();
  await main.getByRole("row").filter({ hasText: "acme" }).getByRole("link", { name: "Storage" }).click();
  await main.getByText("As the rules of the server say.").waitFor();
  await main.getByRole("button", { name: "Choose a store" }).click();
  await dialog.getByLabel("Store").selectOption("cold");
  await look(page, "choice of a store", problems);
  await dialog.getByRole("button", { name: "Save" }).click();
  await main.getByText("A platform admin chose this store").waitFor();
  await look(page, "storage of an organization", problems);

  // whoever may read one part of the server is shown that part
  const token = await page.evaluate(() => JSON.parse(localStorage.getItem("boxvault.session")).accessToken);
  const call = async (method, path, body) => {
    const headers = { "content-type": "application/json", authorization: `Bearer ${token}` };
    const reply = await fetch(url + path, { method, headers, body: body && JSON.stringify(body) });
    assert(reply.ok, `${method} ${path}: ${reply.status} ${await reply.clone().text()}`);
    return (await reply.json()).data;
  };
  await call("POST", "/api/users", { username: "olga", email: "olga@example.com", password });
  const { files } = await call("GET", "/api/policies");
  files.push({ name: "olga.csv", text: "p, user:local:olga, -, system/jobs, read, allow\n" });
  await call("PUT", "/api/policies", { files, message: "olga looks after jobs" });
  const other = await enter();
  await signIn(other, "olga", password);
  await other.getByRole("banner").getByRole("link", { name: "Administration" }).click();
  await other.getByRole("heading", { name: "Health" }).waitFor();
  const seen = await other.getByRole("navigation", { name: "Administration" }).getByRole("link").allTextContents();
  assert(seen.join() === "Health,Jobs", `who may read jobs is offered ${seen}`);
  await other.getByRole("link", { name: "Jobs" }).click();
  await other.getByRole("cell", { name: "Moves between stores" }).waitFor();
});
