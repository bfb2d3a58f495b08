// A certified OpenID provider (oidc-provider). It prints its port, and ends with its input.
//
// Arguments: the callback of its only client, `ml` with the secret `hush`; `pairwise`, if it calls
// people by other names than others do. Who is signed in there is what was last sent to /be, as
// JSON: `sub` and claims; or `{"no": true}`, who declines; `{"gone": true}`: nobody any more. A
// kind of key (`RSA`, `EC`) sent to /rotate is what it signs with from then on.
// What it tells the client when somebody signs out goes on to where /relay-to was last told.

import { createHash, webcrypto } from "node:crypto";
import { createServer } from "node:http";
import Provider from "oidc-provider";

const [callback, subjects = "public"] = process.argv.slice(2);
let somebody = {};

const server = createServer();
await new Promise((up) => server.listen(0, "127.0.0.1", up));
const { port } = server.address();

// Keys it has had before stay, so that tokens of then can be told from false ones.
const keys = [];
const addKey = async (kind) => {
  const algorithm = kind === "EC"
    ? { name: "ECDSA", namedCurve: "P-256" }
    : { name: "RSASSA-PKCS1-v1_5", hash: "SHA-256", modulusLength: 2048, publicExponent: new Uint8Array([1, 0, 1]) };
  const { privateKey } = await webcrypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
  const { key_ops, ext, ...jwk } = await webcrypto.subtle.exportKey("jwk", privateKey);
  const alg = kind === "EC" ? "ES256" : "RS256";
  keys.unshift({ ...jwk, alg, use: "sig", kid: `key ${keys.length + 1}` });
  return alg;
};

let provider, handle;
const begin = (alg) => {
  provider = new Provider(`http://127.0.0.1:${port}`, {
    clients: [{
      client_id: "ml",
      client_secret: "hush",
      redirect_uris: [callback],
      grant_types: ["authorization_code", "refresh_token"],
      subject_type: subjects,
      id_token_signed_response_alg: alg,
      post_logout_redirect_uris: [new URL("/.portcullis/sign-in", callback).href],
      backchannel_logout_uri: `http://127.0.0.1:${port}/relay`,
      backchannel_logout_session_required: true,
    }],
    jwks: { keys },
    claims: { openid: ["sub"], email: ["email", "email_verified"], profile: ["name"], groups: ["groups"] },
    scopes: ["openid", "email", "profile", "groups", "offline_access"],
    conformIdTokenClaims: process.env.CONFORM !== "no",
    pkce: { required: () => true },
    subjectTypes: ["public", "pairwise"],
    pairwiseIdentifier: (_, account, client) => createHash("sha256").update(client.sectorIdentifier + account).digest("hex"),
    features: { devInteractions: { enabled: false }, backchannelLogout: { enabled: true } },
    // What it asks itself for is here: it has a guard against addresses that are not public.
    fetch: (url, { dispatcher, ...options }) => fetch(url, options),
    cookies: { keys: ["only for tests"] },
    interactions: { url: (_, { uid }) => `/interaction/${uid}` },
    issueRefreshToken: (_, client) => client.grantTypeAllowed("refresh_token"),
    rotateRefreshToken: () => true,
    findAccount: (_, sub) =>
      somebody.gone ? undefined : { accountId: sub, claims: () => ({ ...somebody, sub }) },
    loadExistingGrant: async ({ oidc }) => {
      const grant = new provider.Grant({ clientId: oidc.client.clientId, accountId: oidc.session.accountId });
      grant.addOIDCScope("openid email profile groups offline_access");
      await grant.save();
      return grant;
    },
  });
  handle = provider.callback();
};
begin(await addKey("RSA"));

const text = async (request) => {
  let text = "";
  for await (const chunk of request) text += chunk;
  return text;
};
let relayTo;
server.on("request", async (request, response) => {
  if (request.url === "/be") {
    somebody = JSON.parse(await text(request));
    response.end();
  } else if (request.url === "/rotate") {
    begin(await addKey(await text(request)));
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
