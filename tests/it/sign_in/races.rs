//! What happens to passwords and factors while somebody signs in, and many at once.

use std::thread;

use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

use super::{Bench, TYPED};
use crate::support::browser::{Browser, token_of};

const PROVE: &str = "/.portcullis/second-factor";

/// Somebody who has the turn that a sign-in waits for, and changes something meanwhile.
async fn while_signing_in(bench: &Bench, change: &str) -> (u16, Option<String>) {
    let mut owner = bench.gateway.postgres.owner().await;
    run(&mut owner, "SET request.jwt.claim.role = 'gateway'; BEGIN").await;
    let turn = "SELECT pg_advisory_xact_lock(hashtextextended('sessions of ' || id::text, 0))
                FROM principals WHERE email = 'viewer@example.com'";
    run(&mut owner, turn).await;
    let mut browser = bench.browser();
    let signing_in = thread::spawn(move || {
        let answer = browser.sign_in("viewer%40example.com", TYPED);
        (answer.status, browser.cookie)
    });
    let mut other = bench.gateway.postgres.owner().await;
    let waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted";
    while sqlx::query_scalar::<_, i64>(waiting)
        .fetch_one(&mut other)
        .await
        .unwrap()
        == 0
    {}
    run(&mut owner, change).await;
    run(&mut owner, "COMMIT").await;
    owner.close().await.unwrap();
    tokio::task::spawn_blocking(|| signing_in.join().unwrap())
        .await
        .unwrap()
}

async fn run(connection: &mut PgConnection, sql: &str) {
    let sql = AssertSqlSafe(sql.to_owned());
    sqlx::raw_sql(sql).execute(connection).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn class_39_a_password_that_was_right_when_it_was_sent_begins_nothing() {
    let bench = Bench::start().await;
    let changed = "UPDATE passwords SET hash = (SELECT hash FROM passwords w JOIN principals p
                       ON p.id = w.principal_id WHERE p.email = 'editor@example.com') || ''
                   WHERE principal_id = (SELECT id FROM principals WHERE email = 'viewer@example.com')";
    assert_eq!(while_signing_in(&bench, changed).await, (401, None));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_factor_that_was_set_up_meanwhile_is_asked_for() {
    let bench = Bench::start().await;
    let set_up = "INSERT INTO totp (principal_id, sealed, created_at, last_step)
                  SELECT id, '\\x00', now(), 0 FROM principals WHERE email = 'viewer@example.com'";
    let (status, cookie) = while_signing_in(&bench, set_up).await;
    let mut browser = bench.with(cookie);
    let looked = browser.send("GET /things", "Sec-Fetch-Mode: cors\r\n", "");
    assert_eq!((status, looked.status), (303, 401));
    assert_eq!(
        browser.go("/things").header("location"),
        [format!("{PROVE}?return=/things")]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn class_38_many_guesses_at_once_are_as_few() {
    let bench = Bench::start().await;
    let mut owner = bench.signed_in("editor");
    Bench::set_up(&mut owner);
    let mut half = bench.browser();
    half.sign_in("editor%40example.com", TYPED);
    let token = token_of(&half.go(PROVE));
    let guess = |_| {
        let (mut browser, token) = (bench.with(half.cookie.clone()), token.clone());
        let form = format!("csrf_token={token}&code=000000&return=%2Fthings");
        thread::spawn(move || browser.submit(PROVE, &form).status)
    };
    let guesses: Vec<_> = (0..60).map(guess).collect();
    let statuses: Vec<_> = guesses.into_iter().map(|it| it.join().unwrap()).collect();
    let looked_at = statuses.iter().filter(|status| **status == 401).count();
    // A few more while time passes, for as many seconds.
    assert!((5..=8).contains(&looked_at), "{statuses:?}");
    assert!(
        statuses.iter().all(|status| [401, 429].contains(status)),
        "{statuses:?}"
    );
    drop::<Browser>(half);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_password_is_no_recent_sign_in() {
    let bench = Bench::start().await;
    let mut owner = bench.signed_in("editor");
    Bench::set_up(&mut owner);
    let age = "UPDATE sessions SET authenticated_at = authenticated_at - interval '10 minutes'";
    bench.sql(age).await;
    let remove = |browser: &mut Browser| {
        let token = token_of(&browser.go("/.portcullis/account"));
        let path = "/.portcullis/account/factors/totp/remove";
        browser.submit(path, &format!("csrf_token={token}"))
    };
    crate::support::gateway::until("the sign-in to be old", || remove(&mut owner).status == 307);
    let token = token_of(&owner.go("/.portcullis/account"));
    let new = "another+good+password";
    let form = format!("csrf_token={token}&current={TYPED}&new={new}&again={new}");
    let changed = owner.submit("/.portcullis/account/password", &form);
    assert_eq!(changed.status, 303, "{changed:?}");
    assert_eq!(
        remove(&mut owner).status,
        307,
        "the factor can be taken away"
    );
}
