// What happens elsewhere shows without anybody asking: a release, a role, a token, the end of a session; in every tab.
// Arguments: the server's URL, an admin's name, a user's name, the password of both. The user is a member of acme, and
// there is acme/debian.
import { assert, look, signIn, walk, watch } from "./harness.mjs";

await walk(async ({ url, enter, rest: [admin, username, password], problems }) => {
  const call = async (token, method, path, body) => {
    const headers = { "content-type": "application/json", ...(token && { "x-access-token": token }) };
    const reply = await fetch(url + path, { method, headers, body: body && JSON.stringify(body) });
    assert(reply.ok, `${method} ${path}: ${reply.status} ${await reply.clone().text()}`);
    return (await reply.json()).data;
  };
  const { accessToken: root } = await call(undefined, "POST", "/api/auth/signin", { username: admin, password });

  const page = await enter();
  let streams = 0;
  page.context().on("request", (request) => {
    if (request.url().endsWith("/api/events")) streams += 1;
  });
  await signIn(page, username, password);
  await page.goto("/acme/debian");
  await page.getByRole("button", { name: "Watch" }).click();
  await page.getByRole("button", { name: "Stop watching" }).waitFor();
  const other = await page.context().newPage();
  watch(other, problems);
  await other.goto("/organizations/acme/members");
  await other.getByText(username).first().waitFor();
  await page.bringToFront();
  assert(streams <= 3, `${streams} streams for two tabs of one browser`);

  // a new version shows, and whoever watches is told
  const box = "/api/organization/acme/box/debian";
  await call(root, "POST", `${box}/version`, { versionNumber: "3.0.0" });
  await page.getByRole("link", { name: "3.0.0" }).waitFor();
  const version = `${box}/version/3.0.0`;
  await call(root, "POST", `${version}/provider`, { name: "virtualbox" });
  await call(root, "POST", `${version}/provider/virtualbox/architecture`, { name: "amd64" });
  const old = await fetch(`${url}/acme/boxes/debian/versions/1.0.0/providers/virtualbox/amd64/vagrant.box`);
  const upload = await fetch(`${url}${version}/provider/virtualbox/architecture/amd64/file/upload`, {
    method: "PUT",
    headers: { "x-access-token": root },
    body: await old.arrayBuffer(),
  });
  assert(upload.ok, `upload: ${upload.status}`);
  await call(root, "PUT", `${version}/release`);
  await page.getByText("acme/debian 3.0.0 was released.").waitFor();

  // whoever has a file read again is told what was found
  const owner = await enter();
  await signIn(owner, admin, password);
  await owner.goto("/acme/debian/versions/3.0.0");
  await owner.getByRole("button", { name: "Read virtualbox amd64 again and compare" }).click();
  await owner.getByText("virtualbox amd64: the stored bytes are those that came.").waitFor();

  // a role that changes brings its buttons, in the tab that does not read the stream as well
  assert((await other.getByRole("button", { name: "Add a member" }).count()) === 0, "a member may add members");
  await call(root, "PUT", `/api/organization/acme/members/${username}`, { role: "admin" });
  await other.getByRole("button", { name: "Add a member" }).waitFor();
  await page.getByRole("link", { name: "Settings" }).waitFor();
  await call(root, "PUT", `/api/organization/acme/members/${username}`, { role: "member" });
  await page.getByRole("link", { name: "Settings" }).waitFor({ state: "detached" });

  // what somebody is writing stays while others change what it is about, until they take over what is there
  await call(root, "PUT", `/api/organization/acme/members/${username}`, { role: "admin" });
  await other.getByRole("button", { name: "Add a member" }).waitFor();
  await other.goto("/organizations/acme/settings");
  const description = other.getByLabel("Description");
  await description.fill("what I am writing");
  await call(root, "PUT", "/api/organization/acme", { description: "what another one wrote" });
  await other.getByText("Somebody else changed this").waitFor();
  assert((await description.inputValue()) === "what I am writing", "an event took away what was typed");
  await look(other, "settings that changed elsewhere", problems);
  await other.getByRole("button", { name: "Show what is there now" }).click();
  assert((await description.inputValue()) === "what another one wrote", "what is there does not show");
  // who has written nothing sees what others write
  await call(root, "PUT", "/api/organization/acme", { description: "once more" });
  await other.locator("textarea", { hasText: "once more" }).waitFor();
  // and one's own change is nobody else's
  await description.fill("mine");
  await other.getByRole("button", { name: "Save" }).click();
  await other.locator("textarea", { hasText: "mine" }).waitFor();
  assert((await other.getByText("Somebody else changed this").count()) === 0, "one's own change counts as another's");
  await call(root, "PUT", `/api/organization/acme/members/${username}`, { role: "member" });
  await other.goto("/organizations/acme/members");
  await other.getByText(username).first().waitFor();

  // the tab that read the stream goes; the other one goes on
  await page.close();
  await call(root, "PUT", `/api/organization/acme/members/${username}`, { role: "admin" });
  await other.getByRole("button", { name: "Add a member" }).waitFor();

  // the end of the account is the end of the session, without a click
  await call(root, "PUT", `/api/users/${username}`, { suspended: true });
  await other.getByText("Your session has ended").waitFor();
  await other.getByRole("banner").getByRole("link", { name: "Sign in" }).waitFor();
});
