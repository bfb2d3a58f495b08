//! HOSTILE 44: what clients sent goes in escaped and bounded.

use portcullis::domain::ResourceRef;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

use super::{commit, drain, event, ids, one, open};
use crate::support::postgres::TestPostgres;

#[tokio::test]
async fn text_of_strangers_is_escaped_bounded_and_arrives() {
    let postgres = TestPostgres::migrated().await;
    let dir = tempfile::tempdir().unwrap();
    let spool = open(dir.path());
    let mut hostile = event(1);
    hostile.user_agent = Some("a\r\nb\t\x1b[31mc\0\\N\\.\"'🦀\u{9b}\u{202e}".to_owned());
    hostile.request_id = Some("x".repeat(64 << 10));
    hostile.reason = Some("\\".repeat(64 << 10));
    hostile.details = [("k\0\n".to_owned(), "v\0\x1b\\ \"'".into())]
        .into_iter()
        .collect();
    spool.reserve().unwrap().commit(&hostile).unwrap();
    commit(&spool, [2]);
    drain(&spool, &postgres).await;
    assert_eq!(ids(&postgres).await, [1, 2]);
    let mut owner = postgres.owner().await;
    let agent: String = one(&mut owner, "SELECT user_agent FROM audit_events LIMIT 1").await;
    assert_eq!(agent, r#"a\r\nb\t\x1b[31mc\x00\N\."'🦀\x9b\u{202e}"#);
    let id: String = one(&mut owner, "SELECT request_id FROM audit_events LIMIT 1").await;
    assert_eq!(id, format!("{}…", "x".repeat(256)));
    let reason: String = one(&mut owner, "SELECT reason FROM audit_events LIMIT 1").await;
    assert_eq!(reason, format!("{}…", "\\".repeat(128)));
    let details: serde_json::Value =
        one(&mut owner, "SELECT details FROM audit_events LIMIT 1").await;
    assert_eq!(
        details,
        serde_json::json!({ "k\\x00\n": "v\\x00\x1b\\ \"'" })
    );
}

/// What is printable arrives as it was sent; the rest leaves nothing but printable text.
#[tokio::test]
async fn any_text_arrives() {
    let postgres = TestPostgres::migrated().await;
    let dir = tempfile::tempdir().unwrap();
    let spool = open(dir.path());
    let texts = some_texts(300);
    for (number, text) in (0..).zip(&texts) {
        let mut event = event(number);
        event.resource = Some(ResourceRef {
            kind: "thing".into(),
            id: text.clone(),
        });
        event.details = [("text".to_owned(), text.clone().into())]
            .into_iter()
            .collect();
        spool.reserve().unwrap().commit(&event).unwrap();
    }
    let stats = drain(&spool, &postgres).await;
    assert_eq!(stats.rejected, 0);
    let mut owner = postgres.owner().await;
    let rows: Vec<(String, serde_json::Value)> =
        sqlx::query_as("SELECT resource_id, details FROM audit_events ORDER BY id")
            .fetch_all(&mut owner)
            .await
            .unwrap();
    assert_eq!(rows.len(), texts.len());
    for ((id, details), text) in rows.iter().zip(&texts) {
        assert!(!id.chars().any(char::is_control), "{id:?}");
        if !text.chars().any(is_hidden) {
            assert_eq!(id, text);
        }
        assert_eq!(details["text"], text.replace('\0', r"\x00"));
    }
}

fn is_hidden(c: char) -> bool {
    c.is_control() || ('\u{200e}'..='\u{2069}').contains(&c)
}

fn some_texts(count: usize) -> Vec<String> {
    let mut runner = TestRunner::deterministic();
    let text = prop_oneof![
        "[ -~]{0,60}",
        "\\PC{0,60}",
        "[\\x00-\\x7f\\\\\t\r\n]{0,60}",
        any::<String>().prop_filter("within the bound", |it| it.len() < 150),
    ];
    (0..count)
        .map(|_| text.new_tree(&mut runner).unwrap().current())
        .collect()
}
