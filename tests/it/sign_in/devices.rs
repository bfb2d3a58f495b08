//! Browsers that somebody has signed in with before: whoever guesses beside them keeps nobody out.

use super::{Bench, TYPED};
use crate::support::browser::Browser;

const DEVICE: &str = "portcullis-dev-device";
const VIEWER: &str = "viewer%40example.com";

/// Until another attempt from this network has to wait.
fn guess(bench: &Bench, at: &str) {
    let answers = guesses(|| bench.browser(), at);
    assert_eq!(answers[..5], [401; 5], "{at}");
}

/// What is answered to guesses, the first that has to wait included.
fn guesses(browser: impl Fn() -> Browser, at: &str) -> Vec<u16> {
    let mut answers = Vec::new();
    while answers.last() != Some(&429) {
        assert!(answers.len() < 20, "nobody has to wait: {answers:?}");
        answers.push(browser().sign_in(at, "wrong+horse+battery").status);
    }
    answers
}

/// One that shows this.
fn showing(bench: &Bench, device: &str) -> Browser {
    let mut browser = bench.browser();
    browser.others.insert(DEVICE.to_owned(), device.to_owned());
    browser
}

#[tokio::test(flavor = "multi_thread")]
async fn class_38_nobody_is_kept_out_who_has_been_here_before() {
    let bench = Bench::start().await;
    let known = bench.signed_in("viewer");
    let device = known.others[DEVICE].clone();
    let other = bench.signed_in("editor").others[DEVICE].clone();
    guess(&bench, VIEWER);
    // For as long as this test may take.
    bench.sql("UPDATE sign_in_failures SET failures = 50").await;
    assert_eq!(bench.browser().sign_in(VIEWER, TYPED).status, 429);

    // What is another account's, forged, altered, cut or too old shows nothing.
    let (given, rest) = device.split_once('.').unwrap();
    let (id, mac) = rest.split_once('.').unwrap();
    let earlier = i64::from_str_radix(given, 16).unwrap() - 181 * 86_400;
    for shown in [
        other,
        format!("{given}.{id}.{}", "0".repeat(32)),
        format!("{earlier:x}.{id}.{mac}"),
        format!("{given}.00000000000040008000000000000000.{mac}"),
        format!("{given}.{id}.{}", &mac[1..]),
        format!("{given}.{id}"),
        String::new(),
    ] {
        let answer = showing(&bench, &shown).sign_in(VIEWER, TYPED);
        assert_eq!(answer.status, 429, "{shown}");
    }

    // The browser of before, though its session has ended, in any spelling of the name.
    let mut back = showing(&bench, &device);
    assert_eq!(back.sign_in("VIEWER%40EXAMPLE.COM", TYPED).status, 303);
    // Another backend than ours is not shown it.
    assert_eq!(back.go("/things").status, 200);
    let received = bench.upstream.received();
    let cookies = received.last().unwrap().header("cookie");
    assert_eq!(cookies, Vec::<&str>::new());

    // It is no way to guess without end either.
    let answers = guesses(|| showing(&bench, &device), VIEWER);
    assert_eq!(answers[..5], [401; 5]);
}

#[tokio::test(flavor = "multi_thread")]
async fn class_38_guessing_keeps_nobody_from_proving_it_anew() {
    let rules = "sign_in: { sensitive_operations: [dataset.created], re_auth_max_age: 60s }";
    let bench = Bench::with_rules(rules).await;
    let mut viewer = bench.signed_in("viewer");
    guess(&bench, VIEWER);
    let page = viewer.go("/.portcullis/re-authenticate");
    let token = crate::support::browser::token_of(&page);
    let form = format!("csrf_token={token}&password={TYPED}&return=/things");
    let renewed = viewer.submit("/.portcullis/re-authenticate", &form);
    assert_eq!(renewed.status, 303, "{renewed:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lock_out_leaves_one_event() {
    let bench = Bench::start().await;
    let refused: usize = [VIEWER, "nobody%40example.com"]
        .into_iter()
        .map(|at| {
            // One more has to wait, which is no news.
            let answers = guesses(|| bench.browser(), at);
            bench.browser().sign_in(at, "wrong+horse+battery");
            answers.len() + 1
        })
        .sum();
    bench.gateway.wait_for_audit();
    let events = bench.gateway.events().await;
    let refusals = events
        .iter()
        .filter(|event| event["event"] == "session.refused");
    assert_eq!(refusals.count(), refused);
    let args = ["--json", "audit", "query", "--event", "sign_in.locked_out"];
    let locked: Vec<serde_json::Value> = serde_json::from_str(&bench.gateway.cli(&args)).unwrap();
    assert_eq!(locked.len(), 2, "{locked:?}");
    for event in &locked {
        assert_eq!(event["resource_type"], "account");
        assert_eq!(event["details"]["source"], "127.0.0.1");
        assert_eq!(event["details"]["address"], "127.0.0.1");
    }
    assert_ne!(locked[0]["resource_id"], locked[1]["resource_id"]);
}
