//! The description of the API: committed, served, and true.

use std::fs;
use std::path::Path;

use super::World;

fn committed() -> (std::path::PathBuf, String) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/openapi.json");
    let text = fs::read_to_string(&path).unwrap_or_default();
    (path, text)
}

/// `INSTA_UPDATE=always` writes it anew.
#[test]
fn the_committed_description_is_that_of_the_code() {
    let document = portcullis::control::api::document();
    let text = document.to_pretty_json().unwrap() + "\n";
    let (path, committed) = committed();
    if std::env::var("INSTA_UPDATE").is_ok_and(|it| it == "always") {
        fs::write(path, text).unwrap();
        return;
    }
    assert!(committed == text, "docs/openapi.json is out of date");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_served_description_is_the_committed_one() {
    let world = World::start().await;
    let served = world
        .gateway
        .get("/.portcullis/openapi.json", &world.viewer);
    assert_eq!(served.status, 200, "{served:?}");
    let committed: serde_json::Value = serde_json::from_str(&committed().1).unwrap();
    assert_eq!(served.json(), committed);
    assert_eq!(committed["openapi"], "3.1.0");
}
