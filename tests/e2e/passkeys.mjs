// Passkeys of a real browser, whose authenticator is a virtual one of its own.
//
// Needs in the environment: PORTCULLIS_URL, an origin on localhost; WHO and PASSWORD.
// Optional: CHROMIUM, the browser.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { chromium } from "playwright-core";

const { PORTCULLIS_URL: url, WHO: who, PASSWORD: password } = process.env;
const factors = "/.portcullis/account/factors";
let browser, page, cdp, authenticatorId;

before(async () => {
  browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: ["--no-sandbox"],
  });
  page = await (await browser.newContext({ baseURL: url })).newPage();
  page.on("pageerror", (error) => { throw error; });
  page.on("console", (message) => {
    if (message.text().includes("Content Security Policy")) throw new Error(message.text());
  });
  cdp = await page.context().newCDPSession(page);
  await cdp.send("WebAuthn.enable");
  ({ authenticatorId } = await cdp.send("WebAuthn.addVirtualAuthenticator", {
    options: {
      protocol: "ctap2",
      transport: "internal",
      hasResidentKey: true,
      hasUserVerification: true,
      isUserVerified: true,
      automaticPresenceSimulation: true,
    },
  }));
});

after(() => browser?.close());

const path = () => new URL(page.url()).pathname;
const arrived = (at = "/things") => page.waitForURL((url) => url.pathname === at);

async function typePassword() {
  await page.goto("/things");
  await page.getByLabel("E-mail address").fill(who);
  await page.getByLabel("Password").fill(password);
  await page.getByRole("button", { name: "Sign in", exact: true }).click();
}

async function signOut() {
  await page.goto("/.portcullis/account");
  await page.getByRole("button", { name: "Sign out" }).click();
  await arrived("/.portcullis/sign-in");
}

async function usePasskey() {
  await page.getByRole("button", { name: "Use a passkey" }).click();
}

/// What is sent instead of what the browser answers.
async function altering(change, act) {
  const pattern = "**/.portcullis/sign-in/passkey";
  await page.route(pattern, (route) => {
    const form = new URLSearchParams(route.request().postData());
    const credential = JSON.parse(form.get("credential"));
    change(credential);
    form.set("credential", JSON.stringify(credential));
    return route.continue({ postData: form.toString() });
  });
  await act();
  await page.getByRole("alert").waitFor();
  await page.unroute(pattern);
}

const decoded = (text) => JSON.parse(Buffer.from(text, "base64url").toString());
const encoded = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");

test("a passkey is set up", async () => {
  await typePassword();
  await arrived();
  await page.goto(factors);
  await page.getByLabel("Name of a new passkey").fill("My <b>phone</b>");
  await page.getByRole("button", { name: "Set up a passkey" }).click();
  await page.getByRole("heading", { name: "Recovery codes" }).waitFor();
  assert.equal(await page.locator(".codes li").count(), 10);
  await page.getByRole("link", { name: "I have kept them" }).click();
  await page.getByText("My <b>phone</b>", { exact: true }).waitFor();
});

test("the same authenticator is not asked twice", async () => {
  await page.getByRole("button", { name: "Set up a passkey" }).click();
  await page.locator("[data-trouble]", { hasText: /\S/ }).waitFor();
  assert.equal(await page.locator("section[aria-labelledby=passkeys] .rows > li").count(), 1);
});

test("it is the second factor after a password", async () => {
  await signOut();
  await typePassword();
  await arrived("/.portcullis/second-factor");
  await usePasskey();
  await arrived();
});

test("it proves anew who one is, whose session it began", async () => {
  await signOut();
  await page.goto("/things");
  await usePasskey();
  await arrived();
  await page.goto("/.portcullis/re-authenticate?return=/things");
  await usePasskey();
  await arrived();
});

test("it signs in by itself, and its answer is good for once", async () => {
  await signOut();
  await page.goto("/things?page=2");
  const sent = page.waitForRequest("**/.portcullis/sign-in/passkey");
  await usePasskey();
  const body = (await sent).postData();
  await arrived();
  await signOut();
  const again = await page.evaluate(async (body) => {
    const headers = { "content-type": "application/x-www-form-urlencoded" };
    const answer = await fetch("/.portcullis/sign-in/passkey", { method: "POST", headers, body });
    return answer.status;
  }, body);
  assert.equal(again, 401);
  await page.goto("/things");
  assert.equal(path(), "/.portcullis/sign-in");
});

test("no answer is taken that is for another site, for somebody else or altered", async () => {
  const client = (change) => (credential) => {
    const data = decoded(credential.response.clientDataJSON);
    change(data);
    credential.response.clientDataJSON = encoded(data);
  };
  const nobody = Buffer.alloc(16, 7).toString("base64url");
  for (const change of [
    client((data) => { data.origin = "https://evil.example"; }),
    client((data) => { data.challenge = nobody; }),
    client((data) => { data.type = "webauthn.create"; }),
    (credential) => { credential.response.userHandle = nobody; },
    (credential) => { delete credential.response.userHandle; },
    (credential) => { credential.response.signature = nobody; },
  ]) {
    await page.goto("/.portcullis/sign-in");
    await altering(change, usePasskey);
    await page.goto("/things");
    assert.equal(path(), "/.portcullis/sign-in");
  }
});

test("an authenticator that has not verified its user is refused", async () => {
  await cdp.send("WebAuthn.setUserVerified", { authenticatorId, isUserVerified: false });
  await page.goto("/.portcullis/sign-in");
  await usePasskey();
  await page.locator("[data-trouble]", { hasText: /\S/ }).waitFor();
  await cdp.send("WebAuthn.setUserVerified", { authenticatorId, isUserVerified: true });
  await page.goto("/things");
  assert.equal(path(), "/.portcullis/sign-in");
});

test("a copy that has counted less is refused", async () => {
  const { credentials } = await cdp.send("WebAuthn.getCredentials", { authenticatorId });
  const [credential] = credentials;
  assert.ok(credential.signCount > 1);
  await cdp.send("WebAuthn.removeCredential", { authenticatorId, credentialId: credential.credentialId });
  await cdp.send("WebAuthn.addCredential", { authenticatorId, credential: { ...credential, signCount: 0 } });
  await page.goto("/.portcullis/sign-in");
  await usePasskey();
  await page.getByRole("alert").waitFor();
  await cdp.send("WebAuthn.removeCredential", { authenticatorId, credentialId: credential.credentialId });
  await cdp.send("WebAuthn.addCredential", { authenticatorId, credential: { ...credential, signCount: 99 } });
  await page.goto("/things");
  await usePasskey();
  await arrived();
});

test("taken away, it is good for nothing", async () => {
  await page.goto(factors);
  await page.getByRole("button", { name: /^Remove the passkey/ }).click();
  await page.getByRole("button", { name: /^Remove the passkey/ }).waitFor({ state: "detached" });
  await signOut();
  await usePasskey();
  await page.getByRole("alert").waitFor();
  await typePassword();
  await arrived();
});
