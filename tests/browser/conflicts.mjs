// Two browsers write the same thing at once: whoever saves second is told, and chooses. One of them hears of nothing, as
// where a proxy holds events back, so that the server's answer alone tells it.
// Arguments: the server's URL, a user name, a password. There is acme/debian.
import { assert, look, signIn, walk } from "./harness.mjs";

await walk(async ({ enter, rest: [username, password], problems }) => {
  const deaf = async () => {
    const page = await enter();
    await page.context().route("**/api/events", (route) => route.abort());
    await signIn(page, username, password);
    return page;
  };
  const [one, two] = [await deaf(), await deaf()];
  const save = (page) => page.getByRole("main").getByRole("button", { name: "Save changes" }).first().click();
  const isSaved = (page) => page.getByRole("button", { name: "Close" }).first().waitFor();
  const refusal = one.getByText("Nothing was saved: somebody else changed this");
  const take = one.getByRole("button", { name: "Show what is there now" });
  const keep = one.getByRole("button", { name: "Keep what I wrote" });

  const forms = [
    { path: "/organizations/acme/settings", label: "Description", mine: "mine", theirs: "theirs" },
    { path: "/acme/debian/settings", label: "Short description", mine: "mine", theirs: "theirs" },
    { path: "/settings", label: "Full name", mine: "Mine", theirs: "Theirs" },
    { path: "/settings/preferences", label: "Time zone", mine: "Europe/Berlin", theirs: "Asia/Tokyo" },
  ];
  for (const { path, label, mine, theirs } of forms) {
    const field = (page) => page.getByLabel(label, { exact: true });
    const write = async (page, text) => {
      const isChoice = await field(page).evaluate((it) => it instanceof HTMLSelectElement);
      await (isChoice ? field(page).selectOption(text) : field(page).fill(text));
    };
    await Promise.all([one.goto(path), two.goto(path)]);
    await Promise.all([write(one, mine), write(two, theirs)]);
    await save(two);
    await isSaved(two);
    await save(one);
    await refusal.waitFor();
    assert((await field(one).inputValue()) === mine, `${path}: what was typed is gone`);
    await two.goto(path);
    assert((await field(two).inputValue()) === theirs, `${path}: somebody else's change was written over`);
    if (path === forms[0].path) await look(one, "settings that changed meanwhile", problems);
    // their text, and one's own goes
    await take.click();
    await refusal.waitFor({ state: "detached" });
    assert((await field(one).inputValue()) === theirs, `${path}: what is there does not show`);
  }

  // or one's own, over theirs, and only over what one was shown
  const [{ path, label }] = forms;
  const description = (page) => page.getByLabel(label, { exact: true });
  await one.goto(path);
  await description(one).fill("what I wrote");
  for (const theirs of ["seen", "not seen"]) {
    await two.goto(path);
    await description(two).fill(theirs);
    await save(two);
    await isSaved(two);
    await save(one);
    await refusal.waitFor();
    if (theirs === "seen") await keep.click();
    if (theirs === "seen") await one.getByText("Saving replaces what they wrote").waitFor();
  }
  await keep.click();
  await save(one);
  await isSaved(one);
  await two.goto(path);
  assert((await description(two).inputValue()) === "what I wrote", "what was chosen was not saved");

  // what changed is another part of the same account, so that nobody has to choose
  await Promise.all([one.goto("/settings"), two.goto("/settings/preferences")]);
  await one.getByLabel("Full name").fill("Nobody else");
  await two.getByLabel("Time zone").selectOption("Europe/Paris");
  await save(two);
  await isSaved(two);
  await save(one);
  await isSaved(one);
  assert((await refusal.count()) === 0, "a change that touches nothing counts as a conflict");
});
