//! Lists are cut into pages of what the caller may see.

use std::collections::BTreeSet;

use serde_json::json;

use super::traces::experiment;
use crate::support::gateway::{Keys, TestGateway};

/// Experiments of each of two projects, one beside the other.
const EACH: usize = 23;
const PAGE: usize = 5;

pub fn are_full_and_tell_nothing(gateway: &TestGateway, keys: &Keys) {
    for at in 0..EACH {
        experiment(gateway, &keys.stranger, &format!("paged-{at}-theirs"));
        experiment(gateway, &keys.editor, &format!("paged-{at}-own"));
    }
    let whole = names(gateway, &keys.editor, EACH * 4);
    let paged = names(gateway, &keys.editor, PAGE);
    assert_eq!(whole, paged);
    let own = paged.iter().filter(|name| name.starts_with("paged-"));
    assert_eq!(own.count(), EACH);
    assert!(!paged.iter().any(|name| name.ends_with("-theirs")));
}

/// All names, page by page; every page but the last is full, and tokens are alike.
fn names(gateway: &TestGateway, key: &str, page: usize) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let mut token = String::new();
    let mut lengths = BTreeSet::new();
    loop {
        let body = json!({ "max_results": page, "page_token": token }).to_string();
        let target = "/api/2.0/mlflow/experiments/search";
        let answer = gateway.request("POST", target, key, &body);
        assert_eq!(answer.status, 200, "{answer:?}");
        let answer = answer.json();
        let items = answer["experiments"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        for item in &items {
            assert!(
                names.insert(item["name"].as_str().unwrap().to_owned()),
                "twice"
            );
        }
        match answer["next_page_token"].as_str() {
            Some(next) => {
                assert_eq!(items.len(), page, "a page is full");
                lengths.insert(next.len());
                next.clone_into(&mut token);
            }
            None => break,
        }
    }
    assert!(lengths.len() <= 1, "{lengths:?}");
    names
}
