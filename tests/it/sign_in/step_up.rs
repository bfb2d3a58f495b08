//! What is sensitive wants a sign-in that is not long ago (RFC 9470).

use super::{Bench, TYPED};
use crate::support::browser::{Browser, OWN_PAGE, token_of};
use crate::support::gateway::until;
use crate::support::raw::Answer;

const RULES: &str =
    "sign_in: { sensitive_operations: [dataset.created, account.read], re_auth_max_age: 10m }";
const SCRIPT: &str = "Sec-Fetch-Mode: cors\r\nSec-Fetch-Site: same-origin\r\n";
const PAGE: &str = "/.portcullis/re-authenticate";

impl Bench {
    /// Everybody signed in eleven minutes ago.
    pub async fn let_sessions_age(&self) {
        let mut owner = self.gateway.postgres.owner().await;
        sqlx::raw_sql(
            "SET request.jwt.claim.role = 'gateway';
             UPDATE sessions SET authenticated_at = authenticated_at - interval '11 minutes'",
        )
        .execute(&mut owner)
        .await
        .unwrap();
    }
}

fn create(browser: &mut Browser) -> Answer {
    browser.send("POST /things", SCRIPT, "a=b")
}

/// As a form on a page of the backend.
fn create_by_form(browser: &mut Browser) -> Answer {
    let from = "Sec-Fetch-Mode: navigate\r\nReferer: http://gw/things?page=2\r\n";
    browser.send("POST /things", &format!("{from}{OWN_PAGE}"), "a=b")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sensitive_operation_wants_a_recent_sign_in() {
    let bench = Bench::with_rules(RULES).await;
    let mut editor = bench.signed_in("editor");
    assert_eq!(create(&mut editor).status, 200);
    bench.let_sessions_age().await;
    until("the age to be felt", || create(&mut editor).status == 401);
    let before = bench.upstream.received().len();
    let refused = create(&mut editor);
    let challenge = refused.header("www-authenticate");
    assert_eq!(
        challenge,
        ["Bearer error=\"insufficient_user_authentication\", \
          error_description=\"a more recent sign-in is needed\", max_age=\"600\""]
    );
    assert_eq!(refused.json()["code"], "reauthentication_required");
    assert_eq!(bench.upstream.received().len(), before);
    bench.gateway.wait_for_audit();
    let events = bench.gateway.events().await;
    let refusals = events
        .iter()
        .filter(|event| event["reason"] == "reauthentication_required");
    let mut refusals: Vec<_> = refusals
        .map(|event| (event["event"].as_str(), event["result"].as_str()))
        .collect();
    refusals.dedup();
    assert_eq!(refusals, [(Some("authz.denied"), Some("denied"))]);
    // What is not sensitive goes on, and a key is of no age.
    assert_eq!(editor.send("GET /things", "", "").status, 200);
    let by_key = bench
        .gateway
        .request("POST", "/things", &bench.keys.editor, "");
    assert_eq!(by_key.status, 200);
    // Who may not do it at all is not asked for a password.
    let mut viewer = bench.signed_in("viewer");
    bench.let_sessions_age().await;
    assert_eq!(create(&mut viewer).status, 403);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_is_led_to_a_page_that_asks_and_back() {
    let bench = Bench::with_rules(RULES).await;
    let mut editor = bench.signed_in("editor");
    let mut other = bench.signed_in("editor");
    bench.let_sessions_age().await;
    until("the age to be felt", || create(&mut editor).status == 401);
    let away = editor.go("/.portcullis/account?x=1");
    assert_eq!(away.status, 303);
    let to = "/.portcullis/re-authenticate?return=/.portcullis/account%3Fx=1";
    assert_eq!(away.header("location"), [to]);
    let away = create_by_form(&mut editor);
    let to = "/.portcullis/re-authenticate?return=/things%3Fpage=2";
    assert_eq!((away.status, away.header("location")), (303, vec![to]));
    let form = editor.go(to);
    assert!(
        form.body.contains("value=\"/things?page=2\""),
        "{}",
        form.body
    );
    let token = token_of(&form);
    let send = |password: &str, token: &str| {
        format!("csrf_token={token}&password={password}&return=%2Fthings%3Fpage%3D2")
    };
    let former = editor.cookie.clone();
    assert_eq!(editor.submit(PAGE, &send(TYPED, "0")).status, 403);
    let wrong = editor.submit(PAGE, &send("wrong+horse+battery", &token));
    assert_eq!(wrong.status, 401);
    assert_eq!(editor.cookie, former);
    assert_eq!(create(&mut editor).status, 401);
    let event = bench.event("session.refused").await;
    assert_eq!(event["actor_email"], "editor@example.com");
    assert_eq!(event["reason"], "credentials_wrong");
    // Another's password is of no use.
    let renewed = editor.submit(PAGE, &send(TYPED, &token));
    assert_eq!(renewed.status, 303, "{renewed:?}");
    assert_eq!(renewed.header("location"), ["/things?page=2"]);
    assert_ne!(editor.cookie, former);
    assert_eq!(create_by_form(&mut editor).status, 200);
    // The former session has ended, and no other has grown younger.
    let mut kept = bench.with(former);
    until("the end of the former one", || {
        kept.send("GET /things", "", "").status == 401
    });
    assert_eq!(create(&mut other).status, 401);
    // Its form is of no use any more.
    assert_ne!(kept.submit(PAGE, &send(TYPED, &token)).status, 200);
    assert_eq!(
        kept.cookie.as_deref().map(str::len),
        editor.cookie.as_deref().map(str::len)
    );
    assert_ne!(kept.cookie, editor.cookie);
}

#[tokio::test(flavor = "multi_thread")]
async fn guessing_there_becomes_slow_as_anywhere() {
    let bench = Bench::with_rules(RULES).await;
    let mut editor = bench.signed_in("editor");
    let token = token_of(&editor.go(PAGE));
    let form = format!("csrf_token={token}&password=wrong+horse+battery");
    let statuses: Vec<_> = (0..7).map(|_| editor.submit(PAGE, &form).status).collect();
    assert_eq!(statuses[..5], [401; 5]);
    assert_eq!(statuses[6], 429, "{statuses:?}");
}
