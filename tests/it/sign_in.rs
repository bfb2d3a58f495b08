//! People sign in, are somebody, and sign out.

use serde_json::Value;

use crate::support::browser::{Browser, OWN_PAGE, token_of};
use crate::support::clock::SetClock;
use crate::support::gateway::{Keys, TestGateway, until, yaml};
use crate::support::upstream::Upstream;

mod crowd;
mod devices;
mod ended;
mod enforced;
mod examine;
mod factors;
mod github;
mod keys;
mod lies;
mod limits;
mod links;
mod mail;
mod on_record;
mod passkeys;
mod peers;
mod projects;
mod races;
mod recorded;
mod refusals;
mod rules;
pub mod saml;
mod saml_lies;
mod saml_peers;
mod sso;
mod step_up;
mod walls;

const ROUTES: &str = "
  - { route: GET /things, upstream: app, permission: datasets:read }
  - { route: POST /things, upstream: app, permission: datasets:create, event: dataset.created }
  - { route: GET /me, upstream: app, authenticated: true }
  - { route: GET /strong, upstream: app, authenticated: true, when: 'session.acr == \"aal2\"' }
  - { route: GET /open, upstream: app, public: \"for all\" }
";
const PASSWORD: &str = "correct horse battery";
const TYPED: &str = "correct+horse+battery";

pub struct Bench {
    upstream: Upstream,
    gateway: TestGateway,
    keys: Keys,
}

impl Bench {
    async fn start() -> Self {
        Self::with_rules("sign_in: {}").await
    }

    async fn with_rules(sign_in: &str) -> Self {
        Self::prepared(sign_in, |_| ()).await.0
    }

    /// One whose clock can be set.
    async fn with_clock(sign_in: &str) -> (Self, SetClock) {
        Self::prepared(sign_in, SetClock::of).await
    }

    async fn prepared<T>(sign_in: &str, prepare: impl FnOnce(&mut TestGateway) -> T) -> (Self, T) {
        let upstream = Upstream::ok();
        let text = rules(sign_in, &upstream);
        let mut gateway = TestGateway::prepare(&text).await;
        let prepared = prepare(&mut gateway);
        gateway.launch();
        let keys = gateway.seed();
        for who in ["editor", "viewer"] {
            let email = format!("{who}@example.com");
            gateway.cli_told(&["users", "set-password", &email], PASSWORD);
        }
        let bench = Self {
            upstream,
            gateway,
            keys,
        };
        (bench, prepared)
    }

    /// A configuration with another `sign_in:`.
    fn rules(&self, sign_in: &str) -> String {
        rules(sign_in, &self.upstream)
    }

    fn browser(&self) -> Browser {
        Browser::new(self.gateway.public())
    }

    /// A browser that keeps this cookie.
    fn with(&self, cookie: Option<String>) -> Browser {
        let mut browser = self.browser();
        browser.cookie = cookie;
        browser
    }

    fn signed_in(&self, who: &str) -> Browser {
        let mut browser = self.browser();
        let answer = browser.sign_in(&format!("{who}%40example.com"), TYPED);
        assert_eq!(answer.status, 303, "{answer:?}");
        browser
    }

    /// The last event of this name, when all are written.
    /// The latest event of this name, of the gateway's own doing.
    fn own_event(&self, name: &str) -> Value {
        self.gateway.wait_for_audit();
        let args = ["--json", "audit", "query", "--event", name];
        let all: Vec<Value> = serde_json::from_str(&self.gateway.cli(&args)).unwrap();
        all.into_iter()
            .next()
            .unwrap_or_else(|| panic!("no {name}"))
    }

    async fn event(&self, name: &str) -> Value {
        self.gateway.wait_for_audit();
        let events = self.gateway.events().await;
        let found = events.into_iter().rfind(|event| event["event"] == name);
        found.unwrap_or_else(|| panic!("no {name}"))
    }
}

fn rules(sign_in: &str, upstream: &Upstream) -> String {
    format!("{sign_in}\n{}", yaml(upstream.address(), ROUTES))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_leads_to_sign_in_and_back() {
    let bench = Bench::start().await;
    let mut browser = bench.browser();
    let away = browser.go("/things?page=2&q=%20");
    assert_eq!(away.status, 303);
    assert_eq!(
        away.header("location"),
        ["/.portcullis/sign-in?return=/things%3Fpage=2%26q=%2520"]
    );
    let form = browser.go(away.header("location")[0]);
    assert_eq!(form.status, 200);
    assert!(
        form.body.contains("value=\"/things?page=2&#38;q=%20\""),
        "{}",
        form.body
    );
    assert_eq!(form.header("cache-control"), ["no-store"]);
    assert!(form.header("content-security-policy")[0].starts_with("default-src 'none'"));
    let back = browser.sign_in("Viewer%40Example.com", TYPED);
    assert_eq!(back.status, 303);
    assert_eq!(back.header("location"), ["/things"]);
    let cookie = back.header("set-cookie")[0].to_owned();
    assert!(cookie.starts_with("portcullis-dev="), "{cookie}");
    assert!(
        cookie.ends_with("; Path=/; HttpOnly; SameSite=Lax"),
        "{cookie}"
    );
    assert_eq!(browser.go("/things").status, 200);
    // The backend knows who it is, and not by which cookie.
    let received = bench.upstream.received();
    let received = received.last().unwrap();
    assert_eq!(received.header("x-forwarded-user"), ["viewer@example.com"]);
    assert_eq!(received.header("cookie"), Vec::<&str>::new());
    let event = bench.event("session.created").await;
    assert_eq!(event["actor_email"], "viewer@example.com");
    assert_eq!(event["result"], "success");
    assert_eq!(event["credential_id"], event["resource_id"]);
    // A script is told, and not sent away.
    bench.signed_in("viewer");
    let script = bench
        .browser()
        .send("GET /things", "Sec-Fetch-Mode: cors\r\n", "");
    assert_eq!(script.status, 401);
    // Basic would have its browser ask for a key, in the middle of the page.
    assert_eq!(
        script.header("www-authenticate"),
        ["Bearer realm=\"Portcullis\""]
    );
    let client = bench.browser().send("GET /things", "", "");
    assert_eq!(client.header("www-authenticate").len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_wrong_hears_one_answer_for_all_reasons() {
    let bench = Bench::start().await;
    bench
        .gateway
        .cli(&["users", "disable", "editor@example.com"]);
    let mut bodies = Vec::new();
    for (name, password) in [
        ("viewer%40example.com", "wrong+horse+battery"),
        ("viewer%40example.com", "short"),
        ("editor%40example.com", TYPED),
        ("owner%40example.com", TYPED),
        ("nobody%40example.com", TYPED),
        ("no+address", TYPED),
    ] {
        let mut browser = bench.browser();
        let answer = browser.sign_in(name, password);
        assert_eq!(answer.status, 401, "{name}");
        assert_eq!(browser.cookie, None, "{name}");
        let (_, alert) = answer.body.split_once("role=\"alert\"").unwrap();
        bodies.push(alert.split("</p>").next().unwrap().to_owned());
    }
    bodies.dedup();
    assert_eq!(bodies.len(), 1, "{bodies:?}");
    let event = bench.event("session.refused").await;
    assert_eq!(event["result"], "denied");
    assert_eq!(event["reason"], "credentials_wrong");
    assert_eq!(event["actor_type"], "anonymous");
}

#[tokio::test(flavor = "multi_thread")]
async fn class_40_a_cookie_does_not_speak_for_other_sites() {
    let bench = Bench::start().await;
    let mut browser = bench.signed_in("editor");
    let before = bench.upstream.received().len();
    for (what, fields) in [
        ("another site", "Sec-Fetch-Site: cross-site\r\n"),
        ("a sibling", "Sec-Fetch-Site: same-site\r\n"),
        ("a bookmark", "Sec-Fetch-Site: none\r\n"),
        (
            "an old browser elsewhere",
            "Origin: http://evil.example\r\n",
        ),
        ("an old browser at a sibling", "Origin: http://x.gw\r\n"),
        ("a page of nowhere", "Origin: null\r\n"),
        ("one that does not say", ""),
    ] {
        let answer = browser.send("POST /things", fields, "a=b");
        assert_eq!(answer.status, 403, "{what}");
        assert_eq!(answer.json()["code"], "cross_site", "{what}");
        let socket = format!("{fields}Connection: Upgrade\r\nUpgrade: websocket\r\n");
        assert_eq!(
            browser.send("GET /things", &socket, "").status,
            403,
            "{what}"
        );
    }
    assert_eq!(bench.upstream.received().len(), before);
    for fields in [OWN_PAGE, "Origin: http://gw\r\n"] {
        assert_eq!(browser.send("POST /things", fields, "a=b").status, 200);
    }
    // A link from anywhere is followed, and a key is no cookie.
    let link = "Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: navigate\r\n";
    assert_eq!(browser.send("GET /things", link, "").status, 200);
    let key = format!("Authorization: Bearer {}\r\n", bench.keys.editor);
    let mut client = bench.browser();
    assert_eq!(client.send("POST /things", &key, "a=b").status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn class_24_two_credentials_are_none() {
    let bench = Bench::start().await;
    let mut browser = bench.signed_in("viewer");
    let cookie = browser.cookie.clone().unwrap();
    let key = format!("Authorization: Bearer {}\r\n", bench.keys.viewer);
    for (what, fields) in [
        ("a key", key.as_str()),
        ("another cookie", "Cookie: portcullis-dev=x\r\n"),
    ] {
        let answer = browser.send("GET /things", fields, "");
        assert_eq!(answer.status, 400, "{what}");
        assert_eq!(answer.json()["code"], "two_credentials", "{what}");
    }
    // Cookies of others beside it, in fields of their own.
    assert_eq!(
        browser
            .send("GET /things", "Cookie: a=b; c=d\r\n", "")
            .status,
        200
    );
    // A cookie that is for TLS proves nothing without.
    browser.cookie = Some(cookie.replace("portcullis-dev", "__Host-portcullis"));
    assert_eq!(browser.send("GET /things", "", "").status, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn class_39_a_session_that_has_ended_is_dead_everywhere() {
    let bench = Bench::start().await;
    let text = format!("sign_in: {{}}\n{}", yaml(bench.upstream.address(), ROUTES));
    let mut replica = bench.gateway.replica(&text);
    replica.launch();
    let works = |browser: &Browser, gateway: &TestGateway| {
        let mut there = Browser::new(gateway.public());
        there.cookie.clone_from(&browser.cookie);
        there.send("GET /things", "", "").status
    };
    let alive = |browser: &Browser| {
        assert_eq!(works(browser, &bench.gateway), 200);
        assert_eq!(works(browser, &replica), 200);
    };
    let dead = |browser: &Browser, what: &str| {
        for gateway in [&bench.gateway, &replica] {
            until(what, || works(browser, gateway) == 401);
        }
    };

    // After signing out.
    let mut browser = bench.signed_in("viewer");
    let kept = bench.with(browser.cookie.clone());
    alive(&kept);
    let token = token_of(&browser.go("/.portcullis/account"));
    let forged = browser.submit("/.portcullis/sign-out", "csrf_token=0000");
    assert_eq!(forged.status, 403);
    alive(&kept);
    let out = browser.submit("/.portcullis/sign-out", &format!("csrf_token={token}"));
    assert_eq!(out.status, 303, "{out:?}");
    assert_eq!(browser.cookie, None);
    dead(&kept, "the end after signing out");
    // It leads to sign-in, and public pages are as for anybody.
    let mut stale = bench.with(kept.cookie.clone());
    assert_eq!(stale.go("/things").status, 303);
    assert_eq!(stale.go("/open").status, 200);
    assert_eq!(stale.go("/.portcullis/sign-in").status, 200);

    // Ended from another browser.
    let one = bench.signed_in("viewer");
    alive(&one);
    let mut other = bench.signed_in("viewer");
    let page = other.go("/.portcullis/account/sessions");
    let id = &one.cookie.as_ref().unwrap()["portcullis-dev=".len()..][..32];
    let id = uuid::Uuid::parse_str(id).unwrap();
    let path = format!("/.portcullis/account/sessions/{id}/end");
    assert!(page.body.contains(&path), "{}", page.body);
    let form = format!("csrf_token={}", token_of(&page));
    // Nobody else's session can be.
    let mut editor = bench.signed_in("editor");
    let own = format!(
        "csrf_token={}",
        token_of(&editor.go("/.portcullis/account"))
    );
    assert_eq!(editor.submit(&path, &own).status, 404);
    alive(&one);
    assert_eq!(other.submit(&path, &form).status, 303);
    dead(&one, "the end by another session");
    alive(&other);

    // After a new password.
    let email = "viewer@example.com";
    bench
        .gateway
        .cli_told(&["users", "set-password", email], "another good password");
    dead(&other, "the end after a new password");

    // Of somebody disabled.
    alive(&editor);
    bench
        .gateway
        .cli(&["users", "disable", "editor@example.com"]);
    dead(&editor, "the end of a disabled user");
}

#[tokio::test(flavor = "multi_thread")]
async fn class_38_guessing_becomes_slow_for_the_one_who_guesses() {
    let bench = Bench::start().await;
    let mut last = 0;
    for name in [
        "viewer%40example.com",
        "VIEWER%40EXAMPLE.COM",
        "+viewer%40example.com+",
        // In full width, which is the same after normalisation.
        "%EF%BD%96iewer%40example.com",
        "viewer%40example.com",
        "viewer%40example.com",
        "viewer%40example.com",
    ] {
        last = bench.browser().sign_in(name, "wrong+horse+battery").status;
    }
    assert_eq!(last, 429);
    // Not even with the right one; another account is not concerned.
    assert_eq!(
        bench
            .browser()
            .sign_in("viewer%40example.com", TYPED)
            .status,
        429
    );
    bench.signed_in("editor");
    // Nor is the account, from somewhere else.
    let mut connection =
        crate::support::raw::Connection::from([127, 0, 0, 9], bench.gateway.public());
    let form = format!("email=viewer%40example.com&password={TYPED}");
    connection.send(format!(
        "POST /.portcullis/sign-in HTTP/1.1\r\nHost: gw\r\n{OWN_PAGE}Content-Type: \
         application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{form}",
        form.len()
    ));
    assert_eq!(connection.answer().unwrap().status, 303);
    let event = bench.event("session.refused").await;
    assert_eq!(event["reason"], "throttled");
}

#[tokio::test(flavor = "multi_thread")]
async fn class_35_nobody_is_led_elsewhere() {
    let bench = Bench::start().await;
    for target in [
        "https%3A%2F%2Fevil.example",
        "%2F%2Fevil.example",
        "%2F%5Cevil.example",
        "%5C%5Cevil.example",
        "%2F%09%2Fevil.example",
        "javascript%3Aalert(1)",
        "%20%2F%2Fevil.example",
        "%0d%0aLocation%3A%20https%3A%2F%2Fevil.example",
    ] {
        let form = format!("email=viewer%40example.com&password={TYPED}&return={target}");
        let answer = bench.browser().submit("/.portcullis/sign-in", &form);
        assert_eq!(answer.status, 303, "{target}");
        assert_eq!(answer.header("location"), ["/"], "{target}");
    }
    let away = bench.browser().send(
        "GET /things?next=//evil.example",
        "Accept: text/html\r\n",
        "",
    );
    assert_eq!(
        away.header("location"),
        ["/.portcullis/sign-in?return=/things%3Fnext=//evil.example"]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn class_40_the_sign_in_form_is_ours() {
    let bench = Bench::start().await;
    let form = format!("email=viewer%40example.com&password={TYPED}");
    let mut browser = bench.browser();
    let foreign = "Sec-Fetch-Site: cross-site\r\n";
    let answer = browser.send("POST /.portcullis/sign-in", foreign, &form);
    assert_eq!((answer.status, browser.cookie), (403, None));
}

#[tokio::test(flavor = "multi_thread")]
async fn class_39_another_password_ends_every_other_session() {
    let bench = Bench::start().await;
    let mut here = bench.signed_in("viewer");
    let mut there = bench.signed_in("viewer");
    let token = token_of(&here.go("/.portcullis/account"));
    let path = "/.portcullis/account/password";
    let change = |current: &str, new: &str, again: &str| {
        format!("csrf_token={token}&current={current}&new={new}&again={again}")
    };
    let new = "another+good+password";
    for (status, form) in [
        (403, change(TYPED, new, new).replace(&token, "0")),
        (422, change(TYPED, new, "another+good+passwort")),
        (422, change(TYPED, "short", "short")),
        (401, change("wrong+horse+battery", new, new)),
    ] {
        assert_eq!(here.submit(path, &form).status, status, "{form}");
        assert_eq!(there.go("/things").status, 200, "{form}");
    }
    let before = here.cookie.clone();
    let changed = here.submit(path, &change(TYPED, new, new));
    assert_eq!(changed.status, 303, "{changed:?}");
    assert_ne!(here.cookie, before);
    assert_eq!(here.go("/things").status, 200);
    until("the end of the others", || {
        there.go("/things").status == 303
    });
    let mut kept = bench.with(before);
    until("the end of the former cookie", || {
        kept.go("/things").status == 303
    });
    assert_eq!(
        bench
            .browser()
            .sign_in("viewer%40example.com", TYPED)
            .status,
        401
    );
    assert_eq!(
        bench.browser().sign_in("viewer%40example.com", new).status,
        303
    );
    let event = bench.event("password.changed").await;
    assert_eq!(event["result"], "success");
    assert_eq!(event["details"]["sessions_ended"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn class_38_a_password_has_a_bound() {
    let bench = Bench::start().await;
    let long = "x".repeat(1 << 20);
    let answer = bench.browser().sign_in("viewer%40example.com", &long);
    assert_eq!(answer.status, 413);
    let longer_than_any = "x".repeat(10_000);
    let answer = bench
        .browser()
        .sign_in("viewer%40example.com", &longer_than_any);
    assert_eq!(answer.status, 401);
    // The twin.
    bench.signed_in("viewer");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_that_attackers_know_cannot_be_chosen() {
    let directory = tempfile::tempdir().unwrap();
    let list = directory.path().join("list");
    // The SHA-1 of `known to everybody`, between two others.
    let known = "1DACEAC24C4FDC55D3D43695FAE5534FBA63D95D:7";
    let lines = [
        &*format!("{:040X}:1", 1),
        known,
        &format!("{}:1", "F".repeat(40)),
    ];
    std::fs::write(&list, lines.join("\r\n")).unwrap();
    let rules = format!("sign_in: {{ breached_passwords: {} }}", list.display());
    let bench = Bench::with_rules(&rules).await;
    let mut browser = bench.signed_in("viewer");
    let token = token_of(&browser.go("/.portcullis/account"));
    let mut change = |new: &str| {
        let form = format!("csrf_token={token}&current={TYPED}&new={new}&again={new}");
        browser.submit("/.portcullis/account/password", &form)
    };
    let refused = change("known+to+everybody");
    assert_eq!(refused.status, 422);
    assert!(
        refused.body.contains("known to attackers"),
        "{}",
        refused.body
    );
    // A list that cannot be read lets nothing pass.
    let kept = std::fs::read(&list).unwrap();
    std::fs::write(&list, "nonsense").unwrap();
    assert_eq!(change("unknown+to+everybody").status, 503);
    std::fs::write(&list, kept).unwrap();
    assert_eq!(change("unknown+to+everybody").status, 303);
}

#[tokio::test(flavor = "multi_thread")]
async fn class_40_administration_by_a_session_wants_its_token() {
    let bench = Bench::start().await;
    bench
        .gateway
        .cli_told(&["users", "set-password", "owner@example.com"], PASSWORD);
    let mut owner = bench.signed_in("owner");
    let mut viewer = bench.signed_in("viewer");
    let token = |browser: &mut Browser| {
        let me = browser.send("GET /.portcullis/api/v1/me", "", "").json();
        me["csrf_token"].as_str().unwrap().to_owned()
    };
    let (own, others) = (token(&mut owner), token(&mut viewer));
    let members = "/.portcullis/api/v1/tenants/acme/projects/fraud/members";
    let listed = owner.send(&format!("GET {members}"), "", "").json();
    let listed = listed["items"].as_array().unwrap();
    let member = listed.iter().find(|it| it["email"] == "viewer@example.com");
    let member = member.unwrap()["id"].as_str().unwrap();
    let path = format!("DELETE {members}/{member}");
    let mut remove = |token: &str| {
        let fields = format!("{OWN_PAGE}If-Match: *\r\n{token}");
        owner.send(&path, &fields, "")
    };
    for wrong in [String::new(), format!("X-CSRF-Token: {others}\r\n")] {
        let answer = remove(&wrong);
        assert_eq!(answer.status, 403, "{answer:?}");
        assert_eq!(answer.json()["code"], "csrf_token_wrong");
    }
    assert_eq!(viewer.send("GET /things", "", "").status, 200);
    bench.gateway.wait_for_audit();
    let events = bench.gateway.events().await;
    let refused = events
        .iter()
        .filter(|event| event["reason"] == "csrf_token_wrong");
    assert_eq!(refused.count(), 2);
    let done = remove(&format!("X-CSRF-Token: {own}\r\n"));
    assert_eq!(done.status, 204, "{done:?}");
    until("the end of the membership", || {
        viewer.send("GET /things", "", "").status != 200
    });
    // A key says by itself that its holder means it.
    let me = bench
        .gateway
        .get("/.portcullis/api/v1/me", &bench.keys.viewer);
    assert!(me.json()["csrf_token"].is_null());
}
