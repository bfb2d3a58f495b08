// Every page in both colour schemes, narrow and enlarged: axe-core finds nothing serious, and
// nothing has to be scrolled sideways. Pictures of all of them are written to SCREENSHOTS.
// What it needs is told in chromium.mjs.

import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { after, before } from "node:test";
import { account, desk, fillIn, launch, password, person, signIn, statusOf, test, until, url } from "./chromium.mjs";

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
  project: open("/things"),
  "project-wrong": async (page) => {
    await page.goto(`${account}/project`);
    const button = page.getByRole("button", { name: /^Work here/ }).first();
    await button.evaluate((it) => (it.value = "no/such"));
    await button.click();
    await page.getByRole("alert").waitFor();
  },
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

// What an authenticator app shows (RFC 6238).
function codeOf(secret, step) {
  const bits = [...secret.replaceAll(" ", "")]
    .map((letter) => "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".indexOf(letter).toString(2).padStart(5, "0"))
    .join("");
  const key = Buffer.from(bits.match(/.{8}/g).map((byte) => parseInt(byte, 2)));
  const counter = Buffer.alloc(8);
  counter.writeBigInt64BE(BigInt(Math.floor(Date.now() / 30_000) + step));
  const mac = createHmac("sha1", key).update(counter).digest();
  const code = mac.readUInt32BE(mac[19] & 15) & 0x7fffffff;
  return String(code % 1_000_000).padStart(6, "0");
}

test("what is shown once is as good", async () => {
  const { page, complaints } = await person(browser);
  const look = async (name) => {
    for (const colorScheme of ["light", "dark"]) {
      await page.emulateMedia({ colorScheme });
      await page.setViewportSize({ width: 1100, height: 700 });
      await page.screenshot({ path: join(process.env.SCREENSHOTS, `${name}-${colorScheme}.png`) });
      await check(page, name);
      await page.setViewportSize({ width: 320, height: 640 });
      await fits(page, name);
    }
  };
  await page.goto(url + process.env.INVITATION);
  await page.getByLabel("New password", { exact: true }).waitFor();
  await look("set-password");
  await page.goto(`${url}/.portcullis/set-password?token=x`);
  await look("link-invalid");
  await page.goto(`${url}/.portcullis/forgotten-password`);
  await look("forgotten");
  await page.getByLabel("E-mail address").fill("viewer@example.com");
  await page.getByRole("button").click();
  await page.waitForLoadState();
  await look("forgotten-asked");
  await page.goto(account);
  await fillIn(page, "owner");
  await page.goto(`${account}/factors/totp`);
  const secret = await page.locator("code").first().innerText();
  await page.getByLabel("Code that the app shows").fill(codeOf(secret, -1));
  await page.getByRole("button", { name: "Set it up" }).click();
  await page.getByRole("heading", { name: "Recovery codes" }).waitFor();
  await look("recovery-codes");
  await page.context().clearCookies();
  await page.goto(account);
  await fillIn(page, "owner");
  await page.getByLabel(/[Cc]ode/).waitFor();
  await look("second-factor");
  await page.getByLabel(/[Cc]ode/).fill("000000");
  await page.keyboard.press("Enter");
  await page.getByRole("alert").waitFor();
  await look("second-factor-wrong");
  await page.context().clearCookies();
  await signIn(page, "editor", "/things");
  await desk("age");
  const aged = async () => (await statusOf(page, "/things", { method: "POST" })) === 401;
  await until("the session to be old", aged);
  await page.getByRole("button", { name: "Export" }).click();
  await page.getByLabel(/^Password of/).fill(password);
  await page.getByRole("button", { name: "Go on" }).click();
  await page.getByRole("heading", { name: "Go on?" }).waitFor();
  await look("kept-form");
  assert.deepEqual(complaints, []);
});

// Zoom halves the viewport that a page sees; the other way is larger text alone.
test("at 200 % nothing is lost, be it zoom or larger text", async () => {
  const half = { viewport: { width: 550, height: 400 }, deviceScaleFactor: 2 };
  await walk(half, (page, name) => fits(page, name));
  await walk({}, async (page, name) => {
    await page.evaluate(() => (document.documentElement.style.fontSize = "200%"));
    await fits(page, name);
  });
});
