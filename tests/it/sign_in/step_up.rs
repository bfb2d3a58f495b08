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
    // A form that cannot be kept leads back to the page that it is on.
    let from = "Sec-Fetch-Mode: navigate\r\nReferer: http://gw/things?page=2\r\n";
    let line = "POST /things HTTP/1.1\r\nHost: gw\r\nContent-Type: multipart/form-data; boundary=x";
    let cookie = editor.cookie.clone().unwrap();
    let away = bench.gateway.raw(format!(
        "{line}\r\nCookie: {cookie}\r\n{from}{OWN_PAGE}Content-Length: 0\r\n\r\n"
    ));
    let away = away.unwrap();
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

const KEPT: &str = "/.portcullis/re-authenticate/form?return=/things";
const FORM: &str = "name=a%26b&text=%22%3E%3Cscript%3E%0D%0Atwo&name=again&empty=";

/// As a browser does that is told 307.
fn send_on(browser: &mut Browser, away: &Answer, body: &str) -> Answer {
    assert_eq!(away.status, 307, "{away:?}");
    let to = away.header("location")[0].to_owned();
    browser.submit(&to, body)
}

/// The value of a field of a page's form, as a browser reads it.
pub fn field(page: &Answer, name: &str) -> String {
    let at = format!("name=\"{name}\" value=\"");
    let (_, rest) = page
        .body
        .split_once(&at)
        .unwrap_or_else(|| panic!("{page:?}"));
    rest.split('"').next().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_that_was_sent_is_offered_again() {
    let bench = Bench::with_rules(RULES).await;
    let mut editor = bench.signed_in("editor");
    bench.let_sessions_age().await;
    until("the age to be felt", || create(&mut editor).status == 401);
    let away = editor.submit("/things", FORM);
    assert_eq!(away.header("location"), [KEPT]);
    let asks = send_on(&mut editor, &away, FORM);
    assert_eq!(asks.status, 200, "{asks:?}");
    let kept = field(&asks, "kept");
    let token = token_of(&asks);
    let filled = |password: &str| {
        format!("csrf_token={token}&return=%2Fthings&kept={kept}&password={password}")
    };
    let before = bench.upstream.received().len();
    // It outlives a wrong password.
    let wrong = editor.submit(PAGE, &filled("wrong+horse+battery"));
    assert_eq!((wrong.status, field(&wrong, "kept")), (401, kept.clone()));
    let again = editor.submit(PAGE, &filled(TYPED));
    assert_eq!(again.status, 200, "{again:?}");
    assert!(
        again
            .body
            .contains("<form method=\"post\" action=\"/things\">")
    );
    let inputs: Vec<_> = again
        .body
        .split("<input type=\"hidden\" name=\"")
        .skip(1)
        .map(|rest| {
            rest.split("\">\n")
                .next()
                .unwrap()
                .replace("\" value=\"", "=")
        })
        .collect();
    assert_eq!(
        inputs,
        [
            "name=a&#38;b",
            "text=&#34;&#62;&#60;script&#62;\r\ntwo",
            "name=again",
            "empty="
        ]
    );
    assert_eq!(bench.upstream.received().len(), before, "nothing was sent");
    assert_eq!(editor.submit("/things", FORM).status, 200);
    // Nobody else can have it, and it is not believed altered.
    let mut viewer = bench.signed_in("viewer");
    let token = token_of(&viewer.go(PAGE));
    for stolen in [kept.clone(), format!("A{}", &kept[1..]), String::new()] {
        let form = format!("csrf_token={token}&return=%2Fthings&kept={stolen}&password={TYPED}");
        let mut viewer = bench.with(viewer.cookie.clone());
        let answer = viewer.submit(PAGE, &form);
        assert!(!answer.body.contains("script"), "{answer:?}");
        assert_ne!(answer.status, 200, "{answer:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_of_our_own_is_kept_only_with_its_token() {
    let rules = "sign_in: { sensitive_operations: [password.changed] }";
    let bench = Bench::with_rules(rules).await;
    let mut editor = bench.signed_in("editor");
    bench.let_sessions_age().await;
    let path = "/.portcullis/account/password";
    let new = "another+good+password";
    let form = |token: &str| format!("csrf_token={token}&current={TYPED}&new={new}&again={new}");
    let token = token_of(&editor.go("/.portcullis/account"));
    until("the age to be felt", || {
        editor.submit(path, &form(&token)).status == 307
    });
    for without in [
        form("0"),
        form(&token).replace("csrf_token", "x"),
        form(&format!("{token}&csrf_token=0")),
    ] {
        let away = editor.submit(path, &without);
        let asks = send_on(&mut editor, &away, &without);
        assert!(!asks.body.contains("name=\"kept\""), "{without}");
    }
    // Nor from elsewhere.
    let to = format!("POST {KEPT}");
    let foreign = editor.send(&to, "Sec-Fetch-Site: cross-site\r\n", FORM);
    assert_eq!(foreign.status, 403);
    let away = editor.submit(path, &form(&token));
    let asks = send_on(&mut editor, &away, &form(&token));
    let kept = field(&asks, "kept");
    let filled = format!("csrf_token={token}&kept={kept}&password={TYPED}");
    let again = editor.submit(PAGE, &filled);
    let renewed = token_of(&again);
    assert_ne!(renewed, token, "the token of the session that goes on");
    let done = editor.submit(path, &form(&renewed));
    assert_eq!(done.status, 303, "{done:?}");
    bench.event("password.changed").await;
}
