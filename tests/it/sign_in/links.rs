//! Links by which people give themselves a password.

use std::thread;

use super::walls::is_walled;
use super::{Bench, TYPED};
use crate::support::browser::{Browser, OWN_PAGE};
use crate::support::gateway::until;
use crate::support::raw::Answer;

const RULES: &str = "sign_in: { public_url: \"http://gw.example\" }";
const PAGE: &str = "/.portcullis/set-password";
const NEW: &str = "another+good+password";

impl Bench {
    /// A link of this command, as its path and query.
    fn link(&self, args: &[&str]) -> String {
        let link = self.gateway.cli(args);
        let path = link.strip_prefix("http://gw.example").unwrap();
        assert!(path.starts_with(PAGE), "{link}");
        path.to_owned()
    }

    fn reset(&self) -> String {
        self.link(&["users", "reset-password", "viewer@example.com"])
    }

    /// What the database says, as text.
    pub(super) async fn text(&self, sql: &'static str) -> String {
        let mut owner = self.gateway.postgres.owner().await;
        let claim = "SET request.jwt.claim.role = 'gateway'";
        sqlx::raw_sql(claim).execute(&mut owner).await.unwrap();
        sqlx::query_scalar(sql).fetch_one(&mut owner).await.unwrap()
    }

    pub(super) async fn sql(&self, sql: &'static str) {
        let mut owner = self.gateway.postgres.owner().await;
        let claim = "SET request.jwt.claim.role = 'gateway'";
        for sql in [claim, sql] {
            sqlx::raw_sql(sql).execute(&mut owner).await.unwrap();
        }
    }
}

fn token_in(link: &str) -> &str {
    link.split_once("token=").unwrap().1
}

