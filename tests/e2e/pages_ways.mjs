// From sign-in to sign-out in a real browser: by mouse, by keyboard alone, without JavaScript.
// What it needs is told in chromium.mjs.

import assert from "node:assert/strict";
import { after, before } from "node:test";
import { account, asScript, desk, fillIn, launch, password, person, signIn, statusOf, test, until, url } from "./chromium.mjs";

let browser;
before(async () => (browser = await launch()));
after(() => browser?.close());

test("a deep link leads to sign-in, past a wrong password, and back to itself", async () => {
  const { page, complaints } = await person(browser);
  const link = `${url}/things?page=2&q=a%20b&next=//evil.example`;
  await page.goto(link);
  assert.match(page.url(), /\/\.portcullis\/sign-in\?return=/);
  assert.equal(await page.title(), "Sign in · Portcullis");
  await fillIn(page, "viewer", "wrong horse battery");
  const alert = page.getByRole("alert");
  await alert.waitFor();
  assert.match(await alert.innerText(), /wrong/);
  assert.equal(await page.getByLabel("E-mail address").inputValue(), "viewer@example.com");
  await page.getByLabel("Password", { exact: true }).fill(password);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.waitForURL(link);
  await page.getByRole("heading", { name: "Things" }).waitFor();
  // Who is signed in is not asked again.
  await page.goto(`${url}/.portcullis/sign-in?return=/things`);
  assert.equal(page.url(), `${url}/things`);
  assert.deepEqual(complaints, []);
});

// The names of what has the focus, one Tab after another, until it leaves the page.
async function tabThrough(page) {
  const names = [];
  for (let at = 0; at < 60; at++) {
    await page.keyboard.press("Tab");
    const seen = await page.evaluate(() => {
      const it = document.activeElement;
      if (!it || it === document.body) return null;
      const { outlineStyle, outlineWidth } = getComputedStyle(it);
      const box = it.getBoundingClientRect();
      const visible = outlineStyle !== "none" && parseFloat(outlineWidth) >= 2 && box.width > 0;
      const text = it.ariaLabel ?? it.labels?.[0]?.innerText ?? it.innerText;
      return { name: text.trim(), visible, inView: box.top >= 0 && box.bottom <= innerHeight };
    });
    if (!seen) break;
    assert.ok(seen.visible, `the focus on ${seen.name} is not seen`);
    assert.ok(seen.inView, `${seen.name} has the focus out of sight`);
    names.push(seen.name);
  }
  return names;
}

test("by keyboard alone: sign-in, every control of the account, a key, sign-out", async () => {
  const { page } = await person(browser);
  await page.goto(account);
  // The form waits for the name, a moment after it is there.
  await page.waitForFunction(() => document.activeElement?.id === "email");
  await page.keyboard.type("editor@example.com");
  await page.keyboard.press("Tab");
  await page.keyboard.type(password);
  await page.keyboard.press("Enter");
  await page.waitForURL(account);
  const around = ["Sign out", "Account", "Project", "API keys", "Sessions", "Password", "Second factors"];
  assert.deepEqual((await tabThrough(page)).slice(0, around.length), around);
  await page.goto(`${account}/keys`);
  const names = await tabThrough(page);
  assert.deepEqual(names.slice(0, around.length), around);
  assert.match(names[around.length], /^Revoke /);
  assert.deepEqual(names.slice(-4), ["Name", "Project", "Expires", "Make the key"]);
  await page.getByRole("textbox", { name: "Name" }).focus();
  await page.keyboard.type("by keyboard");
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: "Your new key" }).waitFor();
  await page.goto(`${account}/keys`);
  // The newest is the first.
  for (let at = 0; at <= around.length; at++) await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  await page.keyboard.press("Tab");
  assert.match(await page.evaluate(() => document.activeElement.ariaLabel), /^Revoke for good: by keyboard/);
  await page.keyboard.press("Enter");
  await page.getByText("by keyboard").waitFor({ state: "detached" });
  await page.goto(`${account}/password`);
  const password_ = ["Current password", "New password", "New password once more", "Change it"];
  assert.deepEqual((await tabThrough(page)).slice(around.length), password_);
  await page.goto(account);
  await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  await page.waitForURL(`${url}/.portcullis/sign-in`);
});

