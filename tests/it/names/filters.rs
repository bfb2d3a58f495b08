//! Searches by name.

use serde_json::json;

use super::House;

#[tokio::test(flavor = "multi_thread")]
async fn a_search_finds_names_as_they_are_seen() {
    let house = House::open().await;
    let key = &house.keys.editor;
    for name in ["fraud", "fraud-eu", "Other"] {
        assert_eq!(house.make(key, name).status, 200);
        assert_eq!(house.make(&house.keys.stranger, name).status, 200);
    }
    for (filter, found) in [
        ("", &["fraud", "fraud-eu", "Other"][..]),
        ("name = 'fraud'", &["fraud"]),
        ("name = 'acme.fraud.fraud'", &[]),
        ("name != \"fraud\"", &["fraud-eu", "Other"]),
        ("name LIKE 'fraud%'", &["fraud", "fraud-eu"]),
        ("`name` ILIKE 'o%'", &["Other"]),
        ("name LIKE '%acme%'", &[]),
        ("name IN ('fraud', 'Other') AND name != 'Other'", &["fraud"]),
        ("tags.name = 'fraud'", &["fraud", "fraud-eu", "Other"]),
    ] {
        assert_eq!(house.listed(key, filter), found, "{filter}");
    }
    house.listed(key, "name = 'fraud' AND name LIKE 'f%'");
    let sent = "name = 'acme.fraud.fraud' AND name LIKE '%f%'";
    assert_eq!(house.heap.last(), json!({ "filter": sent }).to_string());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_filter_that_could_be_read_in_two_ways_is_refused() {
    let house = House::open().await;
    let key = &house.keys.editor;
    assert_eq!(house.make(key, "fraud").status, 200);
    let asked = house.heap.asked();
    for filter in [
        "name = 'fraud",
        "name = 'a''b'",
        "name = 'a\\' AND name = 'b'",
        "name = 'a' -- b",
        "name = 'a'/**/",
        "name = 'a' OR name = 'b'",
        "NOT name = 'a'",
        "(name = 'a')",
        "name = (SELECT 'a')",
        "name = 'a'; name = 'b'",
        "name RLIKE '.*'",
        "name LIKE 'a\\_b'",
        "n\u{e4}me = 'a'",
        "name\u{2003}= 'a'",
        "\u{ff4e}ame = 'a'",
    ] {
        let refused = house.post("/models/search", key, &json!({ "filter": filter }));
        assert_eq!(refused.status, 400, "{filter}: {refused:?}");
        assert!(refused.body.contains("malformed_filter") || refused.body.contains("filter"));
    }
    let shapes = [
        json!({ "filter": ["name = 'a'"] }),
        json!({ "filter": true }),
    ];
    for body in shapes {
        assert_eq!(
            house.post("/models/search", key, &body).status,
            400,
            "{body}"
        );
    }
    let twice = "/models/search?filter=name+%3D+'a'&Filter=name+%3D+'b'";
    assert_eq!(house.gateway.get(twice, key).status, 400);
    assert_eq!(house.heap.asked(), asked);
}
