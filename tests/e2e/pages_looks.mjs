// Every page in both colour schemes, narrow and enlarged: axe-core finds nothing serious, and
// nothing has to be scrolled sideways. Pictures of all of them are written to SCREENSHOTS.
// What it needs is told in chromium.mjs.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { after, before } from "node:test";
import { account, fillIn, launch, password, person, test, url } from "./chromium.mjs";

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const make = async (page) => {
  await page.goto(`${account}/keys`);
  await page.getByRole("textbox", { name: "Name" }).fill("Notebook");
  await page.getByRole("button", { name: "Make the key" }).click();
  await page.locator(".secret").waitFor();
};

// How each page is reached; those at the end need somebody who is signed in.
const open = (path) => (page) => page.goto(url + path);
const refused = (path, status) => async (page) =>
  assert.equal((await page.goto(url + path)).status(), status, path);
const strangers = {
  "sign-in": open("/.portcullis/sign-in?return=/things"),
  "sign-in-wrong": async (page) => {
    await page.goto(`${url}/.portcullis/sign-in`);
    await fillIn(page, "nobody", "wrong horse battery");
    await page.getByRole("alert").waitFor();
  },
};
const pages = {
  account: open("/.portcullis/account"),
  "key-made": make,
  keys: open("/.portcullis/account/keys"),
  "keys-revoke": async (page) => {
    await page.goto(`${account}/keys`);
    await page.getByText("Revoke…").first().click();
  },
  sessions: open("/.portcullis/account/sessions"),
  password: open("/.portcullis/account/password"),
  "password-wrong": async (page) => {
    await page.goto(`${account}/password`);
    await page.getByLabel("Current password").fill(password);
    await page.getByLabel("New password", { exact: true }).fill("another good password");
    await page.getByLabel("New password once more").fill("something else again");
    await page.getByRole("button", { name: "Change it" }).click();
    await page.getByRole("alert").waitFor();
  },
  factors: open("/.portcullis/account/factors"),
  totp: open("/.portcullis/account/factors/totp"),
  "re-authenticate": open("/.portcullis/re-authenticate?return=/things"),
  "error-which-project": refused("/things", 400),
  "nothing-changed": async (page) => {
    await page.goto(`${account}/sessions`);
    const id = "00000000-0000-4000-8000-000000000000";
    const form = page.locator("form").first();
    await form.evaluate((it, id) => (it.action = `/.portcullis/account/sessions/${id}/end`), id);
    await form.getByRole("button").click();
    await page.getByRole("heading", { name: "Nothing was changed" }).waitFor();
  },
};

// Somebody with one project.
const errors = {
  "error-403": refused("/secrets", 403),
  "error-404": refused("/nothing", 404),
  "error-502": refused("/away", 502),
};

let browser;
before(async () => (browser = await launch()));
after(() => browser?.close());

async function check(page, name) {
  await page.evaluate(axe);
  const { violations } = await page.evaluate(() => window.axe.run());
  const serious = violations.filter(({ impact }) => ["serious", "critical"].includes(impact));
  const told = serious.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(" ")}`);
  assert.deepEqual(told, [], name);
}

async function fits(page, name) {
  const [needs, has] = await page.evaluate(() => {
    const it = document.documentElement;
    return [it.scrollWidth, it.clientWidth];
  });
  assert.ok(needs <= has, `${name} needs ${needs} px of ${has}`);
}

async function walk(options, look) {
  const { page, complaints } = await person(browser, options);
  for (const [name, go] of Object.entries(strangers)) {
    await go(page);
    await look(page, name);
  }
  for (const [who, shown] of [["ann.o'neill", pages], ["viewer", errors]]) {
    await page.context().clearCookies();
    await page.goto(account);
    await fillIn(page, who);
    await page.waitForURL(account);
    for (const [name, go] of Object.entries(shown)) {
      await go(page);
      await look(page, name);
    }
  }
  assert.deepEqual(complaints, []);
}

for (const colorScheme of ["light", "dark"]) {
  test(`axe-core finds nothing serious: ${colorScheme}`, () =>
    walk({ colorScheme }, async (page, name) => {
      const path = join(process.env.SCREENSHOTS, `${name}-${colorScheme}.png`);
      await page.screenshot({ path, fullPage: true });
      await check(page, name);
    }));
}

test("320 px are enough", () =>
  walk({ viewport: { width: 320, height: 640 } }, async (page, name) => {
    const path = join(process.env.SCREENSHOTS, `${name}-narrow.png`);
    await page.screenshot({ path, fullPage: true });
    await fits(page, name);
    await check(page, name);
  }));

// Zoom halves the viewport that a page sees; the other way is larger text alone.
test("at 200 % nothing is lost, be it zoom or larger text", async () => {
  const half = { viewport: { width: 550, height: 400 }, deviceScaleFactor: 2 };
  await walk(half, (page, name) => fits(page, name));
  await walk({}, async (page, name) => {
    await page.evaluate(() => (document.documentElement.style.fontSize = "200%"));
    await fits(page, name);
  });
});