test("without JavaScript everything works", async () => {
  const { page } = await person(browser, { javaScriptEnabled: false });
  const other = await person(browser);
  await signIn(other.page, "owner");
  await signIn(page, "owner", "/things");
  await page.goto(`${account}/keys`);
  await page.getByRole("textbox", { name: "Name" }).fill("no script");
  await page.getByLabel("Expires").selectOption("");
  await page.getByRole("button", { name: "Make the key" }).click();
  const key = (await page.locator(".secret").innerText()).trim();
  const used = await fetch(`${url}/things`, { headers: { authorization: `Bearer ${key}` } });
  assert.equal(used.status, 200);
  await page.getByRole("link", { name: "I have copied it" }).click();
  const row = page.getByRole("listitem").filter({ hasText: "no script" });
  await row.getByText("Revoke…").click();
  await row.getByRole("button", { name: /for good/ }).click();
  await row.waitFor({ state: "detached" });
  await page.goto(`${account}/sessions`);
  await page.getByRole("button", { name: /^End the session/ }).click();
  await page.waitForURL(`${account}/sessions`);
  await until("the other session to end", async () => (await statusOf(other.page, "/things")) === 401);
  await page.getByRole("button", { name: "Sign out" }).click();
  await page.waitForURL(`${url}/.portcullis/sign-in`);
  await page.goto(`${account}/keys`);
  assert.match(page.url(), /sign-in\?return=/);
});

test("a key is shown once: a reload sends the form again, which makes and shows none", async () => {
  const { page } = await person(browser);
  await signIn(page, "viewer", "/.portcullis/account/keys");
  await page.getByRole("textbox", { name: "Name" }).fill("once <b>\"'&");
  await page.getByRole("button", { name: "Make the key" }).click();
  const key = (await page.locator(".secret").innerText()).trim();
  assert.match(key, /^pcl_live_/);
  page.on("dialog", (dialog) => dialog.accept());
  await page.reload();
  assert.match(await page.getByRole("alert").innerText(), /made its key already/);
  assert.ok(!(await page.content()).includes(key));
  assert.equal(await page.getByText("once <b>\"'&").count(), 1);
});

test("another password ends the other sessions, and the former password is none", async () => {
  const { page } = await person(browser);
  const other = await person(browser);
  await signIn(page, "stranger", "/.portcullis/account/password");
  await signIn(other.page, "stranger");
  const change = async (current, next, again) => {
    await page.getByLabel("Current password").fill(current);
    await page.getByLabel("New password", { exact: true }).fill(next);
    await page.getByLabel("New password once more").fill(again);
    await page.getByRole("button", { name: "Change it" }).click();
  };
  await change(password, "another good password", "another good passwort");
  assert.match(await page.getByRole("alert").innerText(), /not the same/);
  await change("wrong horse battery", "another good password", "another good password");
  assert.match(await page.getByRole("alert").innerText(), /current password is wrong/);
  await change(password, "another good password", "another good password");
  await page.waitForURL(account);
  await until("the other session to end", async () => (await statusOf(other.page, "/things")) === 401);
  assert.equal(await statusOf(page, "/.portcullis/account"), 200);
  await other.page.goto(account);
  await fillIn(other.page, "stranger");
  await other.page.getByRole("alert").waitFor();
  await fillIn(other.page, "stranger", "another good password");
  await other.page.waitForURL(account);
});

test("what is sensitive asks for the password again and then goes on", async () => {
  const viewer = await person(browser);
  await signIn(viewer.page, "viewer", "/things?page=3");
  await desk("age");
  const aged = async () => (await statusOf(viewer.page, "/things", { method: "POST" })) === 401;
  await until("the session to be old", aged);
  await viewer.page.getByRole("button", { name: "Export" }).click();
  await viewer.page.getByRole("heading", { name: "Confirm that it is you" }).waitFor();
  const field = viewer.page.getByLabel("Password of viewer@example.com");
  await field.fill("wrong horse battery");
  await viewer.page.getByRole("button", { name: "Go on" }).click();
  await viewer.page.getByRole("alert").waitFor();
  await field.fill(password);
  await viewer.page.getByRole("button", { name: "Go on" }).click();
  // The form was kept, and is offered again.
  await viewer.page.getByRole("heading", { name: "Go on?" }).waitFor();
  await viewer.page.getByRole("button", { name: "Do it now" }).click();
  await viewer.page.getByRole("heading", { name: "Exported" }).waitFor();
});

test("a refusal is a page that says what to do; a script gets what it always got", async () => {
  const { page, complaints } = await person(browser);
  await signIn(page, "viewer");
  for (const [path, status, heading] of [
    ["/nothing", 404, "There is nothing here"],
    ["/secrets", 403, "You may not do this"],
    ["/away", 502, "The service behind this site does not answer"],
  ]) {
    const answer = await page.goto(url + path);
    assert.equal(answer.status(), status, path);
    await page.getByRole("heading", { name: heading }).waitFor();
    const id = answer.headers()["x-request-id"];
    await page.getByText(id).waitFor();
    const script = await asScript(page, path);
    assert.equal(script.status(), status);
    assert.equal(script.headers()["content-type"], "application/problem+json");
    await page.getByText((await script.json()).detail).waitFor();
  }
  await page.getByRole("link", { name: "Your account and roles" }).click();
  await page.waitForURL(account);
  assert.deepEqual(complaints, []);
});
