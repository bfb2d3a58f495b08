//! What is asked twice is done once; what has changed is not changed unseen.

use std::collections::BTreeSet;

use super::{PROJECT, World, refusal};

const KEY: &str = "0d1f7a52-5c0e-4f5e-9f0a-1f0c2a3b4c5d";

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_request_is_carried_out_once() {
    let world = World::start().await;
    world
        .gateway
        .cli(&["service-accounts", "create", "acme/robot"]);
    let body = r#"{"principal": "acme/robot", "description": "one"}"#;
    let header = [("Idempotency-Key", KEY)];
    let send = |key: &str, body: &str| world.send("POST", "/tenants/acme/keys", key, body, &header);
    let answers: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8)
            .map(|_| scope.spawn(|| send(&world.boss, body)))
            .collect();
        threads.into_iter().map(|it| it.join().unwrap()).collect()
    });
    let bodies: BTreeSet<_> = answers.iter().map(|it| it.body.clone()).collect();
    assert!(answers.iter().all(|it| it.status == 201), "{answers:?}");
    assert_eq!(bodies.len(), 1, "{bodies:?}");
    let replayed = answers
        .iter()
        .filter(|it| it.header("Idempotent-Replayed") == ["true"]);
    assert_eq!(replayed.count(), 7);
    let other = send(
        &world.boss,
        r#"{"principal": "acme/robot", "description": "two"}"#,
    );
    assert_eq!(refusal(&other), "422 idempotency_key_reused");
    // Somebody else's key is another key.
    let own = send(&world.admin, body);
    assert!(own.status == 201 && own.body != answers[0].body, "{own:?}");
    let kept = kept_answers(&world).await;
    let token = answers[0].json()["token"].as_str().unwrap().to_owned();
    assert!(!kept.is_empty());
    assert!(
        kept.iter()
            .all(|it| !it.windows(token.len()).any(|w| w == token.as_bytes()))
    );
    world.gateway.wait_for_audit();
    let events = world.gateway.events().await;
    let count = |name: &str| {
        events
            .iter()
            .filter(|it| it["event"] == name && it["result"] == "success")
            .count()
    };
    assert_eq!(
        (count("api_key.created"), count("request.replayed")),
        (2, 7)
    );
}

/// An answer is kept for a day.
#[tokio::test(flavor = "multi_thread")]
async fn a_key_sent_again_after_a_day_is_a_new_one() {
    let world = World::start().await;
    let header = [("Idempotency-Key", KEY)];
    let send = |slug: &str| {
        let body = format!(r#"{{"slug": "{slug}", "name": "One"}}"#);
        world.send(
            "POST",
            "/tenants/acme/projects",
            &world.boss,
            &body,
            &header,
        )
    };
    assert_eq!(send("one").status, 201);
    let again = send("one");
    assert_eq!(again.header("Idempotent-Replayed"), ["true"], "{again:?}");
    age_answers(&world, "23 hours 59 minutes").await;
    assert_eq!(refusal(&send("two")), "422 idempotency_key_reused");
    age_answers(&world, "1 minute").await;
    let new = send("two");
    assert_eq!(new.status, 201, "{new:?}");
    assert!(new.header("Idempotent-Replayed").is_empty());
    // What was too old is gone, and the new answer is kept in its place.
    assert_eq!(kept_answers(&world).await.len(), 1);
    assert_eq!(send("two").header("Idempotent-Replayed"), ["true"]);
}

/// A refusal is no answer to keep: whoever mends the request may use the key again.
#[tokio::test(flavor = "multi_thread")]
async fn a_refused_request_uses_no_key_up() {
    let world = World::start().await;
    let header = [("Idempotency-Key", KEY)];
    let send = |body: &str| world.send("POST", "/tenants/acme/roles", &world.boss, body, &header);
    let wrong = r#"{"name": "own", "scope": "project", "permissions": ["none:read"]}"#;
    assert_eq!(refusal(&send(wrong)), "422 refused");
    let right = r#"{"name": "own", "scope": "project", "permissions": ["models:read"]}"#;
    let made = send(right);
    assert_eq!(made.status, 201, "{made:?}");
    // Nor does another path make it another key.
    let path = "/tenants/acme/projects";
    let body = r#"{"slug": "own", "name": "Own"}"#;
    let other = world.send("POST", path, &world.boss, body, &header);
    assert_eq!(refusal(&other), "422 idempotency_key_reused");
}

async fn age_answers(world: &World, by: &str) {
    let mut owner = world.gateway.postgres.owner().await;
    sqlx::query("UPDATE api_answers SET created_at = created_at - $1::text::interval")
        .bind(by)
        .execute(&mut owner)
        .await
        .unwrap();
}

async fn kept_answers(world: &World) -> Vec<Vec<u8>> {
    use sqlx::Connection as _;
    let url = world.gateway.postgres.owner_url();
    let mut connection = sqlx::PgConnection::connect(&url).await.unwrap();
    sqlx::query_scalar("SELECT sealed FROM api_answers")
        .fetch_all(&mut connection)
        .await
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn of_several_changes_of_what_was_read_one_is_made() {
    let world = World::start().await;
    let etag = world.etag(PROJECT);
    let header = [("If-Match", etag.as_str())];
    let change = |name: usize| {
        let body = format!(r#"{{"name": "Name {name}"}}"#);
        world.send("PATCH", PROJECT, &world.owner, &body, &header)
    };
    let answers: Vec<_> = std::thread::scope(|scope| {
        let change = &change;
        let threads: Vec<_> = (0..8)
            .map(|name| scope.spawn(move || change(name)))
            .collect();
        threads.into_iter().map(|it| it.join().unwrap()).collect()
    });
    let made = answers.iter().filter(|it| it.status == 200);
    assert_eq!(made.count(), 1, "{answers:?}");
    let late = answers.iter().filter(|it| it.status != 200);
    late.for_each(|it| assert_eq!(refusal(it), "412 precondition_failed"));
    let blind = world.send("PATCH", PROJECT, &world.owner, r#"{"name": "x"}"#, &[]);
    assert_eq!(refusal(&blind), "428 precondition_required");
    let made = answers.iter().find(|it| it.status == 200).unwrap();
    assert_eq!(made.header("ETag"), [world.etag(PROJECT)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_events_neither_repeat_nor_hide_while_events_come() {
    let world = World::start().await;
    for _ in 0..10 {
        world.get(PROJECT, &world.viewer);
    }
    world.gateway.wait_for_audit();
    let path = format!("{PROJECT}/events?event=project.read&limit=3");
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = world.get(&format!("{path}{cursor}"), &world.auditor).json();
        for event in page["items"].as_array().unwrap() {
            seen.push(event["id"].as_str().unwrap().to_owned());
        }
        world.get(PROJECT, &world.viewer);
        world.gateway.wait_for_audit();
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(seen.len(), 10);
    assert_eq!(seen.iter().collect::<BTreeSet<_>>().len(), 10);
    assert!(seen.is_sorted_by(|a, b| a > b), "the newest first");
    let none = world.get(
        &format!("{PROJECT}/events?actor=nobody@example.com"),
        &world.auditor,
    );
    assert_eq!(none.json()["items"].as_array().unwrap().len(), 0);
    let answer = world.get(&format!("{PROJECT}/events?cursor=x"), &world.auditor);
    assert_eq!(refusal(&answer), "422 cursor_invalid");
    for bad in ["limit=0", "unknown=1", "from=yesterday"] {
        let answer = world.get(&format!("{PROJECT}/events?{bad}"), &world.auditor);
        assert_eq!(refusal(&answer), "400 malformed", "{bad}");
    }
}
