//! Providers that are made while the gateway runs.

use serde_json::{Value, json};

use super::Bench;
use crate::support::browser::{Browser, DOCUMENT};
use crate::support::gateway::{TestGateway, until};
use crate::support::oidc::OidcProvider;
use crate::support::raw::Answer;

const PROVIDERS: &str = "/.portcullis/api/v1/providers";
const CORP: &str = "/.portcullis/api/v1/providers/corp";
const SIGN_IN: &str = "sign_in:\n  public_url: \"http://localhost:1\"\n  providers:\n    - { name: \
                       ours, tenant: acme, gitlab: { client_id: ml } }\n";

struct World {
    bench: Bench,
    provider: OidcProvider,
}

impl World {
    async fn start() -> Self {
        let provider = OidcProvider::start("http://localhost:1/.portcullis/callback/corp");
        let bench = Bench::with_rules(SIGN_IN).await;
        Self { bench, provider }
    }

    /// With a new secret, or the one that is there.
    fn settings(&self, secret: Option<&str>) -> Value {
        let mut oidc = json!({ "issuer": self.provider.issuer(), "client_id": "ml",
            "scopes": ["groups"] });
        if let Some(secret) = secret {
            oidc["client_secret"] = json!(secret);
        }
        json!({ "label": "Corp", "oidc": oidc, "domains": ["acme.example"],
            "auto_provision_users": true, "group_role_mapping":
            [{ "group": "scientists", "role": "editor", "project": "fraud" }] })
    }

    fn send(&self, line: &str, key: &str, seen: Option<&str>, body: &Value) -> Answer {
        self.send_text(line, key, seen, &body.to_string())
    }

