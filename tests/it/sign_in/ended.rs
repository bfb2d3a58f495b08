//! How soon the end of a session is felt, and how its use is noted.

use std::time::Duration;

use portcullis::clock::Clock;
use sqlx::PgConnection;

use super::{Bench, ROUTES};
use crate::support::browser::{Browser, token_of};
use crate::support::gateway::{until, yaml};

/// Notifications are lost when the connection that listens dies: the poll finds out.
#[tokio::test(flavor = "multi_thread")]
async fn a_lost_notification_is_made_good_by_the_poll() {
    let bench = Bench::start().await;
    let mut browser = bench.signed_in("viewer");
    assert_eq!(browser.send("GET /things", "", "").status, 200);
    let mut owner = bench.gateway.postgres.owner().await;
    run(
        &mut owner,
        "SET request.jwt.claim.role = 'gateway';
         ALTER TABLE sessions DISABLE TRIGGER USER;
         UPDATE sessions SET revoked_at = now();
         UPDATE policy_version SET version = version + 1;
         ALTER TABLE sessions ENABLE TRIGGER USER;",
    )
    .await;
    let clock = Clock::system();
    let since = clock.instant();
    until("the poll", || {
        browser.send("GET /things", "", "").status == 401
    });
    let took = clock.instant() - since;
    assert!(took < Duration::from_secs(5), "{took:?}");
}

/// A hundred requests at two gateways are written as one use, some seconds later.
#[tokio::test(flavor = "multi_thread")]
async fn last_use_is_written_in_batches() {
    let bench = Bench::start().await;
    let text = format!("sign_in: {{}}\n{}", yaml(bench.upstream.address(), ROUTES));
    let mut replica = bench.gateway.replica(&text);
    replica.launch();
    let mut browser = bench.signed_in("viewer");
    let mut there = Browser::new(replica.public());
    there.cookie.clone_from(&browser.cookie);
    for _ in 0..50 {
        assert_eq!(browser.send("GET /things", "", "").status, 200);
        assert_eq!(there.send("GET /things", "", "").status, 200);
    }
    let mut owner = bench.gateway.postgres.owner().await;
    run(&mut owner, "SET request.jwt.claim.role = 'gateway'").await;
    let clock = Clock::system();
    let since = clock.instant();
    let (count, address) = loop {
        let row: Option<(i64, Option<String>)> = sqlx::query_as(
            "SELECT s.n, host(a.last_address) FROM session_activity a,
                 LATERAL (SELECT count(*) AS n FROM session_activity) s
             WHERE a.last_active_at > now() - interval '1 minute'",
        )
        .fetch_optional(&mut owner)
        .await
        .unwrap();
        if let Some(row) = row {
            break row;
        }
        assert!(clock.instant() - since < Duration::from_secs(20));
    };
    assert_eq!((count, address.as_deref()), (1, Some("127.0.0.1")));
}

