//! Signing in at GitHub, as its API answers.

use std::io::{self, Write as _};
use std::net::TcpStream;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use super::Bench;
use crate::support::browser::{Browser, DOCUMENT};
use crate::support::clock::SetClock;
use crate::support::gateway::until;
use crate::support::raw::Answer;
use crate::support::upstream::{Received, Upstream};

struct GitHub {
    bench: Bench,
    server: Upstream,
    /// What the API says of whoever asks.
    says: Arc<Mutex<Value>>,
}

impl GitHub {
    async fn start() -> Self {
        Self::with_clock("").await.0
    }

    /// With more of its settings, and a gateway whose clock can be set.
    async fn with_clock(more: &str) -> (Self, SetClock) {
        let says = Arc::new(Mutex::new(octocat()));
        let told = Arc::clone(&says);
        let server = Upstream::with(move |request: &Received, stream: &mut TcpStream| {
            answer_to(request, stream, &told.lock().unwrap())
        });
        let site = format!("http://{}", server.address());
        let (bench, clock) = Bench::with_clock(&format!(
            "sign_in:\n  public_url: \"http://localhost:1\"\n  providers:\n    - name: hub\n      \
             tenant: acme\n      auto_provision_users: true\n      group_role_mapping: [ {{ group: \
             Acme/ml, role: editor, project: fraud }}, {{ group: evil/ml, role: client_admin }} ]\n      \
             github: {{ client_id: ml, client_secret: hush, allowed_organizations: [acme], site: \
             \"{site}\", api: \"{site}/api/v3/\" }}{more}"
        ))
        .await;
        let hub = Self {
            bench,
            server,
            says,
        };
        (hub, clock)
    }

    fn sign_in(&self, browser: &mut Browser, says: Value) -> Answer {
        *self.says.lock().unwrap() = says;
        let sent = browser.go("/.portcullis/sign-in/with/hub?return=/things");
        assert_eq!(sent.status, 303, "{sent:?}");
        let to: url::Url = sent.header("location")[0].parse().unwrap();
        assert_eq!(to.path(), "/login/oauth/authorize");
        let state = to.query_pairs().find(|(key, _)| key == "state").unwrap().1;
        let line = format!("GET /.portcullis/callback/hub?code=c0de&state={state}");
        browser.send(
            &line,
            &format!("{DOCUMENT}Sec-Fetch-Site: cross-site\r\n"),
            "",
        )
    }
}

fn octocat() -> Value {
    json!({
        "token": { "access_token": "gho_1", "token_type": "bearer" },
        "user": { "id": 583_231, "login": "octocat", "name": null, "email": "public@evil.example" },
        "user/emails": [
            { "email": "other@evil.example", "primary": false, "verified": true },
            { "email": "Octo@acme.example", "primary": true, "verified": true },
        ],
        "user/orgs": [{ "login": "Acme" }, { "login": "evil" }],
        "user/teams": [
            { "slug": "ml", "organization": { "login": "Acme" } },
            { "slug": "ml", "organization": { "login": "evil" } },
        ],
    })
}