    fn send_text(&self, line: &str, key: &str, seen: Option<&str>, body: &str) -> Answer {
        let seen = seen.map_or_else(String::new, |seen| format!("If-Match: {seen}\r\n"));
        let mut connection = self.bench.gateway.connect();
        connection.send(format!(
            "{line} HTTP/1.1\r\nHost: gw\r\nAuthorization: Bearer {key}\r\n{seen}Content-Type: \
             application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        ));
        connection.answer().unwrap()
    }

    fn create(&self, settings: &Value) -> Answer {
        let body = json!({ "name": "corp", "tenant": "acme", "settings": settings });
        let line = format!("POST {PROVIDERS}");
        self.send(&line, &self.bench.keys.admin, None, &body)
    }

    fn read(&self) -> Answer {
        self.bench.gateway.get(CORP, &self.bench.keys.admin)
    }

    /// Changes it, as it is seen at the moment.
    fn change(&self, method: &str, body: &Value) -> Answer {
        let seen = self.read();
        let tag = seen.header("etag")[0];
        let line = format!("{method} {CORP}");
        self.send(&line, &self.bench.keys.admin, Some(tag), body)
    }

    /// There and back, at this gateway.
    fn sign_in(&self, browser: &mut Browser) -> Answer {
        let ann = json!({ "sub": "u-1", "email": "ann@acme.example", "name": "Ann",
            "groups": ["scientists"] });
        self.provider.be(&ann);
        let leave = "/.portcullis/sign-in/with/corp?return=/things";
        until("the provider to be known", || {
            browser.go(leave).status == 303
        });
        let sent = browser.go(leave);
        let back = self.provider.visit(sent.header("location")[0]);
        let fields = format!("{DOCUMENT}Sec-Fetch-Site: cross-site\r\n");
        browser.send(&format!("GET {back}"), &fields, "")
    }
}

fn at(gateway: &TestGateway) -> Browser {
    Browser::new(gateway.public())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_is_made_changed_and_forgotten_while_gateways_run() {
    let world = World::start().await;
    let mut replica = world.bench.gateway.replica(&world.bench.rules(SIGN_IN));
    replica.launch();
    let made = world.create(&world.settings(Some("hush")));
    assert_eq!(made.status, 201, "{made:?}");
    assert_eq!(made.header("location"), [CORP]);
    // Its secret is nobody's to read: not here, not in the trail, not in the database.
    assert_eq!(made.json()["secrets"], json!(["oidc.client_secret"]));
    assert!(!made.body.contains("hush"), "{}", made.body);
    let event = world.bench.event("provider.created").await;
    assert_eq!(event["details"]["settings"]["label"], "Corp");
    assert!(!event.to_string().contains("hush"), "{event}");
    let row = "SELECT settings::text || encode(sealed, 'escape') FROM providers";
    assert!(!world.bench.text(row).await.contains("hush"));
    // Another gateway has heard of it.
    let mut browser = at(&replica);
    let came = world.sign_in(&mut browser);
    assert_eq!(came.status, 303, "{came:?}");
    until("the role", || {
        browser.send("GET /things", "", "").status == 200
    });
    let page = world.bench.browser().go("/.portcullis/sign-in").body;
    assert!(page.contains("<bdi>Corp</bdi>"), "{page}");
    let examined = |name| world.bench.gateway.cli_code(&["sso", "test", name]);
    let (code, rows) = examined("corp");
    assert_eq!(code, 0, "{rows}");
    assert!(rows.contains("`client_secret` are taken"), "{rows}");
    assert_eq!(examined("nobody").0, 1);
    // What is not sent stays.
    let mut settings = world.settings(None);
    settings["label"] = json!("Acme");
    let changed = world.change("PUT", &json!({ "settings": settings }));
    assert_eq!(changed.status, 200, "{changed:?}");
    assert_eq!(changed.json()["secrets"], json!(["oidc.client_secret"]));
    until("the new name", || {
        let page = world.bench.browser().go("/.portcullis/sign-in").body;
        page.contains("<bdi>Acme</bdi>")
    });
    assert_eq!(world.sign_in(&mut world.bench.browser()).status, 303);
    // A wrong secret is one, at once.
    let wrong = world.settings(Some("guess"));
    assert_eq!(
        world.change("PUT", &json!({ "settings": wrong })).status,
        200
    );
    let (code, rows) = examined("corp");
    assert_eq!(code, 1);
    assert!(rows.contains("`client_secret` is wrong"), "{rows}");
    until("the wrong secret", || {
        world.sign_in(&mut world.bench.browser()).status != 303
    });
    // Forgotten: nobody comes from there any more, nor has.
    let gone = world.change("DELETE", &json!({}));
    assert_eq!(gone.status, 204, "{gone:?}");
    until("the session to end", || {
        browser.send("GET /things", "", "").status == 401
    });
    until("the button to go", || {
        !at(&replica)
            .go("/.portcullis/sign-in")
            .body
            .contains("corp")
    });
    let event = world.bench.event("provider.deleted").await;
    let details = &event["details"];
    let counts = ["roles", "people"].map(|of| details[of].as_i64().unwrap());
    assert_eq!(counts, [1, 1]);
    assert!(details["sessions"].as_i64().unwrap() >= 2, "{details}");
    let roles = "SELECT count(*)::text FROM bindings WHERE provider = 'corp'";
    assert_eq!(world.bench.text(roles).await, "0");
    assert_eq!(world.read().status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_a_provider_is_told_before_it_is_one() {
    let world = World::start().await;
    let detail = |settings: Value| {
        let answer = world.create(&settings);
        assert_eq!(answer.status, 422, "{answer:?}");
        answer.json()["detail"].as_str().unwrap().to_owned()
    };
    let told = detail(json!({ "labl": "x", "oidc": { "issuer": "http://c.example" } }));
    for part in ["`labl`", "`oidc.issuer`", "`client_id` is missing"] {
        assert!(told.contains(part), "{told}");
    }
    let file = json!({ "saml": { "idp_entity_id": "x", "idp_metadata_file": "/etc/passwd" } });
    assert_eq!(
        detail(file),
        "`idp_metadata_file`: files are read for the configuration only"
    );
    let twice = r#"{"name": "corp", "tenant": "acme", "settings": {"label": "a", "label": "b"}}"#;
    let line = format!("POST {PROVIDERS}");
    let twice = world.send_text(&line, &world.bench.keys.admin, None, twice);
    assert_eq!(twice.status, 422, "{twice:?}");
    // What stands for a variable elsewhere is a text here: nobody reads the gateway's own.
    let text = json!({ "label": "${HOME}", "oidc": { "issuer": "https://c.example", "client_id":
        "${PATH}" } });
    let made = world.create(&text);
    assert_eq!(made.json()["settings"]["oidc"]["client_id"], "${PATH}");
    until("the button", || {
        let page = world.bench.browser().go("/.portcullis/sign-in").body;
        page.contains("<bdi>${HOME}</bdi>")
    });
    assert_eq!(world.create(&world.settings(None)).status, 409, "twice");
    let admin = &world.bench.keys.admin;
    let ours = json!({ "name": "ours", "tenant": "acme", "settings": world.settings(None) });
    assert_eq!(world.send(&line, admin, None, &ours).status, 409);
    let nowhere = json!({ "name": "new", "tenant": "none", "settings": world.settings(None) });
    assert_eq!(world.send(&line, admin, None, &nowhere).status, 422);
    // It is the platform's: who runs a tenant would say who others are.
    let boss = ["users", "create", "boss@example.com"];
    world.bench.gateway.cli(&boss);
    let args = "members add --scope acme --principal boss@example.com --role client_admin";
    let args: Vec<_> = args.split(' ').collect();
    world.bench.gateway.cli(&args);
    let boss = world.bench.gateway.key("boss@example.com", None);
    let new = json!({ "name": "new", "tenant": "acme", "settings": world.settings(None) });
    until("the refusal", || {
        world.send(&line, &boss, None, &new).status == 403
    });
    assert_eq!(world.bench.gateway.get(CORP, &boss).status, 403);
}
