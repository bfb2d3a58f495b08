//! Keys of service accounts are exchanged for access tokens, which are no more than they are.

mod lies;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

use crate::support::clock::SetClock;
use crate::support::gateway::{TestGateway, until};
use crate::support::raw::Answer;
use crate::support::upstream::Upstream;

const ISSUER: &str = "https://ml.example.com";
const TOKEN: &str = "token";

struct Bench {
    upstream: Upstream,
    gateway: TestGateway,
    /// Of `acme/trainer`, an editor of acme/fraud.
    key: String,
    clock: SetClock,
}

impl Bench {
    async fn start() -> Self {
        let upstream = Upstream::ok();
        let mut gateway = TestGateway::prepare(&configuration(&upstream)).await;
        let clock = SetClock::of(&mut gateway);
        gateway.launch();
        gateway.seed();
        gateway.cli(&["service-accounts", "create", "acme/trainer"]);
        add(&gateway, "acme/fraud", "acme/trainer", "editor");
        let key = gateway.key("acme/trainer", Some("acme/fraud"));
        let bench = Self {
            upstream,
            gateway,
            key,
            clock,
        };
        until("the account", || bench.things(&bench.key).status == 200);
        bench
    }

    /// A form, with a key in `Authorization`.
    fn form(&self, endpoint: &str, key: &str, form: &str) -> Answer {
        let basic = BASE64_STANDARD.encode(format!("{}:{key}", id(key)));
        self.send(endpoint, &format!("Authorization: Basic {basic}\r\n"), form)
    }

    fn send(&self, endpoint: &str, fields: &str, form: &str) -> Answer {
        let length = form.len();
        let raw = format!(
            "POST /.portcullis/oauth2/{endpoint} HTTP/1.1\r\nHost: gw\r\n{fields}Content-Type: \
             application/x-www-form-urlencoded\r\nContent-Length: {length}\r\n\r\n{form}"
        );
        self.gateway.raw(raw).unwrap()
    }

    /// A token for a key and a scope.
    fn token(&self, key: &str, scope: &str) -> String {
        let form = format!("grant_type=client_credentials&scope={scope}");
        let told = body(&self.form(TOKEN, key, &form));
        assert_eq!(told["scope"], scope);
        told["access_token"].as_str().unwrap().to_owned()
    }

    fn things(&self, secret: &str) -> Answer {
        self.gateway.get("/things", secret)
    }

    fn make(&self, secret: &str) -> Answer {
        self.gateway.request("POST", "/things", secret, "{}")
    }

    /// Refused with this error.
    fn refused(&self, what: &str, answer: &Answer, status: u16, error: &str) {
        assert_eq!(answer.status, status, "{what}: {answer:?}");
        let told: Value = serde_json::from_str(&answer.body).unwrap();
        assert_eq!(told["error"], error, "{what}");
        assert!(!answer.body.contains(&self.key), "{what}");
    }

    fn is_active(&self, key: &str, token: &str) -> bool {
        let told = body(&self.form("introspect", key, &format!("token={token}")));
        told["active"].as_bool().unwrap()
    }
}

fn configuration(upstream: &Upstream) -> String {
    format!(
        "upstreams:\n  app: {{ url: \"http://{}\" }}\nroutes:\n  - {{ route: GET /things, upstream: \
         app, permission: datasets:read }}\n  - {{ route: POST /things, upstream: app, permission: \
         datasets:create }}\nidentity: {{ assertion: {{ issuer: \"{ISSUER}\" }} }}\noauth2:\n  \
         issuer: \"{ISSUER}\"\n  scopes:\n    read_reports: [\"datasets:read\"]\n    upload: \
         [\"datasets:create\"]\n    manage_keys: [\"keys:manage\"]\n    everything: [\"*:*\"]\n",
        upstream.address()
    )
}

fn add(gateway: &TestGateway, scope: &str, who: &str, role: &str) {
    let args = [
        "members",
        "add",
        "--scope",
        scope,
        "--principal",
        who,
        "--role",
        role,
    ];
    gateway.cli(&args);
}

/// The public part of a key: the client's id.
fn id(key: &str) -> &str {
    key.split('_').nth(2).unwrap()
}

