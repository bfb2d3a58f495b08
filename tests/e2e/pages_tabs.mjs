// Sessions that end, and several tabs at once, in a real browser.
// What it needs is told in chromium.mjs.

import assert from "node:assert/strict";
import { after, before } from "node:test";
import { account, desk, fillIn, launch, person, signIn, statusOf, test, until, url } from "./chromium.mjs";

let browser;
before(async () => (browser = await launch()));
after(() => browser?.close());

test("an expired session: a page leads to sign-in and back, a script gets 401", async () => {
  const { page } = await person(browser);
  const link = "/things?page=2&q=a%20b";
  await signIn(page, "viewer", link);
  await desk("expire");
  await until("the end to be felt", async () => (await statusOf(page, "/things")) === 401);
  const told = await page.evaluate(async () => {
    const answer = await fetch("/things");
    return [answer.status, answer.redirected, (await answer.json()).code];
  });
  assert.deepEqual(told, [401, false, "session_ended"]);
  await page.reload();
  assert.match(page.url(), /\/\.portcullis\/sign-in\?return=/);
  await fillIn(page, "viewer");
  await page.waitForURL(url + link);
  assert.equal(await statusOf(page, "/things"), 200);
});

test("signed in in one tab, the other goes on", async () => {
  const { context, page } = await person(browser);
  const other = await context.newPage();
  await page.goto(`${url}/things?tab=1`);
  await other.goto(`${account}/keys`);
  await fillIn(page, "viewer");
  await page.waitForURL(`${url}/things?tab=1`);
  await other.reload();
  await other.waitForURL(`${account}/keys`);
});

test("both tabs send the form at the same time, and each goes where it was going", async () => {
  const { context, page } = await person(browser);
  const other = await context.newPage();
  await page.goto(`${url}/things?tab=1`);
  await other.goto(`${url}/things?tab=2`);
  await Promise.all([fillIn(page, "editor"), fillIn(other, "editor")]);
  await Promise.all([
    page.waitForURL(`${url}/things?tab=1`),
    other.waitForURL(`${url}/things?tab=2`),
  ]);
  for (const tab of [page, other]) assert.equal(await statusOf(tab, "/things"), 200);
  // A form of a tab whose session was replaced meanwhile is refused, and then works.
  await other.goto(account);
  await other.getByRole("heading", { name: "editor@example.com" }).waitFor();
});

test("signed out in one tab, the other is led to sign-in", async () => {
  const { context, page } = await person(browser);
  await signIn(page, "owner");
  const other = await context.newPage();
  await other.goto(`${account}/sessions`);
  await page.getByRole("button", { name: "Sign out" }).click();
  await page.waitForURL(`${url}/.portcullis/sign-in`);
  assert.equal(await statusOf(other, "/things"), 401);
  await other.getByRole("link", { name: "API keys" }).click();
  await other.waitForURL(/\/\.portcullis\/sign-in\?return=/);
  // A form that was open there changes nothing, and leads to sign-in as well.
  await other.goBack();
  await fillIn(page, "owner");
  await page.waitForURL(`${url}/`);
});

test("no cookie grows: each is of one length, whatever was done", async () => {
  const { context, page } = await person(browser);
  const cookies = async () => (await context.cookies()).map(({ name, value }) => [name, value.length]);
  const device = ["portcullis-dev-device", 74];
  const seen = [];
  for (let times = 0; times < 3; times++) {
    await signIn(page, "admin", `/.portcullis/account?times=${"x".repeat(times * 200)}`);
    await page.goto(`${url}/.portcullis/re-authenticate?return=/.portcullis/account`);
    seen.push(...(await cookies()));
    await page.goto(account);
    await page.getByRole("button", { name: "Sign out" }).click();
    await page.waitForURL(`${url}/.portcullis/sign-in`);
    // That somebody has signed in with this browser is still known.
    assert.deepEqual(await cookies(), [device]);
  }
  assert.deepEqual(seen.sort(), [...Array(3).fill(["portcullis-dev", 75]), ...Array(3).fill(device)]);
});
