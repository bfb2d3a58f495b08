//! A provider that lies: HOSTILE 33, 34 and 36 by tokens that no honest one makes.

use std::io::{self, Write as _};
use std::net::TcpStream;
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
use openssl::hash::MessageDigest;
use openssl::pkey::{PKey, Private};
use openssl::rsa::Rsa;
use openssl::sign::Signer;
use portcullis::clock::Clock;
use serde_json::{Value, json};

use super::Bench;
use crate::support::browser::{Browser, DOCUMENT};
use crate::support::gateway::until;
use crate::support::raw::Answer;
use crate::support::upstream::{Received, Upstream};

const LEAVE: &str = "/.portcullis/sign-in/with/liar?return=/things";

struct Liar {
    bench: Bench,
    server: Upstream,
    key: PKey<Private>,
    /// What it answers to a code.
    answer: Arc<Mutex<Vec<u8>>>,
}

pub(super) fn now() -> i64 {
    Clock::system().now().timestamp()
}

pub(super) fn key() -> PKey<Private> {
    PKey::from_rsa(Rsa::generate(2048).unwrap()).unwrap()
}

pub(super) fn jwk(key: &PKey<Private>) -> Value {
    let rsa = key.rsa().unwrap();
    let text = |number: &openssl::bn::BigNumRef| BASE64.encode(number.to_vec());
    json!({ "kty": "RSA", "use": "sig", "alg": "RS256", "kid": "one",
        "n": text(rsa.n()), "e": text(rsa.e()) })
}

fn part(value: &Value) -> String {
    BASE64.encode(value.to_string())
}

pub(super) fn signed(key: &PKey<Private>, header: &Value, claims: &Value) -> String {
    let text = format!("{}.{}", part(header), part(claims));
    let mut signer = Signer::new(MessageDigest::sha256(), key).unwrap();
    let signature = signer.sign_oneshot_to_vec(text.as_bytes()).unwrap();
    format!("{text}.{}", BASE64.encode(signature))
}

impl Liar {
    async fn start() -> Self {
        Self::as_kind(|issuer| {
            format!("oidc: {{ issuer: \"{issuer}\", client_id: ml, client_secret: hush }}")
        })
        .await
    }

    /// One that is configured like this.
    async fn as_kind(kind: impl FnOnce(&str) -> String) -> Self {
        let key = key();
        let keys = json!({ "keys": [jwk(&key)] }).to_string();
        let answer = Arc::new(Mutex::new(Vec::new()));
        let answers = Arc::clone(&answer);
        let server = Upstream::with(move |request: &Received, stream: &mut TcpStream| {
            answer_to(request, stream, &keys, &answers.lock().unwrap())
        });
        let issuer = format!("http://{}", server.address());
        let kind = kind(&issuer);
        let bench = Bench::with_rules(&format!(
            "sign_in:\n  public_url: \"http://localhost:1\"\n  providers:\n    - name: liar\n      \
             tenant: acme\n      auto_provision_users: true\n      domains: [acme.example]\n      \
             default_role: client_user\n      {kind}"
        ))
        .await;
        Self {
            bench,
            server,
            key,
            answer,
        }
    }

    /// There and back, with a token that is made for the nonce that was sent.
    fn sign_in(&self, browser: &mut Browser, token: impl FnOnce(&Value) -> String) -> Answer {
        let sent = browser.go(LEAVE);
        assert_eq!(sent.status, 303, "{sent:?}");
        let to: url::Url = sent.header("location")[0].parse().unwrap();
        let asked = |name: &str| {
            let mut pairs = to.query_pairs();
            pairs.find(|(key, _)| key == name).unwrap().1.into_owned()
        };
        assert_eq!(asked("code_challenge_method"), "S256");
        let now = now();
        let claims = json!({ "iss": format!("http://{}", self.server.address()), "aud": "ml",
            "sub": "u-1", "exp": now + 300, "iat": now, "nonce": asked("nonce"),
            "email": "ann@acme.example", "email_verified": true, "name": "Ann", "groups": [] });
        let told =
            json!({ "access_token": "a", "token_type": "Bearer", "id_token": token(&claims) });
        *self.answer.lock().unwrap() = told.to_string().into_bytes();
        Self::back(browser, &asked("state"))
    }