fn choose(browser: &mut Browser, link: &str, new: &str, again: &str) -> Answer {
    let form = format!("token={}&new={new}&again={again}", token_in(link));
    browser.submit(PAGE, &form)
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_new_chooses_a_password_once() {
    let bench = Bench::with_rules(RULES).await;
    let link = bench.link(&["users", "invite", "new@example.com", "--name", "New One"]);
    let mut browser = bench.browser();
    // To look uses nothing up.
    for _ in 0..2 {
        let page = browser.go(&link);
        assert_eq!(page.status, 200, "{page:?}");
        is_walled(&page, "a link");
        assert_eq!(page.header("referrer-policy"), ["strict-origin"]);
    }
    for (new, again) in [(NEW, "another+good+passwort"), ("short", "short")] {
        assert_eq!(choose(&mut browser, &link, new, again).status, 422);
    }
    let done = choose(&mut browser, &link, NEW, NEW);
    assert_eq!(done.header("location"), ["/.portcullis/sign-in"]);
    assert_eq!(browser.cookie, None, "nobody is signed in by a link");
    let event = bench.event("password.changed").await;
    assert_eq!(event["actor_email"], "new@example.com");
    assert_eq!(event["details"]["by"], "link");
    assert_eq!(browser.go(&link).status, 404);
    let again = choose(&mut browser, &link, TYPED, TYPED);
    assert_eq!(again.status, 404);
    let event = bench.event("session.refused").await;
    assert_eq!(
        (&event["reason"], &event["status"]),
        (&"link_invalid".into(), &404.into())
    );
    assert_eq!(browser.sign_in("new%40example.com", NEW).status, 303);
    let users = bench.gateway.cli(&["--json", "users", "list"]);
    assert!(users.contains("New One"), "{users}");
    // Who is there already is invited as well, and keeps their name.
    bench.link(&["users", "invite", "viewer@example.com", "--name", "Other"]);
    let users = bench.gateway.cli(&["--json", "users", "list"]);
    assert!(!users.contains("Other"), "{users}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forgotten_password_is_replaced_and_every_session_ends() {
    let bench = Bench::with_rules(RULES).await;
    let mut there = bench.signed_in("viewer");
    let (first, second) = (bench.reset(), bench.reset());
    let invitation = bench.link(&["users", "invite", "viewer@example.com"]);
    let mut browser = bench.browser();
    assert_eq!(browser.go(&first).status, 404, "a new one takes its place");
    assert_eq!(choose(&mut browser, &second, NEW, NEW).status, 303);
    until("the end of sessions", || there.go("/things").status == 303);
    assert_eq!(
        browser.go(&invitation).status,
        404,
        "a password ends all links"
    );
    assert_eq!(browser.sign_in("viewer%40example.com", TYPED).status, 401);
    assert_eq!(browser.sign_in("viewer%40example.com", NEW).status, 303);
    // Of two at once one is taken.
    let link = bench.reset();
    let mut statuses: Vec<_> = thread::scope(|scope| {
        let choosing: Vec<_> = (0..2)
            .map(|_| scope.spawn(|| choose(&mut bench.browser(), &link, TYPED, TYPED).status))
            .collect();
        choosing.into_iter().map(|it| it.join().unwrap()).collect()
    });
    statuses.sort_unstable();
    assert_eq!(statuses, [303, 404]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_that_does_not_work_has_one_answer_for_all_reasons() {
    let bench = Bench::with_rules(RULES).await;
    let link = bench.reset();
    let good = token_in(&link).to_owned();
    let mut other = good.clone();
    let last = if other.pop() == Some('A') { 'B' } else { 'A' };
    other.push(last);
    let unknown = format!("{}{}", "0".repeat(32), &good[32..]);
    let text = |answer: &Answer| {
        let (_, main) = answer.body.split_once("<h1>").unwrap();
        main.split("Request").next().unwrap().to_owned()
    };
    let mut texts = Vec::new();
    for token in [&*other, &*unknown, "", "x", "%C3%A9"] {
        let page = bench.browser().go(&format!("{PAGE}?token={token}"));
        assert_eq!(page.status, 404, "{token}");
        texts.push(text(&page));
    }
    assert_eq!(bench.browser().go(PAGE).status, 404);
    bench
        .sql("UPDATE principals SET disabled_at = now() WHERE email LIKE 'viewer%'")
        .await;
    let disabled = bench.browser().go(&link);
    texts.push(text(&disabled));
    bench.sql("UPDATE principals SET disabled_at = NULL").await;
    assert_eq!(bench.browser().go(&link).status, 200);
    bench
        .sql(
            "UPDATE one_time_links SET created_at = now() - interval '2 hours',
             expires_at = now() - interval '1 hour'",
        )
        .await;
    let expired = choose(&mut bench.browser(), &link, NEW, NEW);
    texts.push(text(&expired));
    texts.dedup();
    assert_eq!(texts.len(), 1, "{texts:?}");
    // Guessing becomes slow.
    let statuses: Vec<_> = (0..7)
        .map(|_| choose(&mut bench.browser(), &format!("?token={other}"), NEW, NEW).status)
        .collect();
    assert_eq!((statuses[0], statuses[6]), (404, 429), "{statuses:?}");
    bench.browser().sign_in("viewer%40example.com", TYPED);
    bench.signed_in("viewer");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_is_a_secret_and_leads_around_nothing() {
    let bench = Bench::with_rules(RULES).await;
    let mut owner = bench.signed_in("viewer");
    Bench::set_up(&mut owner);
    let link = bench.reset();
    let mut browser = bench.browser();
    let form = format!("token={}&new={NEW}&again={NEW}", token_in(&link));
    for foreign in ["Sec-Fetch-Site: cross-site\r\n", "Origin: null\r\n", ""] {
        let sent = browser.send(&format!("POST {PAGE}"), foreign, &form);
        assert_eq!(sent.status, 403, "{foreign}");
    }
    assert_eq!(browser.go(&link).status, 200);
    let by_origin = "Origin: http://gw\r\n";
    let sent = browser.send(&format!("POST {PAGE}"), by_origin, &form);
    assert_eq!(sent.status, 303, "{sent:?}");
    // The second factor is asked for as ever.
    let answer = browser.sign_in("viewer%40example.com", NEW);
    assert!(answer.header("location")[0].starts_with("/.portcullis/second-factor"));
    let refused = browser.send("GET /things", OWN_PAGE, "");
    assert_eq!(refused.json()["code"], "second_factor_required");
    // It stands nowhere.
    bench.gateway.wait_for_audit();
    let written = serde_json::to_string(&bench.gateway.events().await).unwrap();
    let metrics = bench.gateway.private_get("/metrics").body;
    let secret = &token_in(&link)[32..];
    for (what, text) in [
        ("audit", written),
        ("log", bench.gateway.log()),
        ("metrics", metrics),
    ] {
        assert!(!text.contains(secret), "{what}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_an_address_there_are_no_links() {
    let bench = Bench::start().await;
    let (code, told) = bench
        .gateway
        .cli_code(&["users", "reset-password", "viewer@example.com"]);
    assert_eq!((code, &*told), (1, ""));
    let (code, _) = bench
        .gateway
        .cli_code(&["users", "reset-password", "nobody@example.com"]);
    assert_ne!(code, 0);
}
