//! How many sessions a person may have.

use super::Bench;
use crate::support::gateway::until;

#[tokio::test(flavor = "multi_thread")]
async fn the_oldest_session_makes_room() {
    let bench = Bench::with_rules("sign_in: { max_concurrent_sessions: 2 }").await;
    let mut first = bench.signed_in("viewer");
    let mut editor = bench.signed_in("editor");
    let mut second = bench.signed_in("viewer");
    for browser in [&mut first, &mut second, &mut editor] {
        assert_eq!(browser.go("/things").status, 200);
    }
    let mut third = bench.signed_in("viewer");
    until("the end of the first", || first.go("/things").status == 303);
    for browser in [&mut second, &mut third, &mut editor] {
        assert_eq!(browser.go("/things").status, 200);
    }
    let event = bench.event("session.created").await;
    let ended = event["details"]["ended"].as_array().unwrap();
    let id = &first.cookie.as_ref().unwrap()["portcullis-dev=".len()..][..32];
    let id = uuid::Uuid::parse_str(id).unwrap().to_string();
    assert_eq!(ended, &[serde_json::Value::from(id)]);
}

/// However many sign in at one moment.
#[tokio::test(flavor = "multi_thread")]
async fn a_limit_holds_when_several_sign_in_at_once() {
    let bench = Bench::with_rules("sign_in: { max_concurrent_sessions: 1 }").await;
    let mut browsers: Vec<_> = std::thread::scope(|scope| {
        let signing_in: Vec<_> = (0..4)
            .map(|_| scope.spawn(|| bench.signed_in("viewer")))
            .collect();
        signing_in
            .into_iter()
            .map(|it| it.join().unwrap())
            .collect()
    });
    until("one session to be left", || {
        let alive = browsers
            .iter_mut()
            .filter_map(|browser| (browser.go("/things").status == 200).then_some(()));
        alive.count() == 1
    });
}
