// What the scripts share that drive pages in Debian's Chromium.
//
// Needs in the environment: PORTCULLIS_URL, PASSWORD (of everybody), DESK_URL (which does what
// no browser can), SCREENSHOTS (a directory). Optional: CHROMIUM, the browser.

import assert from "node:assert/strict";
import { test as anyTest } from "node:test";
import { chromium } from "playwright-core";

export const url = process.env.PORTCULLIS_URL.replace(/\/$/, "");
export const password = process.env.PASSWORD;
export const account = `${url}/.portcullis/account`;

// A test that hangs fails.
export const test = (name, body) => anyTest(name, { timeout: 120_000 }, body);

export const launch = () =>
  chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
    ],
  });

// A browser of somebody's own, which notes what the pages complain about.
export async function person(browser, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1100, height: 700 }, ...options });
  context.setDefaultTimeout(30_000);
  const page = await context.newPage();
  const complaints = [];
  page.on("pageerror", (error) => complaints.push(String(error)));
  page.on("console", (message) => {
    // A refused page is told on the console too; that it is refused is what is tested.
    const text = message.text();
    if (message.type() === "error" && !/status of (4|5)\d\d/.test(text)) complaints.push(text);
  });
  return { context, page, complaints };
}

export async function fillIn(page, who, secret = password) {
  await page.getByLabel("E-mail address").fill(`${who}@example.com`);
  await page.getByLabel("Password", { exact: true }).fill(secret);
  await page.getByRole("button", { name: "Sign in" }).click();
}

export async function signIn(page, who, path = "/.portcullis/account", secret = password) {
  await page.goto(url + path);
  await fillIn(page, who, secret);
  await page.waitForURL(url + path);
}

// `age`: everybody signed in eleven minutes ago; `expire`: eight days ago.
export async function desk(deed) {
  const done = await fetch(`${process.env.DESK_URL}/${deed}`);
  assert.equal(done.status, 200, deed);
}

// What a script of a page gets. The pages of the gateway let no script ask for anything.
export const asScript = (page, path, options) =>
  page.context().request.fetch(url + path, {
    headers: { "sec-fetch-mode": "cors", "sec-fetch-site": "same-origin", accept: "text/html" },
    maxRedirects: 0,
    ...options,
  });

export const statusOf = async (page, path, options) =>
  (await asScript(page, path, options)).status();

export async function until(what, condition) {
  const end = Date.now() + 60_000;
  while (!(await condition())) {
    if (Date.now() > end) assert.fail(`waited in vain for ${what}`);
    await new Promise((go) => setTimeout(go, 50));
  }
}
