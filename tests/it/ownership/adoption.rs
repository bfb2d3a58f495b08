//! What a backend held before belongs to nobody, until somebody takes it over.

use serde_json::Value;

use super::{House, ids};
use crate::support::gateway::until;
use crate::support::raw::Connection;

const LIST: &str = "
  - type: dataset
    upstream: app
    list:
      request: \"GET /datasets?page_size=2\"
      items: /datasets
      id: /id
      next: /next_page_token
      token: query.page_token
";

/// Made past the gateway, as everything was before it came.
fn held_before(house: &House) -> Vec<String> {
    let make = |at: usize| {
        let body = format!(
            r#"{{"id":"old-{at}","name":"{}"}}"#,
            ["fraud", "churn"][at % 2]
        );
        make_past_the_gateway(house, &body);
        format!("old-{at}")
    };
    (0..5).map(make).collect()
}

fn make_past_the_gateway(house: &House, body: &str) {
    let address = house.platform.address();
    let mut connection = Connection::open(address);
    connection.send(format!(
        "POST /datasets HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    ));
    assert_eq!(connection.answer().unwrap().status, 200);
}

fn orphans(house: &House) -> Vec<String> {
    let told = house
        .gateway
        .cli(&["--json", "resources", "orphans", "app", "dataset"]);
    let told: Vec<Value> = serde_json::from_str(&told).unwrap();
    let id = |it: &Value| it["id"].as_str().unwrap().to_owned();
    told.iter().map(id).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_there_before_is_taken_over_by_id_by_list_and_by_expression() {
    let house = House::with(LIST).await;
    let old = held_before(&house);
    house.make(&house.keys.editor, r#"{"id":"own"}"#);
    assert_eq!(orphans(&house), old);
    let everything = || house.gateway.get("/datasets", &house.keys.admin);
    assert_eq!(ids(&everything()), ["own"]);

    let adopt = |more: &[&str]| {
        let words = ["resources", "adopt", "app", "dataset"];
        house.gateway.cli(&[&words[..], more].concat())
    };
    adopt(&["old-0", "--project", "acme/fraud"]);
    let by_name = r#"item.name == "churn""#;
    let chosen = ["--listed", "--where", by_name, "--project", "globex/churn"];
    adopt(&[&chosen[..], &["--dry-run"]].concat());
    assert_eq!(orphans(&house).len(), 4, "nothing was taken over");
    adopt(&chosen);
    assert_eq!(orphans(&house), ["old-2", "old-4"]);
    adopt(&["--listed", "--project", "acme/fraud"]);
    assert!(orphans(&house).is_empty());

    until("the editor to see what was adopted", || {
        house.read("old-4", &house.keys.editor).status == 200
    });
    let seen = |key: &str| ids(&house.gateway.get("/datasets", key));
    assert_eq!(seen(&house.keys.editor), ["old-0", "old-2", "old-4", "own"]);
    assert_eq!(seen(&house.keys.stranger), ["old-1", "old-3"]);

    house
        .gateway
        .cli(&["resources", "release", "app/dataset/old-0"]);
    until("what was released to be nobody's", || {
        house.read("old-0", &house.keys.editor).status == 404
    });
    let listed = house
        .gateway
        .cli(&["--json", "resources", "list", "--project", "acme/fraud"]);
    let listed: Vec<Value> = serde_json::from_str(&listed).unwrap();
    assert_eq!(listed.len(), 3, "{listed:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expression_that_cannot_be_told_takes_over_nothing() {
    let house = House::with(LIST).await;
    held_before(&house);
    for only in ["item.nothing == 1", "item.name"] {
        let words = [
            "resources",
            "adopt",
            "app",
            "dataset",
            "--listed",
            "--where",
            only,
            "--project",
            "acme/fraud",
        ];
        assert_ne!(house.gateway.cli_code(&words).0, 0, "{only}");
    }
    assert_eq!(orphans(&house).len(), 5);
}
