//! What a tenant or a project asks of the sessions that it is used with.

use serde_json::{Value, json};

use super::{Bench, TYPED};
use crate::support::browser::Browser;
use crate::support::gateway::until;
use crate::support::raw::Answer;

const SCRIPT: &str = "Sec-Fetch-Mode: cors\r\nSec-Fetch-Site: same-origin\r\n";
pub(super) const ACME: &str = "tenants/acme/session-rules";
pub(super) const FRAUD: &str = "tenants/acme/projects/fraud/session-rules";

impl Bench {
    /// The viewer of acme is an editor at globex too.
    pub(super) async fn of_two_tenants(sign_in: &str) -> (Self, Browser) {
        let bench = Self::with_rules(sign_in).await;
        bench.gateway.cli(&[
            "members",
            "add",
            "--scope",
            "globex/churn",
            "--principal",
            "viewer@example.com",
            "--role",
            "editor",
        ]);
        let browser = bench.signed_in("viewer");
        (bench, browser)
    }

    /// Gives rules, as they are seen at the moment.
    pub(super) fn put(&self, what: &str, rules: &Value) -> Answer {
        let path = format!("/.portcullis/api/v1/{what}");
        let seen = self.gateway.get(&path, &self.keys.admin);
        assert_eq!(seen.status, 200, "{seen:?}");
        let body = rules.to_string();
        let mut connection = self.gateway.connect();
        connection.send(format!(
            "PUT {path} HTTP/1.1\r\nHost: gw\r\nAuthorization: Bearer {}\r\nIf-Match: {}\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            self.keys.admin,
            seen.header("etag")[0],
            body.len()
        ));
        connection.answer().unwrap()
    }

    pub(super) fn ask(&self, what: &str, rules: &Value) {
        let put = self.put(what, rules);
        assert_eq!(put.status, 200, "{put:?}");
    }

    /// As if everybody's session had begun and been used so long ago.
    async fn let_time_pass(&self, since_begin: &str, since_use: &str) {
        let mut owner = self.gateway.postgres.owner().await;
        let sql = format!(
            "SET request.jwt.claim.role = 'gateway';
             DELETE FROM session_activity;
             INSERT INTO session_activity (session_id, last_active_at)
                 SELECT id, now() - interval '{since_use}' FROM sessions;
             UPDATE sessions SET created_at = now() - interval '{since_begin}'"
        );
        sqlx::raw_sql(sqlx::AssertSqlSafe(sql))
            .execute(&mut owner)
            .await
            .unwrap();
    }
}

/// What comes of a look at the things of a project.
pub(super) fn look(browser: &mut Browser, project: &str) -> (u16, String) {
    let fields = format!("{SCRIPT}X-Portcullis-Project: {project}\r\n");
    let answer = browser.send("GET /things", &fields, "");
    let code = match answer.status {
        200 => String::new(),
        _ => answer.json()["code"].as_str().unwrap().to_owned(),
    };
    (answer.status, code)
}

pub(super) fn refused(code: &str) -> (u16, String) {
    let status = if ["password_login_off", "sso_required"].contains(&code) {
        403
    } else {
        401
    };
    (status, code.to_owned())
}