fn body(answer: &Answer) -> Value {
    assert_eq!(answer.status, 200, "{answer:?}");
    serde_json::from_str(&answer.body).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_exchanged_for_a_token_that_narrows_it_and_never_widens_it() {
    let bench = Bench::start().await;
    let answer = bench.form(
        TOKEN,
        &bench.key,
        "grant_type=client_credentials&scope=upload",
    );
    assert_eq!(answer.header("cache-control"), ["no-store"]);
    let told = body(&answer);
    assert_eq!(
        (&told["token_type"], &told["expires_in"]),
        (&json!("Bearer"), &json!(600))
    );
    let upload = told["access_token"].as_str().unwrap();
    assert_eq!(bench.make(upload).status, 200);
    assert_eq!(bench.things(upload).status, 403, "another scope");
    let read = bench.token(&bench.key, "read_reports");
    assert_eq!(bench.things(&read).status, 200);
    assert_eq!(bench.make(&read).status, 403);
    let both = bench.token(&bench.key, "read_reports upload");
    assert_eq!(
        (bench.things(&both).status, bench.make(&both).status),
        (200, 200)
    );
    // A key that may only read, of somebody who may do more.
    let narrow = [
        "keys",
        "create",
        "--principal",
        "acme/trainer",
        "--permission",
        "datasets:read",
    ];
    let narrow = bench.gateway.cli(&narrow);
    let wide = bench.token(&narrow, "everything");
    assert_eq!(
        (bench.things(&wide).status, bench.make(&wide).status),
        (200, 403)
    );
    for received in bench.upstream.received() {
        assert!(!received.head.contains(upload), "{}", received.head);
        assert_eq!(received.header("authorization"), Vec::<&str>::new());
    }
    bench.gateway.wait_for_audit();
    let events = bench.gateway.events().await;
    let of_token = events
        .iter()
        .rfind(|event| event["route"] == "POST /things")
        .unwrap();
    assert_eq!(of_token["credential_id"], id(&narrow), "the client's");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_shows_its_key_in_one_of_two_ways_and_hears_what_is_wrong() {
    let bench = Bench::start().await;
    let (key, client) = (&bench.key, id(&bench.key));
    let grant = "grant_type=client_credentials";
    let post = format!("{grant}&client_id={client}&client_secret={key}");
    let told = body(&bench.send(TOKEN, "", &post));
    assert_eq!(told["scope"], "everything manage_keys read_reports upload");
    let other = bench.gateway.key("viewer@example.com", None);
    let wrong = format!("{}x", &key[..key.len() - 1]);
    for (what, form, status, error) in [
        ("no key", grant.to_owned(), 401, "invalid_client"),
        (
            "a wrong one",
            format!("{grant}&client_secret={wrong}"),
            401,
            "invalid_client",
        ),
        (
            "no grant",
            format!("client_secret={key}"),
            400,
            "invalid_request",
        ),
        (
            "another grant",
            format!("grant_type=password&client_secret={key}"),
            400,
            "unsupported_grant_type",
        ),
        (
            "another scope",
            format!("{post}&scope=read_reports+x"),
            400,
            "invalid_scope",
        ),
        (
            "a field twice",
            format!("{post}&{grant}"),
            400,
            "invalid_request",
        ),
        (
            "another id",
            format!("{grant}&client_id=x&client_secret={key}"),
            401,
            "invalid_client",
        ),
        (
            "a person",
            format!("{grant}&client_secret={other}"),
            400,
            "unauthorized_client",
        ),
    ] {
        bench.refused(what, &bench.send(TOKEN, "", &form), status, error);
    }
    bench.refused(
        "two keys",
        &bench.form(TOKEN, key, &post),
        400,
        "invalid_request",
    );
    assert_eq!(bench.form(TOKEN, &wrong, grant).status, 401);
    let token = bench.token(key, "read_reports");
    let fields = format!("Authorization: Bearer {token}\r\n");
    bench.refused(
        "a token",
        &bench.send(TOKEN, &fields, grant),
        401,
        "invalid_client",
    );
    let metadata = "GET /.well-known/oauth-authorization-server HTTP/1.1\r\nHost: gw\r\n\r\n";
    let metadata = body(&bench.gateway.raw(metadata).unwrap());
    assert_eq!(metadata["issuer"], ISSUER);
    assert_eq!(
        metadata["token_endpoint"],
        format!("{ISSUER}/.portcullis/oauth2/token")
    );
    bench.gateway.wait_for_audit();
    let events = bench.gateway.events().await;
    let refused = events
        .iter()
        .filter(|event| event["reason"] == "invalid_client");
    assert_eq!(refused.count(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_dies_at_once_and_everywhere_with_its_key_its_account_or_by_itself() {
    let bench = Bench::start().await;
    let mut other = bench.gateway.replica(&configuration(&bench.upstream));
    other.launch();
    let works = |token: &str| {
        let statuses = [
            bench.things(token).status,
            other.get("/things", token).status,
        ];
        assert!(
            statuses.iter().all(|status| [200, 401].contains(status)),
            "{statuses:?}"
        );
        statuses.map(|status| status == 200)
    };
    let token = bench.token(&bench.key, "read_reports");
    let sibling = bench.token(&bench.key, "read_reports");
    assert_eq!(works(&token), [true; 2]);
    let form = format!("token={token}");
    assert_eq!(bench.form("revoke", &bench.key, &form).status, 200);
    until("the end of one", || works(&token) == [false; 2]);
    assert_eq!(bench.form("revoke", &bench.key, &form).status, 200, "again");
    assert_eq!(works(&sibling), [true; 2], "the other one lives");

    bench
        .gateway
        .cli(&["service-accounts", "disable", "acme/trainer"]);
    until("the end of the account", || works(&sibling) == [false; 2]);
    bench
        .gateway
        .cli(&["service-accounts", "enable", "acme/trainer"]);
    until("its return", || works(&sibling) == [true; 2]);

    bench.gateway.cli(&["keys", "revoke", id(&bench.key)]);
    until("the end of the key", || works(&sibling) == [false; 2]);

    let key = bench.gateway.key("acme/trainer", Some("acme/fraud"));
    let token = bench.token(&key, "read_reports");
    assert_eq!(works(&token), [true; 2]);
    bench.gateway.cli(&["signing-keys", "rotate"]);
    assert_eq!(works(&token), [true; 2]);
    bench
        .gateway
        .cli(&["signing-keys", "rotate", "--compromised"]);
    until("the end of what signed it", || works(&token) == [false; 2]);

    let token = bench.token(&key, "read_reports");
    bench.clock.jump("+599s");
    assert_eq!(bench.things(&token).status, 200);
    bench.clock.jump("+601s");
    assert_eq!(bench.things(&token).status, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_its_tenant_hears_of_a_token_and_only_its_client_ends_it() {
    let bench = Bench::start().await;
    let account = |name: &str| {
        bench.gateway.cli(&["service-accounts", "create", name]);
        bench.gateway.key(name, None)
    };
    let (near, far) = (account("acme/reports"), account("globex/reports"));
    let token = bench.token(&bench.key, "read_reports");
    let told = body(&bench.form("introspect", &near, &format!("token={token}")));
    assert_eq!(
        (&told["active"], &told["scope"]),
        (&json!(true), &json!("read_reports"))
    );
    assert_eq!(told["client_id"], id(&bench.key));
    assert!(!bench.is_active(&far, &token), "of another tenant");
    assert!(!bench.is_active(&near, "x.y.z"), "none at all");
    let form = format!("token={token}");
    let refused = bench.form("revoke", &near, &form);
    bench.refused("another's", &refused, 400, "unauthorized_client");
    assert_eq!(bench.things(&token).status, 200);
    assert_eq!(bench.form("revoke", &bench.key, &form).status, 200);
    assert!(!bench.is_active(&near, &token));
    bench.gateway.wait_for_audit();
    let mut owner = bench.gateway.postgres.owner().await;
    let revoked: Vec<Value> =
        sqlx::query_scalar("SELECT to_jsonb(e) FROM audit_events e WHERE event = 'token.revoked'")
            .fetch_all(&mut owner)
            .await
            .unwrap();
    assert_eq!(revoked.len(), 1);
    assert_eq!(revoked[0]["tenant"], "acme");
    assert_eq!(revoked[0]["details"]["client_id"], id(&bench.key));
}

#[tokio::test(flavor = "multi_thread")]
async fn with_a_token_nobody_gives_away_what_it_does_not_hold() {
    let bench = Bench::start().await;
    bench
        .gateway
        .cli(&["service-accounts", "create", "acme/admin"]);
    add(&bench.gateway, "acme", "acme/admin", "client_admin");
    let key = bench.gateway.key("acme/admin", None);
    let make = |secret: &str| {
        let body = "{\"principal\": \"acme/trainer\"}";
        bench.gateway.request(
            "POST",
            "/.portcullis/api/v1/tenants/acme/keys",
            secret,
            body,
        )
    };
    until("the account", || make(&key).status == 201);
    let refused = make(&bench.token(&key, "manage_keys"));
    assert_eq!(refused.status, 403, "{refused:?}");
    assert!(refused.body.contains("beyond_authority"), "{refused:?}");
    assert_eq!(make(&bench.token(&key, "read_reports")).status, 403);
    assert_eq!(make(&bench.token(&key, "everything")).status, 201);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_key_is_limited_to_limits_its_tokens() {
    let bench = Bench::start().await;
    let create = ["keys", "create", "--principal", "acme/trainer"];
    let key = |more: &[&str]| bench.gateway.cli(&[&create[..], more].concat());
    // From another network nobody gets a token.
    let away = key(&["--network", "10.0.0.0/8"]);
    let grant = "grant_type=client_credentials&scope=read_reports";
    let asked = bench.form(TOKEN, &away, grant);
    assert_eq!(asked.status, 401, "{asked:?}");
    let form = format!("{grant}&client_id={}&client_secret={away}", id(&away));
    bench.refused(
        "in a form",
        &bench.send(TOKEN, "", &form),
        401,
        "invalid_client",
    );
    // The rate of the key is that of all its tokens.
    let few = key(&["--rate", "3/h", "--network", "127.0.0.0/8"]);
    let tokens = [
        bench.token(&few, "read_reports"),
        bench.token(&few, "everything"),
    ];
    let seen = tokens.each_ref().map(|token| bench.things(token).status);
    assert_eq!(seen, [200, 429], "two of the three were for the tokens");
    // Where all keys of before were revoked, so were their tokens.
    let token = bench.token(&bench.key, "read_reports");
    assert_eq!(bench.things(&token).status, 200);
    bench
        .gateway
        .cli(&["keys", "revoke-all", "--tenant", "acme"]);
    until("the token to end", || bench.things(&token).status == 401);
}
