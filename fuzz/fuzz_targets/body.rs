//! Inspected bodies: a byte that says how they are read, then the body.
//!
//! What is accepted is forwarded in one spelling that reads alike; another reader sees the
//! same values in it, and under folding no two keys that a careless reader takes for one.
#![no_main]

use std::collections::BTreeSet;

use libfuzzer_sys::{Corpus, fuzz_target};
use portcullis::policy::{Body, BodyFormat, BodyValue, Keys, Tree};
use serde_json::Value;

fuzz_target!(|data: &[u8]| -> Corpus {
    let Some((mode, body)) = data.split_first() else {
        return Corpus::Reject;
    };
    match mode {
        b'e' => json(body, Keys::Exact),
        b'f' => json(body, Keys::Folded),
        b'g' => grpc(body),
        _ => return Corpus::Reject,
    }
    Corpus::Keep
});

fn json(text: &[u8], keys: Keys) {
    let Ok(body) = Body::parse(BodyFormat::Json, keys, text.to_vec().into()) else {
        return;
    };
    let sent = body.forwarded();
    let again = Body::parse(BodyFormat::Json, keys, sent.clone()).expect("what is sent is legal");
    assert_eq!(sent, again.forwarded());
    if sent.is_empty() {
        return;
    }
    let tree = Tree::parse(&sent, keys).expect("what is sent is JSON");
    // It gives up at numbers that no double holds.
    let Ok(other) = serde_json::from_slice::<Value>(&sent) else {
        assert!(sent.contains(&b'e') || sent.contains(&b'E') || sent.len() > 300);
        return;
    };
    same(&tree, &other);
    let received = serde_json::from_slice::<Value>(text).expect("what was read is JSON");
    assert_eq!(received, other);
    if keys == Keys::Folded {
        distinct(&other);
    }
    let found = body.find(&"/run_id".parse().unwrap());
    if let (Ok(found), Value::Object(entries), Keys::Exact) = (found, &other, keys) {
        match (&found[..], entries.get("run_id")) {
            ([None], None | Some(Value::Null)) => {}
            ([Some(BodyValue::Text(text))], Some(other)) => assert_eq!(other, text),
            ([Some(_)], Some(other)) => assert!(!other.is_string() && !other.is_null()),
            other => panic!("{other:?}"),
        }
    }
}

fn same(tree: &Tree, other: &Value) {
    match (tree, other) {
        (Tree::Null, Value::Null) | (Tree::Number(_), Value::Number(_)) => {}
        (Tree::Bool(a), Value::Bool(b)) => assert_eq!(a, b),
        (Tree::Text(a), Value::String(b)) => assert_eq!(**a, **b),
        (Tree::List(a), Value::Array(b)) => {
            assert_eq!(a.len(), b.len());
            a.iter().zip(b).for_each(|(a, b)| same(a, b));
        }
        (Tree::Map(a), Value::Object(b)) => {
            assert_eq!(a.len(), b.len());
            a.iter().for_each(|(key, value)| same(value, &b[&**key]));
        }
        other => panic!("{other:?}"),
    }
}

/// As a reader without regard to case and `_` takes them.
fn distinct(value: &Value) {
    match value {
        Value::Array(items) => items.iter().for_each(distinct),
        Value::Object(entries) => {
            let fold = |key: &String| key.replace('_', "").to_lowercase();
            let folded: BTreeSet<String> = entries.keys().map(fold).collect();
            assert_eq!(folded.len(), entries.len());
            entries.values().for_each(distinct);
        }
        _ => {}
    }
}

fn grpc(bytes: &[u8]) {
    let Ok(body) = Body::parse(BodyFormat::Grpc, Keys::Exact, bytes.to_vec().into()) else {
        return;
    };
    assert_eq!(body.forwarded(), bytes);
    for pointer in ["/1", "/1/*", "/2/1", "/2/*/1"] {
        let Ok(found) = body.find(&pointer.parse().unwrap()) else {
            continue;
        };
        for value in found.into_iter().flatten() {
            match value {
                BodyValue::Text(text) => {
                    assert!(!text.is_empty());
                    let inside = bytes.windows(text.len()).any(|it| it == text.as_bytes());
                    assert!(inside, "{text}");
                }
                // What is no text may be a number, of which only these two are taken.
                BodyValue::Bool(value) => assert!(bytes.contains(&u8::from(value))),
                other => panic!("{other:?}"),
            }
        }
    }
}