pub(super) fn seen() -> (u16, String) {
    (200, String::new())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_rested_is_refused_where_it_may_not_and_nowhere_else() {
    let (bench, mut browser) = Bench::of_two_tenants("sign_in: {}").await;
    bench.ask(ACME, &json!({ "max_idle_minutes": 60 }));
    bench.ask(FRAUD, &json!({ "max_idle_minutes": 10 }));
    assert_eq!(look(&mut browser, "acme/fraud"), seen());
    bench.let_time_pass("20 minutes", "11 minutes").await;
    until("the rest to be felt", || {
        look(&mut browser, "acme/fraud") == refused("session_rested")
    });
    // To be refused is no use: it stays refused.
    for _ in 0..3 {
        assert_eq!(look(&mut browser, "acme/fraud"), refused("session_rested"));
    }
    // A page leads to where one proves anew who one is, and then on.
    let fields = "Sec-Fetch-Mode: navigate\r\nX-Portcullis-Project: acme/fraud\r\n";
    let away = browser.send("GET /things", fields, "");
    let to = "/.portcullis/re-authenticate?return=/things";
    assert_eq!(away.header("location"), [to]);
    let token = crate::support::browser::token_of(&browser.go(to));
    // The way there is no use, nor are an account's pages and what everybody gets.
    browser.go("/.portcullis/account");
    browser.go("/.portcullis/assets/portcullis.css");
    browser.go("/open");
    assert_eq!(look(&mut browser, "acme/fraud"), refused("session_rested"));
    let form = format!("csrf_token={token}&password={TYPED}&return=%2Fthings");
    assert_eq!(
        browser.submit("/.portcullis/re-authenticate", &form).status,
        303
    );
    assert_eq!(look(&mut browser, "acme/fraud"), seen());
    // The other tenant asks for nothing, and a use there is one.
    bench.let_time_pass("20 minutes", "11 minutes").await;
    until("the rest to be felt", || {
        look(&mut browser, "acme/fraud") == refused("session_rested")
    });
    assert_eq!(look(&mut browser, "globex/churn"), seen());
    assert_eq!(look(&mut browser, "acme/fraud"), seen());
    // A key knows no rest.
    assert_eq!(bench.gateway.get("/things", &bench.keys.viewer).status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_session_is_refused_where_it_may_not_be_old() {
    let (bench, mut browser) = Bench::of_two_tenants("sign_in: {}").await;
    bench.ask(ACME, &json!({ "max_lifetime_hours": 2 }));
    bench.let_time_pass("3 hours", "1 second").await;
    until("the age to be felt", || {
        look(&mut browser, "acme/fraud") == refused("session_old")
    });
    assert_eq!(look(&mut browser, "globex/churn"), seen());
    assert_eq!(look(&mut browser, "acme/fraud"), refused("session_old"));
    // The rules are gone: so is what they asked for, at once.
    bench.ask(ACME, &json!({}));
    assert_eq!(look(&mut browser, "acme/fraud"), seen());
}

#[tokio::test(flavor = "multi_thread")]
async fn two_factors_and_no_password_are_asked_for_in_one_tenant_only() {
    let (bench, mut browser) = Bench::of_two_tenants("sign_in: {}").await;
    bench.ask(ACME, &json!({ "mfa": "required" }));
    assert_eq!(
        look(&mut browser, "acme/fraud"),
        refused("second_factor_required")
    );
    assert_eq!(look(&mut browser, "globex/churn"), seen());
    Bench::set_up(&mut browser);
    assert_eq!(look(&mut browser, "acme/fraud"), seen());
    bench.ask(ACME, &json!({ "password_login": false }));
    assert_eq!(
        look(&mut browser, "acme/fraud"),
        refused("password_login_off")
    );
    assert_eq!(look(&mut browser, "globex/churn"), seen());
    bench.ask(ACME, &json!({ "mfa": "off", "password_login": true }));
    assert_eq!(look(&mut browser, "acme/fraud"), seen());
    // What a project asks for, its tenant does not take back.
    bench.ask(FRAUD, &json!({ "password_login": false }));
    assert_eq!(
        look(&mut browser, "acme/fraud"),
        refused("password_login_off")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_sensitive_is_a_tenant_s_to_say() {
    let (bench, _) = Bench::of_two_tenants("sign_in: {}").await;
    bench.ask(
        ACME,
        &json!({ "require_re_auth_for_sensitive_ops": true, "re_auth_max_age": 900 }),
    );
    bench.ask(
        FRAUD,
        &json!({ "sensitive_operations": ["dataset.created"], "re_auth_max_age": 600 }),
    );
    let mut editor = bench.signed_in("editor");
    let mut viewer = bench.signed_in("viewer");
    bench.let_sessions_age().await;
    let create = |browser: &mut Browser, project: &str| {
        let fields = format!("{SCRIPT}X-Portcullis-Project: {project}\r\n");
        browser.send("POST /things", &fields, "a=b")
    };
    until("the age to be felt", || {
        create(&mut editor, "acme/fraud").status == 401
    });
    let answer = create(&mut editor, "acme/fraud");
    let challenge = answer.header("www-authenticate")[0];
    assert!(challenge.ends_with("max_age=\"600\""), "{challenge}");
    assert_eq!(look(&mut editor, "acme/fraud"), seen());
    // Who may not do it is not asked, and at the other tenant nobody is.
    assert_eq!(create(&mut viewer, "acme/fraud").status, 403);
    assert_eq!(create(&mut viewer, "globex/churn").status, 200);
    // Administration is of operations, too.
    bench.ask(ACME, &json!({
        "require_re_auth_for_sensitive_ops": true, "sensitive_operations": ["session_rules.updated"]
    }));
    let mut owner = bench.browser();
    bench.gateway.cli_told(
        &["users", "set-password", "owner@example.com"],
        super::PASSWORD,
    );
    owner.sign_in("owner%40example.com", TYPED);
    bench.let_sessions_age().await;
    let path = format!("/.portcullis/api/v1/{FRAUD}");
    let me = owner.send("GET /.portcullis/api/v1/me", SCRIPT, "").json();
    let fields = format!(
        "{SCRIPT}If-Match: *\r\nX-CSRF-Token: {}\r\n",
        me["csrf_token"].as_str().unwrap()
    );
    until("the age to be felt", || {
        owner.send(&format!("PUT {path}"), &fields, "{}").status == 401
    });
    assert_eq!(owner.send(&format!("GET {path}"), SCRIPT, "").status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_strictest_number_of_sessions_counts() {
    let (bench, mut first) = Bench::of_two_tenants("sign_in: { max_concurrent_sessions: 9 }").await;
    bench.ask(ACME, &json!({ "max_concurrent_sessions": 3 }));
    let mut second = bench.signed_in("viewer");
    let mut third = bench.signed_in("viewer");
    for browser in [&mut first, &mut second, &mut third] {
        assert_eq!(look(browser, "globex/churn"), seen());
    }
    bench.ask(
        FRAUD,
        &json!({ "enforce_single_device": true, "max_concurrent_sessions": 2 }),
    );
    let mut last = bench.signed_in("viewer");
    until("the end of the others", || {
        [&mut first, &mut second, &mut third]
            .into_iter()
            .all(|browser| browser.go("/things").status == 303)
    });
    assert_eq!(look(&mut last, "acme/fraud"), seen());
}

#[tokio::test(flavor = "multi_thread")]
async fn rules_have_bounds_and_leave_their_event() {
    let bench = Bench::start().await;
    let empty = bench
        .gateway
        .get(&format!("/.portcullis/api/v1/{ACME}"), &bench.keys.admin);
    assert_eq!(empty.json()["max_idle_minutes"], Value::Null);
    let wrong = bench.put(
        ACME,
        &json!({ "max_idle_minutes": 0, "re_auth_max_age": 1 }),
    );
    assert_eq!(wrong.status, 422);
    let detail = wrong.json()["detail"].as_str().unwrap().to_owned();
    assert!(
        detail.contains("`max_idle_minutes` must be between 1 and 43200"),
        "{detail}"
    );
    assert!(
        detail.contains("`re_auth_max_age` must be between 60 and 86400"),
        "{detail}"
    );
    for unreadable in [json!({ "mfa": "always" }), json!({ "idle": 1 }), json!([])] {
        assert_eq!(bench.put(ACME, &unreadable).status, 422, "{unreadable}");
    }
    let rules =
        json!({ "max_idle_minutes": 30, "mfa": "required", "sensitive_operations": ["a.b"] });
    let put = bench.put(ACME, &rules).json();
    assert_eq!(put["max_idle_minutes"], 30);
    assert_eq!(put["mfa"], "required");
    let event = bench.event("session_rules.updated").await;
    assert_eq!(event["tenant"], "acme");
    assert_eq!(event["details"]["rules"]["max_idle_minutes"], 30);
}

/// What a session may not do, a key that it made could.
#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_is_not_good_enough_makes_no_key() {
    let (bench, mut browser) = Bench::of_two_tenants("sign_in: {}").await;
    let make = |browser: &mut Browser, project: &str| {
        let page = browser.go("/.portcullis/account/keys");
        let form = format!(
            "csrf_token={}&once={}&name=x&project={project}&days=1",
            crate::support::browser::token_of(&page),
            super::step_up::field(&page, "once")
        );
        browser.submit("/.portcullis/account/keys", &form)
    };
    let rules = [
        json!({ "mfa": "required" }),
        json!({ "password_login": false }),
        json!({
            "require_re_auth_for_sensitive_ops": true, "sensitive_operations": ["api_key.created"]
        }),
    ];
    bench.let_sessions_age().await;
    for rules in rules {
        bench.ask(ACME, &rules);
        let refused = make(&mut browser, "acme%2Ffraud");
        assert_eq!(refused.status, 403, "{rules}: {refused:?}");
        assert!(
            refused.body.contains("asks more of your session"),
            "{rules}"
        );
        assert!(!refused.body.contains("class=\"secret\""), "{rules}");
    }
    assert_eq!(make(&mut browser, "globex%2Fchurn").status, 201);
    bench.ask(ACME, &json!({}));
    assert_eq!(make(&mut browser, "acme%2Ffraud").status, 201);
}