async fn run(connection: &mut PgConnection, sql: &'static str) {
    sqlx::raw_sql(sql).execute(connection).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_sees_and_ends_sessions() {
    let bench = Bench::start().await;
    let cli = |args: &[&str]| bench.gateway.cli(args);
    let viewer = "viewer@example.com";
    let mut browsers = [(); 3].map(|()| bench.signed_in("viewer"));
    let mut editor = bench.signed_in("editor");
    let listed = |who: &str| {
        let listed = bench.gateway.cli(&["--json", "sessions", "list", who]);
        let listed: serde_json::Value = serde_json::from_str(&listed).unwrap();
        let sessions = listed.as_array().unwrap().clone();
        let ids = sessions
            .iter()
            .map(|it| it["id"].as_str().unwrap().to_owned());
        ids.collect::<Vec<_>>()
    };
    // The newest first.
    let ids = listed(viewer);
    assert_eq!(ids.len(), 3);
    cli(&["sessions", "revoke", &ids[2]]);
    until("the end of the first", || {
        browsers[0].go("/things").status == 303
    });
    assert_eq!(listed(viewer), ids[..2]);
    assert_eq!(browsers[1].go("/things").status, 200);
    let recorded = |name: &str| {
        let events = bench
            .gateway
            .cli(&["--json", "audit", "query", "--event", name]);
        let events: serde_json::Value = serde_json::from_str(&events).unwrap();
        events[0].clone()
    };
    let event = recorded("session.revoked");
    assert_eq!(event["resource_id"], ids[2].as_str(), "{event}");
    let again = bench.gateway.cli_code(&["sessions", "revoke", &ids[2]]).0;
    assert_eq!(again, 6);
    let unknown = uuid::Uuid::nil().to_string();
    let unknown = bench.gateway.cli_code(&["sessions", "revoke", &unknown]).0;
    assert_eq!(unknown, 5);
    cli(&["sessions", "revoke-all", viewer]);
    for browser in &mut browsers {
        until("the end of all", || browser.go("/things").status == 303);
    }
    assert_eq!(editor.go("/things").status, 200);
    assert_eq!(listed(viewer), Vec::<String>::new());
    let event = recorded("session.all_revoked");
    assert_eq!(event["details"]["sessions_ended"], 2, "{event}");
}

/// Two gateways look, and each session that is over leaves one event.
#[tokio::test(flavor = "multi_thread")]
async fn what_has_expired_is_on_record_once() {
    let bench = Bench::start().await;
    let mut replica = bench.gateway.replica(&bench.rules("sign_in: {}"));
    replica.launch();
    let mut browsers: Vec<_> = (0..6).map(|_| bench.signed_in("viewer")).collect();
    let mut goes_on = bench.signed_in("editor");
    let mut owner = bench.gateway.postgres.owner().await;
    // Three have rested, two are over, and one has ended before.
    run(
        &mut owner,
        "SET request.jwt.claim.role = 'gateway';
         UPDATE sessions s SET
             created_at = s.created_at - interval '3 days',
             idle_seconds = CASE WHEN o.n > 3 THEN 604800 ELSE s.idle_seconds END,
             expires_at = CASE WHEN o.n > 3 THEN now() ELSE s.expires_at END,
             revoked_at = CASE WHEN o.n = 6 THEN now() END
         FROM (SELECT s.id, row_number() OVER (ORDER BY s.created_at) AS n FROM sessions s
               JOIN principals p ON p.id = s.principal_id WHERE p.email LIKE 'viewer%') o
         WHERE o.id = s.id",
    )
    .await;
    let args = ["--json", "audit", "query", "--event", "session.expired"];
    let recorded = || {
        let lines = bench.gateway.cli(&args);
        let events: Vec<serde_json::Value> = serde_json::from_str(&lines).unwrap();
        let because = events
            .iter()
            .map(|event| event["details"]["because"].clone());
        let mut because: Vec<_> = because.map(|it| it.as_str().unwrap().to_owned()).collect();
        because.sort();
        because
    };
    until("their end", || recorded().len() >= 5);
    for browser in &mut browsers {
        assert_eq!(browser.go("/things").status, 303);
    }
    assert_eq!(goes_on.go("/things").status, 200);
    // It is looked again and again.
    run(&mut owner, "UPDATE sessions SET expires_at = now()").await;
    until("the next look", || recorded().len() >= 6);
    assert_eq!(
        recorded(),
        ["idle", "idle", "idle", "lifetime", "lifetime", "lifetime"]
    );
    assert_eq!(goes_on.go("/things").status, 303);
}

/// A measurement, for a machine at rest: `cargo nextest run --run-ignored only how_soon`.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement"]
async fn how_soon_a_second_gateway_feels_the_end_of_a_session() {
    const SESSIONS: usize = 200;
    let bench = Bench::start().await;
    let mut replica = bench.gateway.replica(&bench.rules("sign_in: {}"));
    replica.launch();
    let clock = Clock::system();
    let mut browsers: Vec<_> = (0..SESSIONS).map(|_| bench.signed_in("viewer")).collect();
    let key = &bench.keys.editor;
    let write = |_| crate::support::load::request("GET", "/things", key);
    let mut took = Vec::new();
    let load = crate::support::load::during(&replica, 2, write, || {
        for browser in &mut browsers {
            let page = browser.go("/.portcullis/account");
            let form = format!("csrf_token={}", token_of(&page));
            let cookie = browser.cookie.clone().unwrap();
            let mut there = replica.connect();
            let mut status = || {
                there.send(format!(
                    "GET /things HTTP/1.1\r\nHost: gw\r\nCookie: {cookie}\r\n\r\n"
                ));
                there.answer().unwrap().status
            };
            assert_eq!(status(), 200);
            let since = clock.instant();
            let out = browser.submit("/.portcullis/sign-out", &form);
            assert_eq!(out.status, 303);
            while status() == 200 {}
            took.push(clock.instant() - since);
        }
    });
    took.sort_unstable();
    let at = |share: usize| took[took.len() * share / 100];
    let [median, high, most]: [Duration; 3] = [at(50), at(99), took[took.len() - 1]];
    println!(
        "from sign-out sent to felt elsewhere, under {} requests: p50 {median:.1?}, p99 {high:.1?}, \
         most {most:.1?}",
        load.len()
    );
}
