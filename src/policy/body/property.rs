//! What is forwarded means to every reader what it meant here.

use proptest::prelude::*;
use serde_json::{Map, Value};

use super::*;

fn json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (-1e9..1e9).prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    let key = prop_oneof![
        "[a-c_A-C]{0,4}",
        Just("run_id".to_owned()),
        Just("runId".to_owned()),
        any::<String>(),
    ];
    leaf.prop_recursive(5, 60, 6, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            proptest::collection::vec((key.clone(), inner), 0..6)
                .prop_map(|pairs| Value::Object(pairs.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

/// A JSON text in which keys may occur twice, in some spelling.
fn text() -> impl Strategy<Value = String> {
    let key = prop_oneof![
        Just("run_id"),
        Just("runId"),
        Just("RUN_ID"),
        Just("r\\u0075n_id"),
        Just("other"),
    ];
    let value = prop_oneof![
        Just("\"a\""),
        Just("\"b\""),
        Just("7"),
        Just("[1]"),
        Just("null")
    ];
    proptest::collection::vec((key, value), 0..4).prop_map(|pairs| {
        let pairs = pairs
            .iter()
            .map(|(key, value)| format!("\"{key}\": {value}"));
        format!("{{{}}}", pairs.collect::<Vec<_>>().join(", "))
    })
}

/// A reader with the habits of many: of two keys the last counts, in any spelling.
fn last_wins(value: &Value, key: &str) -> Option<Value> {
    let entries = value.as_object()?;
    let fold = |key: &str| key.replace('_', "").to_lowercase();
    let mut fitting = entries.iter().filter(|(name, _)| fold(name) == fold(key));
    fitting.next_back().map(|(_, value)| value.clone())
}

proptest! {
    #[test]
    fn what_is_written_is_read_alike(value in json()) {
        let written = value.to_string();
        let read = Tree::parse(written.as_bytes(), Keys::Exact).unwrap();
        let again = read.to_bytes();
        let [before, after] = [written.as_bytes(), &again].map(|text| {
            serde_json::from_slice::<Value>(text).unwrap()
        });
        prop_assert_eq!(before, after);
        prop_assert_eq!(Tree::parse(&again, Keys::Exact).unwrap(), read);
    }

    #[test]
    fn nothing_is_read_that_another_reader_refuses(
        text in "[\\[\\]{}:,\" \\\\/0-9.eE+\\-a-fnrtul]{0,24}"
    ) {
        if let Ok(tree) = Tree::parse(text.as_bytes(), Keys::Exact) {
            let other = serde_json::from_str::<Value>(&text);
            // It gives up at numbers that do not fit into a double.
            if let Ok(other) = other {
                let written: Value = serde_json::from_slice(&tree.to_bytes()).unwrap();
                prop_assert_eq!(written, other);
            } else {
                prop_assert!(text.contains(['e', 'E']), "{}", text);
            }
        }
    }

    #[test]
    fn the_id_that_is_checked_is_the_one_that_is_forwarded(text in text()) {
        let read = Body::parse(BodyFormat::Json, Keys::Folded, text.into());
        if let Ok(body) = read {
            let found = body.find(&"/run_id".parse().unwrap()).unwrap();
            let forwarded: Value = serde_json::from_slice(&body.forwarded()).unwrap();
            let other = last_wins(&forwarded, "run_id").filter(|it| !it.is_null());
            let same = match (&found[..], &other) {
                ([None], None) => true,
                ([Some(BodyValue::Text(text))], Some(other)) => other == text,
                ([Some(BodyValue::Number(spelt))], Some(other)) => other.to_string() == *spelt,
                ([Some(BodyValue::Several)], Some(other)) => other.is_array(),
                _ => false,
            };
            prop_assert!(same, "{:?} {:?}", found, other);
        }
    }
}