    fn back(browser: &mut Browser, state: &str) -> Answer {
        let line = format!("GET /.portcullis/callback/liar?code=c&state={state}");
        browser.send(
            &line,
            &format!("{DOCUMENT}Sec-Fetch-Site: cross-site\r\n"),
            "",
        )
    }
}

fn answer_to(
    request: &Received,
    stream: &mut TcpStream,
    keys: &str,
    token: &[u8],
) -> io::Result<()> {
    let path = request.line().split(' ').nth(1).unwrap_or_default();
    let own = format!("http://{}", request.header("host")[0]);
    let document = json!({ "issuer": own, "authorization_endpoint": format!("{own}/auth"),
        "token_endpoint": format!("{own}/token"), "jwks_uri": format!("{own}/keys"),
        "response_types_supported": ["code"], "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256", "HS256", "none"] });
    let body = match path {
        "/keys" => keys.as_bytes().to_vec(),
        "/token" => token.to_vec(),
        _ => document.to_string().into_bytes(),
    };
    write!(
        stream,
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    )?;
    stream.write_all(&body)
}

/// A token for claims that an honest provider would make.
type Lie<'a> = Box<dyn Fn(&Value) -> String + 'a>;

pub(super) fn own() -> Value {
    json!({ "alg": "RS256", "kid": "one", "typ": "JWT" })
}

/// A header with more in it.
fn with(more: &Value) -> Value {
    let mut header = own();
    let more = more.as_object().unwrap().clone();
    header.as_object_mut().unwrap().extend(more);
    header
}

impl Liar {
    fn honest(&self, claims: &Value) -> String {
        signed(&self.key, &own(), claims)
    }

    /// One claim is another, or is missing.
    fn claiming(&self, name: &str, value: Value, claims: &Value) -> String {
        let mut claims = claims.clone();
        let all = claims.as_object_mut().unwrap();
        match value {
            Value::Null => all.remove(name),
            value => all.insert(name.to_owned(), value),
        };
        self.honest(&claims)
    }

    /// How often it was asked for this.
    fn fetched(&self, path: &str) -> usize {
        let all = self.server.received();
        all.iter().filter(|it| it.line().contains(path)).count()
    }
}

