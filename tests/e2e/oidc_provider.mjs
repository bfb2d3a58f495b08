// A certified OpenID provider (oidc-provider). It prints its port, and ends with its input.
//
// Arguments: the callback of its only client, `ml` with the secret `hush`. Who is signed in
// there is what was last sent to /be, as JSON: `sub` and claims; or `{"no": true}`, who declines.
// What it tells the client when somebody signs out goes on to where /relay-to was last told.

import { createServer } from "node:http";
import Provider from "oidc-provider";

const [callback] = process.argv.slice(2);
let somebody = {};

const server = createServer();
await new Promise((up) => server.listen(0, "127.0.0.1", up));
const { port } = server.address();

const provider = new Provider(`http://127.0.0.1:${port}`, {
  clients: [{
    client_id: "ml",
    client_secret: "hush",
    redirect_uris: [callback],
    post_logout_redirect_uris: [new URL("/.portcullis/sign-in", callback).href],
    backchannel_logout_uri: `http://127.0.0.1:${port}/relay`,
    backchannel_logout_session_required: true,
  }],
  claims: { openid: ["sub"], email: ["email", "email_verified"], profile: ["name"], groups: ["groups"] },
  scopes: ["openid", "email", "profile", "groups"],
  conformIdTokenClaims: process.env.CONFORM !== "no",
  pkce: { required: () => true },
  features: { devInteractions: { enabled: false }, backchannelLogout: { enabled: true } },
  // What it asks itself for is here: it has a guard against addresses that are not public.
  fetch: (url, { dispatcher, ...options }) => fetch(url, options),
  cookies: { keys: ["only for tests"] },
  interactions: { url: (_, { uid }) => `/interaction/${uid}` },
  findAccount: (_, sub) => ({ accountId: sub, claims: () => ({ ...somebody, sub }) }),
  loadExistingGrant: async ({ oidc }) => {
    const grant = new provider.Grant({ clientId: oidc.client.clientId, accountId: oidc.session.accountId });
    grant.addOIDCScope("openid email profile groups");
    await grant.save();
    return grant;
  },
});

const text = async (request) => {
  let text = "";
  for await (const chunk of request) text += chunk;
  return text;
};
let relayTo;
const handle = provider.callback();
server.on("request", async (request, response) => {
  if (request.url === "/be") {
    somebody = JSON.parse(await text(request));
    response.end();
  } else if (request.url === "/relay-to") {
    relayTo = await text(request);
    response.end();
  } else if (request.url === "/relay") {
    const headers = { "content-type": "application/x-www-form-urlencoded" };
    const told = await fetch(relayTo, { method: "POST", headers, body: await text(request) });
    response.writeHead(told.status).end();
  } else if (request.url.startsWith("/interaction/")) {
    const result = somebody.no
      ? { error: "access_denied", error_description: "they declined" }
      : { login: { accountId: somebody.sub } };
    await provider.interactionFinished(request, response, result, { mergeWithLastSubmission: false });
  } else {
    handle(request, response);
  }
});
process.stdin.resume().on("end", () => process.exit());
// Nobody reads what it says from now on.
process.stdout.write(`${port}\n`, () => (console.log = console.info = console.warn = () => {}));
