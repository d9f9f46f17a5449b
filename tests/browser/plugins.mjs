// What the conformance kit found of each plugin shows with it.
// Arguments: the server's URL, an admin's name and password. There are stores.odd, whose plugin broke promises, and
// stores.main, whose plugin nobody has tried.
import { assert, look, signIn, walk } from "./harness.mjs";

await walk(async ({ enter, rest: [username, password], problems }) => {
  const page = await enter();
  await signIn(page, username, password);
  await page.goto("/admin/plugins");
  const odd = page.getByRole("region", { name: "stores.odd" });
  await odd.getByText("It breaks promises").waitFor();
  // what fails is there at once, with what was found instead; the rest when somebody asks
  const broken = odd.getByRole("listitem").filter({ hasText: "A taken key is refused." }).first();
  assert(((await broken.textContent()) ?? "").length > "A taken key is refused. (storage)".length, "no reason is told");
  await odd.getByText(/\d+ failed, \d+ kept/).first().waitFor();
  await look(page, "plugins with a report", problems);
  await odd.getByText("Every promise, and how it ended").click();
  await odd.getByText("Kept", { exact: true }).first().waitFor();
  await look(page, "every promise", problems);
  const main = page.getByRole("region", { name: "stores.main" });
  await main.getByText("boxvault plugin check fs --config fs.toml --keep").waitFor();
});
