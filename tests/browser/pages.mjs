// Every page by its address, held to axe and to each width, light and dark; with SCREENSHOTS=FOLDER as pictures.
// Arguments: the server's URL, an admin's name and password; then, if there is one, the URL of a server that nobody has
// set up. What the pages show is what is there: acme/debian with 1.0.0 should be. SPEAK=de shows them in that language.
import { look, signIn, walk } from "./harness.mjs";

const { SPEAK } = process.env;

const FOR_ALL = [
  "/",
  "/discover",
  "/discover?q=nothing-is-called-so",
  "/login",
  "/login/sign-up",
  "/login/forgot",
  "/login/callback/nobody",
  "/reset-password",
  "/reset-password#token=none",
  "/verify-email",
  "/verify-email#token=none",
  "/stop-watching",
  "/stop-watching#token=none",
  "/invitation",
  "/invitation#token=none",
  "/organization/join-request",
  "/organizations",
  "/acme",
  "/acme/debian",
  "/acme/debian/versions/1.0.0",
  "/acme/there-is-no-such-box",
  "/nobody/nothing/at/all",
];

const FOR_ADMINS = [
  "/",
  "/discover",
  "/organizations",
  "/acme",
  "/acme?q=nothing-is-called-so",
  "/acme/debian",
  "/acme/debian/settings",
  "/acme/debian/versions/1.0.0",
  "/organizations/acme/members",
  "/organizations/acme/service-accounts",
  "/organizations/acme/usage",
  "/organizations/acme/audit",
  "/organizations/acme/rules",
  "/organizations/acme/settings",
  "/settings",
  "/settings/security",
  "/settings/tokens",
  "/settings/watching",
  "/settings/preferences",
  "/settings/data",
  "/policies",
  "/admin",
  "/admin/organizations",
  "/admin/stores",
  "/admin/plugins",
  "/admin/health",
  "/admin/jobs",
  "/admin/configuration",
  "/admin/audit",
];

await walk(async ({ enter, rest: [username, password, empty], problems }) => {
  const see = async (page, who, paths) => {
    if (SPEAK) await page.addInitScript(speak, SPEAK);
    for (const path of paths) {
      // another part after "#" alone would load nothing
      await page.goto("about:blank");
      await page.goto(path);
      await look(page, `${who} ${path}`, problems);
    }
  };
  await see(await enter(), "visitor", FOR_ALL);
  if (empty) await see(await enter({ baseURL: empty }), "first start", ["/"]);
  const page = await enter();
  await signIn(page, username, password);
  await see(page, "admin", FOR_ADMINS);
  await page.getByRole("banner").getByRole("button", { name: username }).click();
  await look(page, "admin menu", problems);
});

/** Runs in the page, before anything of it. */
function speak(tag) {
  if (location.protocol !== "about:") localStorage.setItem("boxvault.language", tag);
}
