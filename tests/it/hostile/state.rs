//! State: what was taken away while it was being read, and what a request leaves behind.

use sqlx::{Connection as _, PgConnection};

use super::{Bench, bearer, request};
use crate::support::gateway::until;

/// Waits until some session of the gateway waits for a lock.
async fn until_blocked(owner: &mut PgConnection) {
    const BLOCKED: &str = "SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted)";
    let asked = portcullis::clock::Clock::system();
    let begin = asked.instant();
    loop {
        let blocked: bool = sqlx::query_scalar(BLOCKED)
            .fetch_one(&mut *owner)
            .await
            .unwrap();
        if blocked {
            return;
        }
        assert!(
            asked.instant() - begin < std::time::Duration::from_secs(30),
            "nobody waits"
        );
    }
}

/// The roles are being loaded, in a snapshot of before, while one is taken away: when the
/// load ends, what it read is not what counts.
#[tokio::test(flavor = "multi_thread")]
async fn class_41_a_load_that_began_before_a_revocation_brings_nothing_back() {
    let bench = Bench::start().await;
    let ask = || {
        let answer = bench
            .gateway
            .raw(bench.viewer("GET /things/7", ""))
            .unwrap();
        bench.remember(&answer);
        answer.status
    };
    assert_eq!(ask(), 200);
    let mut owner = bench.gateway.postgres.owner().await;
    let mut other = bench.gateway.postgres.owner().await;
    let mut revoking = owner.begin().await.unwrap();
    sqlx::raw_sql("LOCK TABLE roles IN ACCESS EXCLUSIVE MODE")
        .execute(&mut *revoking)
        .await
        .unwrap();
    sqlx::raw_sql("SELECT bump_policy_version('tenants', NULL)")
        .execute(&mut other)
        .await
        .unwrap();
    until_blocked(&mut other).await;
    let removed = sqlx::query(
        "DELETE FROM bindings b USING principals p
         WHERE p.id = b.principal_id AND p.email = 'viewer@example.com'",
    )
    .execute(&mut *revoking)
    .await
    .unwrap();
    assert_eq!(removed.rows_affected(), 1);
    revoking.commit().await.unwrap();
    until("the revocation", || ask() == 403);
    for _ in 0..50 {
        assert_eq!(ask(), 403, "it came back");
    }
    let editor = request("GET /things/7", &bearer(&bench.keys.editor));
    bench.passes("somebody else", editor);
    bench.audited().await;
}

/// Requests that were given up while they waited for the database leave its connections
/// fit for the next, who sees what is its own.
#[tokio::test(flavor = "multi_thread")]
async fn class_43_a_request_given_up_leaves_nothing_behind() {
    let bench = Bench::start().await;
    let mut owner = bench.gateway.postgres.owner().await;
    let mut other = bench.gateway.postgres.owner().await;
    let mut locking = owner.begin().await.unwrap();
    sqlx::raw_sql("LOCK TABLE api_keys IN ACCESS EXCLUSIVE MODE")
        .execute(&mut *locking)
        .await
        .unwrap();
    let waiting: Vec<_> = (0..8)
        .map(|_| {
            let mut connection = bench.gateway.connect();
            connection.send(bench.viewer("GET /things/7", ""));
            connection
        })
        .collect();
    until_blocked(&mut other).await;
    drop(waiting);
    locking.rollback().await.unwrap();
    until("all of them to end", || {
        bench.gateway.metric("portcullis_requests_in_flight") == 0
    });
    for (key, tenant, principal) in [
        (&bench.keys.viewer, "acme", "viewer@example.com"),
        (&bench.keys.stranger, "globex", "stranger@example.com"),
        (&bench.keys.editor, "acme", "editor@example.com"),
    ] {
        for _ in 0..5 {
            let answer = bench.gateway.get("/things/7", key);
            assert_eq!(answer.status, 200);
            // What was given up may still arrive, so the last is not this one for certain.
            let id = answer.header("x-request-id");
            let seen = bench.upstream.received();
            let mut seen = seen.iter().filter(|seen| seen.header("x-request-id") == id);
            let seen = seen.next().unwrap();
            assert_eq!(seen.header("x-portcullis-tenant"), [tenant]);
            assert_eq!(seen.header("x-forwarded-user"), [principal]);
        }
    }
}