fn lies<'a>(liar: &'a Liar, other: &'a PKey<Private>) -> Vec<(&'static str, Lie<'a>)> {
    let hmac = |secret: &[u8], claims: &Value| {
        let key = PKey::hmac(secret).unwrap();
        signed(&key, &with(&json!({ "alg": "HS256" })), claims)
    };
    let now = now();
    let claim = |name: &'static str, value: Value| -> Lie<'_> {
        Box::new(move |claims| liar.claiming(name, value.clone(), claims))
    };
    vec![
        (
            "alg none",
            Box::new(|claims| format!("{}.{}.", part(&json!({ "alg": "none" })), part(claims))),
        ),
        (
            "the secret as a key",
            Box::new(move |claims| hmac(b"hush", claims)),
        ),
        (
            "the public key as a secret",
            Box::new(move |claims| hmac(&liar.key.public_key_to_pem().unwrap(), claims)),
        ),
        (
            "another key",
            Box::new(|claims| signed(other, &own(), claims)),
        ),
        (
            "a key of its own",
            Box::new(|claims| signed(other, &with(&json!({ "jwk": jwk(other) })), claims)),
        ),
        (
            "a key elsewhere",
            Box::new(|claims| {
                let there = format!("http://{}/evil", liar.server.address());
                signed(other, &with(&json!({ "jku": there, "x5u": there })), claims)
            }),
        ),
        (
            "what must be understood",
            Box::new(|claims| {
                signed(
                    &liar.key,
                    &with(&json!({ "crit": ["b64"], "b64": false })),
                    claims,
                )
            }),
        ),
        ("no token", Box::new(|_| String::new())),
        (
            "half a token",
            Box::new(|claims| liar.honest(claims)[..40].to_owned()),
        ),
        (
            "other claims under its signature",
            Box::new(|claims| {
                let whole = liar.honest(claims);
                let mut parts: Vec<_> = whole.split('.').map(str::to_owned).collect();
                let mut altered = claims.clone();
                altered["sub"] = json!("u-2");
                parts[1] = part(&altered);
                parts.join(".")
            }),
        ),
        ("another issuer", claim("iss", json!("http://evil.example"))),
        ("for another client", claim("aud", json!("other"))),
        ("for others too", claim("aud", json!(["ml", "other"]))),
        ("for nobody", claim("aud", Value::Null)),
        ("without an issuer", claim("iss", Value::Null)),
        ("without an end", claim("exp", Value::Null)),
        ("a text for an end", claim("exp", json!("soon"))),
        ("over", claim("exp", json!(now - 61))),
        ("from the future", claim("iat", json!(now + 120))),
        ("made long ago", claim("iat", json!(now - 3600))),
        ("another nonce", claim("nonce", json!("other"))),
        ("without a nonce", claim("nonce", Value::Null)),
        ("of nobody", claim("sub", Value::Null)),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn class_33_what_a_provider_did_not_say_of_them_is_not_believed() {
    let (liar, other) = (Liar::start().await, key());
    let mut browser = liar.bench.browser();
    let came = liar.sign_in(&mut browser, |claims| liar.honest(claims));
    assert_eq!(came.status, 303, "their legal twin: {came:?}");
    for (what, lie) in lies(&liar, &other) {
        let mut browser = liar.bench.browser();
        let answer = liar.sign_in(&mut browser, lie);
        assert!([401, 503].contains(&answer.status), "{what}: {answer:?}");
        assert_eq!(browser.cookie, None, "{what}");
    }
    assert_eq!(liar.fetched("/evil"), 0, "it goes where a token says");
    // Its clock may be a little off.
    let late = |claims: &Value| liar.claiming("exp", json!(now() - 20), claims);
    let mut browser = liar.bench.browser();
    assert_eq!(liar.sign_in(&mut browser, late).status, 303);
}

#[tokio::test(flavor = "multi_thread")]
async fn class_34_a_provider_is_not_asked_without_end() {
    let (liar, other) = (Liar::start().await, key());
    let mut browser = liar.bench.browser();
    assert_eq!(
        liar.sign_in(&mut browser, |claims| liar.honest(claims))
            .status,
        303
    );
    // However many keys are named that there are not.
    let before = liar.fetched("/keys");
    for number in 0..20 {
        let header = with(&json!({ "kid": format!("unknown {number}") }));
        let mut browser = liar.bench.browser();
        let answer = liar.sign_in(&mut browser, |claims| signed(&other, &header, claims));
        assert_eq!((answer.status, browser.cookie), (401, None));
    }
    assert!(liar.fetched("/keys") <= before + 1);
    // What has no end is not waited for.
    let sent = browser.go(LEAVE);
    let to = sent.header("location").concat();
    browser.cookie = None;
    let to: url::Url = match to.parse() {
        Ok(to) => to,
        Err(error) => panic!("{to}: {error}"),
    };
    let state = to.query_pairs().find(|(key, _)| key == "state").unwrap().1;
    *liar.answer.lock().unwrap() = vec![b' '; 2 << 20];
    assert_eq!(Liar::back(&mut browser, &state).status, 503);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_google_only_accounts_of_the_domain_are_taken() {
    let google = Liar::as_kind(|issuer| {
        format!(
            "google: {{ issuer: \"{issuer}\", client_id: ml, allowed_domains: [acme.example] }}"
        )
    })
    .await;
    // An address says nothing of the domain that the account is of.
    for (what, hd) in [
        ("of nobody's domain", Value::Null),
        ("of another", json!("evil.example")),
        ("of one below", json!("x.acme.example")),
        ("no text", json!(["acme.example"])),
    ] {
        let mut browser = google.bench.browser();
        let answer = google.sign_in(&mut browser, |claims| google.claiming("hd", hd, claims));
        assert_eq!((answer.status, browser.cookie), (401, None), "{what}");
    }
    let mut browser = google.bench.browser();
    let came = google.sign_in(&mut browser, |claims| {
        google.claiming("hd", json!("Acme.example"), claims)
    });
    assert_eq!(came.status, 303, "{came:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn that_somebody_has_proved_it_anew_must_be_said() {
    let liar = Liar::start().await;
    let mut browser = liar.bench.browser();
    let came = liar.sign_in(&mut browser, |claims| liar.honest(claims));
    assert_eq!(came.status, 303);
    // From here on they are signed in, and asked to prove it anew.
    let former = browser.cookie.clone();
    for (what, told) in [
        ("nothing", Value::Null),
        ("long ago", json!(now() - 3600)),
        ("no number", json!("now")),
    ] {
        let answer = liar.sign_in(&mut browser, |claims| {
            liar.claiming("auth_time", told, claims)
        });
        assert!([401, 503].contains(&answer.status), "{what}: {answer:?}");
        assert_eq!(browser.cookie, former, "{what}");
    }
    let answer = liar.sign_in(&mut browser, |claims| {
        liar.claiming("auth_time", json!(now()), claims)
    });
    assert_eq!(answer.status, 303, "{answer:?}");
    assert_ne!(browser.cookie, former);
}

/// What a logout token is not: each ends nothing (Back-Channel Logout 1.0 §2.6).
#[tokio::test(flavor = "multi_thread")]
async fn sessions_end_by_logout_tokens_only() {
    let liar = Liar::start().await;
    let mut browser = liar.bench.browser();
    let signed_in = liar.sign_in(&mut browser, |claims| {
        liar.claiming("sid", json!("s-1"), claims)
    });
    assert_eq!(signed_in.status, 303, "{signed_in:?}");
    let now = now();
    let event = "http://schemas.openid.net/event/backchannel-logout";
    let honest = json!({ "iss": format!("http://{}", liar.server.address()), "aud": "ml",
        "sub": "u-1", "sid": "s-1", "exp": now + 120, "iat": now, "jti": "1", "events": { event: {} } });
    let show = |token: &str| {
        let mut bare = liar.bench.browser();
        let form = format!("logout_token={token}");
        let line = "POST /.portcullis/callback/liar/logout";
        let answer = bare.send(line, "", &form);
        assert_eq!(answer.header("cache-control"), ["no-store"]);
        answer.status
    };
    let other = key();
    let claim = |name: &str, value: Value| liar.claiming(name, value, &honest);
    for (what, token) in [
        ("nonsense", "x.y.z".to_owned()),
        ("nothing", String::new()),
        ("a long one", "x".repeat(20_000)),
        ("an ID token", claim("events", Value::Null)),
        ("another event", claim("events", json!({ "urn:x": {} }))),
        (
            "an event that is none",
            claim("events", json!({ event: true })),
        ),
        ("with a nonce", claim("nonce", json!("n"))),
        ("without a name", claim("jti", Value::Null)),
        (
            "of another issuer",
            claim("iss", json!("https://other.example")),
        ),
        ("for another", claim("aud", json!("other"))),
        ("expired", claim("exp", json!(now - 120))),
        ("without an end", claim("exp", Value::Null)),
        ("old", claim("iat", json!(now - 3600))),
        ("of tomorrow", claim("iat", json!(now + 86_400))),
        (
            "not signed",
            format!("{}.{}.", part(&json!({ "alg": "none" })), part(&honest)),
        ),
        ("signed by another", signed(&other, &own(), &honest)),
    ] {
        assert_eq!(show(&token), 400, "{what}");
    }
    let typed = with(&json!({ "typ": "at+jwt" }));
    assert_eq!(show(&signed(&liar.key, &typed, &honest)), 400);
    assert_eq!(show(&claim("sid", json!("s-2"))), 200);
    assert_ne!(browser.go("/.portcullis/account").status, 303);
    let token = liar.claiming("jti", json!("2"), &honest);
    assert_eq!(show(&token), 200);
    until("the session has ended", || {
        browser.go("/.portcullis/account").status == 303
    });
    assert_eq!(show(&token), 400);
    let unknown = "POST /.portcullis/callback/nobody/logout";
    let form = format!("logout_token={token}");
    assert_eq!(liar.bench.browser().send(unknown, "", &form).status, 400);
}
