// A large file: paused, the page loaded anew, chosen again, finished, released.
// Arguments: the server's URL, a user name, a password, the file, its SHA-256. There is acme/debian with an empty 2.0.0.
import { assert, look, signIn, walk } from "./harness.mjs";

/** Far longer than 2 GiB take on a slow machine. */
const UPLOAD_MS = 600_000;

await walk(async ({ enter, rest: [username, password, file, sha256], problems }) => {
  const page = await enter();
  await signIn(page, username, password);
  await page.goto("/acme/debian/versions/2.0.0");
  await page.getByLabel("Choose files").setInputFiles(file);
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel("Provider").fill("virtualbox");
  await dialog.getByLabel("Architecture").fill("amd64");

  // the line stops after the first chunk, so that there is a time to pause in
  let chunks = 0;
  await page.route("**/file/uploads/*", async (route) => {
    if (route.request().method() === "PATCH") chunks += 1;
    if (chunks <= 1) await route.continue();
  });
  const kept = page.waitForResponse((reply) => reply.request().method() === "PATCH" && reply.ok());
  await dialog.getByRole("button", { name: "Start the upload" }).click();
  const progress = page.getByRole("progressbar");
  await kept;
  await page.getByText(/ left/).waitFor();
  await look(page, "running upload", problems);
  await page.getByRole("button", { name: "Pause" }).click();
  await page.getByText(/Paused at/).waitFor();

  page.on("dialog", (asked) => asked.accept());
  await page.unroute("**/file/uploads/*");
  await page.reload();
  await page.getByText("Not finished:").waitFor();
  await look(page, "unfinished upload", problems);
  let sent = 0;
  let begun = 0;
  page.on("request", (request) => {
    if (request.method() === "PATCH") sent += 1;
    if (request.method() === "POST" && request.url().endsWith("/file/uploads")) begun += 1;
  });
  await page.getByLabel("Choose the file").setInputFiles(file);
  await page.getByText("Uploaded and checked").waitFor({ timeout: UPLOAD_MS });
  assert(begun === 0 && sent > 0, `it began anew: ${begun} begun, ${sent} sent`);
  assert((await progress.getAttribute("aria-valuenow")) === "100", "it is not whole");
  await page.getByTitle(`sha256 ${sha256}`).waitFor();
  await page.getByRole("main").getByRole("button", { name: "Release" }).click();
  await dialog.getByRole("button", { name: "Release" }).click();
  await page.getByRole("main").getByText("Released", { exact: true }).waitFor();
});