fn answer_to(request: &Received, stream: &mut TcpStream, says: &Value) -> io::Result<()> {
    let target = request.line().split(' ').nth(1).unwrap_or_default();
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let asked = match path {
        "/login/oauth/access_token" => "token",
        path => path.strip_prefix("/api/v3/").unwrap_or_default(),
    };
    let may = asked == "token" || request.header("authorization") == ["Bearer gho_1"];
    let status = if may { "200 OK" } else { "401 Unauthorized" };
    let body = match &says[asked] {
        Value::Array(all) => page(all, query).to_string(),
        one => one.to_string(),
    };
    write!(
        stream,
        "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// As many as asked for of a list, from where asked for.
fn page(all: &[Value], query: &str) -> Value {
    let asked = |name| {
        let mut pairs = url::form_urlencoded::parse(query.as_bytes());
        let (_, value) = pairs.find(|(key, _)| key == name).unwrap();
        value.parse::<usize>().unwrap()
    };
    let (of, page) = (asked("per_page"), asked("page"));
    let items = all.iter().skip(of * (page - 1)).take(of).cloned();
    Value::Array(items.collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn members_of_an_organization_are_let_in_as_their_teams() {
    let hub = GitHub::start().await;
    let mut browser = hub.bench.browser();
    let came = hub.sign_in(&mut browser, octocat());
    assert_eq!(
        (came.status, came.header("location")),
        (303, vec!["/things"]),
        "{came:?}"
    );
    until("the new role", || {
        browser.send("GET /things", "", "").status == 200
    });
    let received = hub.bench.upstream.received();
    let received = received.last().unwrap();
    assert_eq!(received.header("x-forwarded-user"), ["octo@acme.example"]);
    // A team of that name elsewhere is another one.
    assert_eq!(received.header("x-portcullis-roles"), ["editor"]);
    let event = hub.bench.event("session.created").await;
    assert_eq!(event["details"]["subject"], "583231");
    let sent = hub.server.received();
    let token = sent
        .iter()
        .find(|it| it.line().contains("access_token"))
        .unwrap();
    let form = String::from_utf8_lossy(&token.body);
    for part in [
        "client_id=ml",
        "client_secret=hush",
        "code=c0de",
        "code_verifier=",
    ] {
        assert!(form.contains(part), "{form}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_else_is() {
    let hub = GitHub::start().await;
    let with = |part: &str, value: Value| {
        let mut says = octocat();
        says[part] = value;
        says
    };
    let address = |primary: bool, verified: bool| json!([{ "email": "octo@acme.example", "primary": primary, "verified": verified }]);
    for (what, status, says) in [
        (
            "of another organization",
            401,
            with("user/orgs", json!([{ "login": "acme-fans" }])),
        ),
        ("of none", 401, with("user/orgs", json!([]))),
        ("unverified", 401, with("user/emails", address(true, false))),
        (
            "not primary",
            401,
            with("user/emails", address(false, true)),
        ),
        ("no address", 401, with("user/emails", json!([]))),
        (
            "a code that is none",
            401,
            with("token", json!({ "error": "bad_verification_code" })),
        ),
        (
            "another token",
            401,
            with("token", json!({ "access_token": "gho_2" })),
        ),
        ("no user", 503, with("user", json!({}))),
    ] {
        let mut browser = hub.bench.browser();
        let answer = hub.sign_in(&mut browser, says);
        assert_eq!((answer.status, browser.cookie), (status, None), "{what}");
    }
    let mut browser = hub.bench.browser();
    assert_eq!(
        hub.sign_in(&mut browser, octocat()).status,
        303,
        "their legal twin"
    );
    // Out of the organization, out of here.
    let mut browser = hub.bench.browser();
    let gone = hub.sign_in(&mut browser, with("user/orgs", json!([])));
    assert_eq!((gone.status, browser.cookie), (401, None));
}

#[tokio::test(flavor = "multi_thread")]
async fn long_lists_are_read_whole_or_not_at_all() {
    let hub = GitHub::start().await;
    let others = |many: usize| (0..many).map(|n| json!({ "login": format!("org-{n}") }));
    for (many, status) in [(99, 303), (100, 303), (899, 303), (1000, 401)] {
        let mut says = octocat();
        let own = json!({ "login": "acme" });
        says["user/orgs"] = others(many).chain([own]).collect();
        let answer = hub.sign_in(&mut hub.bench.browser(), says);
        assert_eq!(answer.status, status, "{many}: {answer:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_leaves_the_organization_is_signed_in_no_more() {
    let (hub, clock) = GitHub::with_clock("\n      recheck: 1m").await;
    let mut browser = hub.bench.browser();
    assert_eq!(hub.sign_in(&mut browser, octocat()).status, 303);
    until("the new role", || {
        browser.send("GET /things", "", "").status == 200
    });
    // Of no team any more, then of no organization.
    let mut says = octocat();
    says["user/teams"] = json!([]);
    *hub.says.lock().unwrap() = says.clone();
    clock.jump("+70s");
    until("the role to go", || {
        browser.send("GET /things", "", "").status != 200
    });
    says["user/orgs"] = json!([{ "login": "evil" }]);
    *hub.says.lock().unwrap() = says;
    clock.jump("+140s");
    until("the session to end", || {
        browser.send("GET /things", "", "").status == 401
    });
    let event = hub.bench.own_event("session.revoked");
    assert_eq!(event["details"]["because"], "sso_refused");
}
