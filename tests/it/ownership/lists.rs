//! Lists hold what the caller may see, all of it, and nothing that tells of the rest.

use super::{House, ids};

/// A thousand datasets, of which every tenth is the editor's.
fn fill(house: &House) -> Vec<String> {
    let mut own = Vec::new();
    for n in 0..1000 {
        let is_own = n % 10 == 0;
        let key = if is_own {
            &house.keys.editor
        } else {
            &house.keys.stranger
        };
        let id = house.make(key, "{}");
        if is_own {
            own.push(id);
        }
    }
    own
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_are_full_and_complete_in_query_and_body() {
    let house = House::open().await;
    let own = fill(&house);
    let mut seen = Vec::new();
    let mut token = String::new();
    let mut lengths = Vec::new();
    loop {
        let target = format!("/datasets?page_size=7&page_token={token}");
        let page = house.gateway.get(&target, &house.keys.viewer);
        lengths.push(ids(&page).len());
        seen.extend(ids(&page));
        match page.json()["next_page_token"].as_str() {
            Some(next) if !next.is_empty() => token = next.to_owned(),
            _ => break,
        }
    }
    assert_eq!(seen, own);
    let (last, full) = lengths.split_last().unwrap();
    assert!(full.iter().all(|length| *length == 7), "{lengths:?}");
    assert!(*last <= 7);
    seen.clear();
    token.clear();
    loop {
        let body = format!(r#"{{"size":30,"token":"{token}"}}"#);
        let page = house
            .gateway
            .request("POST", "/datasets/search", &house.keys.viewer, &body);
        seen.extend(ids(&page));
        match page.json()["next_page_token"].as_str() {
            Some(next) if !next.is_empty() => token = next.to_owned(),
            _ => break,
        }
    }
    assert_eq!(seen, own);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_others_have_shows_neither_in_tokens_nor_in_requests() {
    let house = House::open().await;
    for _ in 0..20 {
        house.make(&house.keys.stranger, "{}");
    }
    let own = house.make(&house.keys.editor, "{}");
    for _ in 0..20 {
        house.make(&house.keys.stranger, "{}");
    }
    let in_query = house
        .gateway
        .get("/datasets?page_size=1", &house.keys.viewer);
    let asked = house.platform.upstream.received().len();
    let viewer = &house.keys.viewer;
    let search = "/datasets/search";
    let in_body = house
        .gateway
        .request("POST", search, viewer, r#"{"size":1}"#);
    for page in [in_query, in_body] {
        assert_eq!(ids(&page), std::slice::from_ref(&own));
        let token = page.json()["next_page_token"].clone();
        assert!(token.as_str().is_none_or(str::is_empty), "{token}");
    }
    // There `most` is given: 41 items come at once.
    assert_eq!(house.platform.upstream.received().len(), asked + 1);
    // Whoever has another item hears of it.
    house.make(&house.keys.editor, "{}");
    let page = house
        .gateway
        .request("POST", search, viewer, r#"{"size":1}"#);
    assert!(page.json()["next_page_token"].is_string());
    // More than the largest page is for the backend to refuse.
    house
        .gateway
        .request("POST", search, viewer, r#"{"size":300}"#);
    let received = house.platform.upstream.received();
    let sizes: Vec<_> = received
        .iter()
        .filter(|request| request.head.starts_with("POST /datasets/search "))
        .map(|request| {
            serde_json::from_slice::<serde_json::Value>(&request.body).unwrap()["size"].clone()
        })
        .collect();
    assert_eq!(sizes, [200, 200, 300]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_for_one_caller_on_one_route_and_all_look_alike() {
    let house = House::open().await;
    for _ in 0..10 {
        house.make(&house.keys.editor, "{}");
    }
    let page = house
        .gateway
        .get("/datasets?page_size=3", &house.keys.viewer);
    let token = page.json()["next_page_token"].as_str().unwrap().to_owned();
    assert!(!token.contains("ds-000"));
    let next = |key: &str, token: &str| {
        let target = format!("/datasets?page_size=3&page_token={token}");
        house.gateway.get(&target, key).status
    };
    assert_eq!(next(&house.keys.viewer, &token), 200);
    let asked = house.platform.upstream.received().len();
    assert_eq!(next(&house.keys.editor, &token), 400);
    assert_eq!(next(&house.keys.viewer, "ds-00004"), 400);
    assert_eq!(next(&house.keys.viewer, &token[..token.len() - 4]), 400);
    let body = format!(r#"{{"size":3,"token":"{token}"}}"#);
    let elsewhere = house
        .gateway
        .request("POST", "/datasets/search", &house.keys.viewer, &body);
    assert_eq!(elsewhere.status, 400);
    assert_eq!(house.platform.upstream.received().len(), asked);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_compressed_list_is_filtered_too() {
    let house = House::open().await;
    let own = house.make(&house.keys.editor, "{}");
    house.make(&house.keys.stranger, "{}");
    house.platform.gzip(true);
    let list = house.gateway.get("/datasets", &house.keys.viewer);
    assert_eq!(ids(&list), [own]);
    assert!(list.header("content-encoding").is_empty());
    let asked = house.platform.upstream.received().pop().unwrap();
    assert_eq!(asked.header("accept-encoding"), ["identity"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_list_is_not_passed_on() {
    let house = House::open().await;
    for body in [
        "",
        "no JSON",
        r#"{"data":[{"id":"x"}]}"#,
        r#"{"datasets":{"id":"x"}}"#,
        r#"{"datasets":[],"datasets":[{"id":"x"}]}"#,
        "[]",
    ] {
        house.platform.answer_all(Some(("200 OK", body)));
        let answer = house.gateway.get("/all", &house.keys.viewer);
        assert_eq!(answer.status, 502, "{body}");
    }
    house.platform.answer_all(Some(("200 OK", "{}")));
    let empty = house.gateway.get("/all", &house.keys.viewer);
    assert_eq!(empty.body, r#"{"datasets":[]}"#, "as one that was emptied");
    house.platform.answer_all(Some(("418 Teapot", "as it is")));
    let refused = house.gateway.get("/all", &house.keys.viewer);
    assert_eq!((refused.status, refused.body.as_str()), (418, "as it is"));
}

#[tokio::test(flavor = "multi_thread")]
async fn all_else_of_an_answer_stays_as_it_was() {
    let house = House::open().await;
    house.make(&house.keys.editor, r#"{"id":"mine"}"#);
    let body = r#"{ "n": 1.10, "datasets": [ {"id":"other"}, {"id":"mine", "x": 1e400} ], "big": 12345678901234567890123 }"#;
    house.platform.answer_all(Some(("200 OK", body)));
    let answer = house.gateway.get("/all", &house.keys.viewer);
    let expected =
        r#"{ "n": 1.10, "datasets": [{"id":"mine", "x": 1e400}], "big": 12345678901234567890123 }"#;
    assert_eq!(answer.body, expected);
}
