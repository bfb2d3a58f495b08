//! The signed word for who asks, as a backend verifies it with a library that others have made.

use serde_json::{Value, json};

use crate::support::clock::SetClock;
use crate::support::gateway::{Keys, TestGateway, until};
use crate::support::raw::Answer;
use crate::support::server::Server;

const JWKS: &str = "/.well-known/portcullis/jwks.json";
const OURS: Shape = Shape {
    header: "X-Portcullis-Assertion",
    issuer: "https://ml.example.com",
    audience: "app",
    yaml: "{ issuer: \"https://ml.example.com\" }",
};

/// How an assertion is to look, and what makes the gateway have it so.
struct Shape {
    header: &'static str,
    issuer: &'static str,
    audience: &'static str,
    yaml: &'static str,
}

struct Bench {
    backend: Server,
    gateway: TestGateway,
    keys: Keys,
    clock: SetClock,
}

impl Bench {
    async fn start(shape: &Shape) -> Self {
        let backend = Server::asserted_to();
        let yaml = configuration(&backend, shape);
        let mut gateway = TestGateway::prepare(&yaml).await;
        let clock = SetClock::of(&mut gateway);
        gateway.launch();
        let keys = gateway.seed();
        let bench = Self {
            backend,
            gateway,
            keys,
            clock,
        };
        bench.expect(shape, 0);
        bench
    }

    /// Tells the backend what to believe.
    fn expect(&self, shape: &Shape, leeway: u32) {
        let told = json!({
            "jwks": format!("http://{}{JWKS}", self.gateway.public()),
            "header": shape.header,
            "issuer": shape.issuer,
            "audience": shape.audience,
            "leeway": leeway,
        });
        let answer = self.backend.request("POST", "/settings", &told.to_string());
        assert_eq!(answer.status, 200);
    }

    fn viewer(&self, fields: &str) -> Answer {
        let key = &self.keys.viewer;
        let raw = format!(
            "GET /things HTTP/1.1\r\nHost: gw\r\nAuthorization: Bearer {key}\r\n{fields}\r\n"
        );
        self.gateway.raw(raw).unwrap()
    }

    /// Names of the keys that are served.
    fn served(&self) -> Vec<String> {
        kids(&self.gateway)
    }

    fn rotate(&self, more: &[&str]) -> String {
        let args = [&["signing-keys", "rotate", "--json"], more].concat();
        let made: Value = serde_json::from_str(&self.gateway.cli(&args)).unwrap();
        made["id"].as_str().unwrap().to_owned()
    }
}

fn configuration(backend: &Server, shape: &Shape) -> String {
    format!(
        "upstreams:\n  app: {{ url: \"{}\" }}\nroutes:\n  - {{ route: GET /things, upstream: app, \
         permission: datasets:read }}\n  - {{ route: GET /open, upstream: app, public: \"for a \
         test\" }}\nidentity:\n  assertion: {}\n",
        backend.url(),
        shape.yaml
    )
}

fn kids(gateway: &TestGateway) -> Vec<String> {
    let answer = gateway.raw(format!("GET {JWKS} HTTP/1.1\r\nHost: gw\r\n\r\n"));
    let answer = answer.unwrap();
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.header("content-type"), ["application/json"]);
    assert_eq!(answer.header("cache-control"), ["public, max-age=300"]);
    let set: Value = serde_json::from_str(&answer.body).unwrap();
    let keys = set["keys"].as_array().unwrap().iter();
    keys.map(|key| {
        assert_eq!((&key["alg"], &key["kty"]), (&json!("ES256"), &json!("EC")));
        assert_eq!(key.get("d"), None, "the private part");
        key["kid"].as_str().unwrap().to_owned()
    })
    .collect()
}

fn body(answer: &Answer) -> Value {
    assert_eq!(answer.status, 200, "{answer:?}");
    serde_json::from_str(&answer.body).unwrap()
}

fn kid(answer: &Answer) -> String {
    use base64::Engine as _;
    use base64::prelude::BASE64_URL_SAFE_NO_PAD;
    let token = body(answer)["token"].as_str().unwrap().to_owned();
    let header = BASE64_URL_SAFE_NO_PAD.decode(token.split('.').next().unwrap());
    let header: Value = serde_json::from_slice(&header.unwrap()).unwrap();
    header["kid"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backend_verifies_who_asks_by_the_keys_that_are_served() {
    let bench = Bench::start(&OURS).await;
    let mut claims = body(&bench.viewer(""))["claims"].take();
    let (iat, exp) = (claims["iat"].take(), claims["exp"].take());
    assert_eq!(exp.as_i64().unwrap() - iat.as_i64().unwrap(), 60);
    let me = bench
        .gateway
        .get("/.portcullis/api/v1/me", &bench.keys.viewer);
    let sub = body(&me)["id"].take();
    let said = json!({
        "iss": "https://ml.example.com", "aud": "app", "sub": sub,
        "email": "viewer@example.com", "tenant": "acme", "project": "fraud", "roles": ["viewer"],
        "iat": null, "exp": null,
    });
    assert_eq!(claims, said);
    // Nobody is known: nothing is said.
    let open = bench.gateway.raw("GET /open HTTP/1.1\r\nHost: gw\r\n\r\n");
    assert_eq!(open.unwrap().status, 401);
    assert_eq!(bench.backend.get("/things").status, 401, "past the gateway");
    let other = Shape {
        audience: "another",
        ..OURS
    };
    bench.expect(&other, 0);
    let refused = bench.viewer("");
    assert!(refused.body.contains("InvalidAudienceError"), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn verifiers_written_for_other_proxies_take_it_and_no_client_can_set_it() {
    let shapes = [
        Shape {
            header: "x-goog-iap-jwt-assertion",
            issuer: "https://cloud.google.com/iap",
            audience: "/projects/1/global/backendServices/2",
            yaml: "{ header: x-goog-iap-jwt-assertion, issuer: \"https://cloud.google.com/iap\", \
                   audience: { app: /projects/1/global/backendServices/2 }, \
                   claims: { sub: \"accounts.google.com:{principal.id}\", hd: example.com } }",
        },
        Shape {
            header: "Cf-Access-Jwt-Assertion",
            issuer: "https://acme.cloudflareaccess.com",
            audience: "4714c1358e65fe4b408ad6d432a5f878f08194bdb4752441fd56faefa9b2b6f2",
            yaml: "{ header: Cf-Access-Jwt-Assertion, issuer: \"https://acme.cloudflareaccess.com\", \
                   audience: { app: 4714c1358e65fe4b408ad6d432a5f878f08194bdb4752441fd56faefa9b2b6f2 }, \
                   claims: { type: app } }",
        },
        Shape {
            header: "X-Pomerium-Jwt-Assertion",
            issuer: "ml.example.com",
            audience: "ml.example.com",
            yaml: "{ header: X-Pomerium-Jwt-Assertion, issuer: ml.example.com, audience: { app: \
                   ml.example.com }, claims: { groups: \"{roles}\", user: \"{principal.id}\", \
                   roles: \"\" } }",
        },
        OURS,
    ];
    let bench = Bench::start(&shapes[0]).await;
    for shape in &shapes {
        let yaml = configuration(&bench.backend, shape);
        bench.gateway.reconfigure(&yaml);
        bench.expect(shape, 0);
        let claims = body(&bench.viewer(""))["claims"].take();
        assert_eq!(claims["email"], "viewer@example.com");
        let name = shape.header;
        let forged = [name.to_owned(), name.to_uppercase(), name.replace('-', "_")];
        for forged in &forged {
            let answer = bench.viewer(&format!("{forged}: evil\r\nConnection: {name}\r\n"));
            assert_eq!(body(&answer)["claims"]["sub"], claims["sub"], "{forged}");
        }
        if name.starts_with("X-Pomerium") {
            assert_eq!(claims["groups"], json!(["viewer"]));
            assert_eq!(claims.get("roles"), None);
        }
        let stranger = format!("GET /open HTTP/1.1\r\nHost: gw\r\n{name}: evil\r\n\r\n");
        let stranger = bench.gateway.raw(stranger).unwrap();
        assert!(stranger.body.contains("not enough values"), "{stranger:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_says_the_same_is_signed_once_for_half_of_its_life() {
    let bench = Bench::start(&OURS).await;
    bench.expect(&OURS, 400 * 24 * 3600);
    let token = |answer: &Answer| body(answer)["token"].clone();
    // The clock of the test stands still but for what it is set to.
    bench.clock.jump("@2027-01-01 00:00:00");
    let first = token(&bench.viewer(""));
    bench.clock.jump("@2027-01-01 00:00:29");
    assert_eq!(token(&bench.viewer("")), first);
    let other = bench.gateway.get("/things", &bench.keys.editor);
    assert_ne!(token(&other), first, "of somebody else");
    bench.clock.jump("@2027-01-01 00:00:31");
    let later = token(&bench.viewer(""));
    assert_ne!(later, first);
    // Another role is said at once.
    bench.gateway.cli(&[
        "members",
        "add",
        "--scope",
        "acme/fraud",
        "--principal",
        "viewer@example.com",
        "--role",
        "auditor",
    ]);
    until("the new role", || token(&bench.viewer("")) != later);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_key_is_served_before_it_signs_and_the_former_one_after_it_did() {
    let bench = Bench::start(&OURS).await;
    bench.expect(&OURS, 4 * 3600);
    let mut other = bench.gateway.replica(&configuration(&bench.backend, &OURS));
    other.launch();
    let first = kid(&bench.viewer(""));
    assert_eq!(bench.served(), [first.as_str()]);
    assert_eq!(kids(&other), [first.as_str()], "made once for all");
    let second = bench.rotate(&[]);
    let both = [second.as_str(), first.as_str()];
    until("the news", || {
        bench.served() == both && kids(&other) == both
    });
    assert_eq!(kid(&bench.viewer("")), first);
    // As PyJWT does every five minutes by itself.
    bench.expect(&OURS, 4 * 3600);
    bench.clock.jump("+16m");
    assert_eq!(
        kid(&bench.viewer("")),
        second,
        "verified, by keys fetched before"
    );
    assert_eq!(bench.served(), both);
    bench.clock.jump("+80m");
    assert_eq!(bench.served(), [second.as_str()]);
    bench.clock.jump("+0");
    let third = bench.rotate(&["--compromised"]);
    until("the news", || {
        bench.served() == [third.as_str()] && kids(&other) == [third.as_str()]
    });
    bench.expect(&OURS, 0);
    assert_eq!(kid(&bench.viewer("")), third);
    let listed = bench.gateway.cli(&["signing-keys", "list"]);
    assert!(
        listed.contains(&third) && listed.contains("signs"),
        "{listed}"
    );
    assert!(!listed.contains(&first), "{listed}");
}
