use proptest::prelude::*;

use super::*;
use crate::config::Settings;

/// In this order, which a map of `serde_json` would not keep.
fn description(operations: &[(&str, &str, &str)]) -> Description {
    let paths = operations.iter().map(|(method, path, tag)| {
        let tags: Vec<_> = Some(*tag)
            .filter(|tag| !tag.is_empty())
            .into_iter()
            .collect();
        let operation = serde_json::json!({ method.to_lowercase(): { "tags": tags } });
        format!("{}: {operation}", serde_json::json!(path))
    });
    let paths = paths.collect::<Vec<_>>().join(", ");
    let text = format!("{{\"openapi\": \"3.0.0\", \"paths\": {{ {paths} }} }}");
    Description::parse("api.json", &text, None).unwrap()
}

fn settled(description: &Description) -> Settled {
    let upstream = Upstream {
        name: "app".to_owned(),
        url: "http://127.0.0.1:1".to_owned(),
        guessed: false,
    };
    let catalogue = settings::built_in(&[]).unwrap().catalogue;
    let skeleton = Skeleton::new("api.json", description, &upstream, &catalogue);
    skeleton.settle().unwrap()
}

/// Permission and resource of one operation.
fn guess(method: &str, path: &str, tag: &str) -> String {
    let text = settled(&description(&[(method, path, tag)])).text;
    let settings = Settings::parse("map.yaml", &text, &|_| None).unwrap();
    let route = settings.backend_routes().next().unwrap();
    let resource = route.resource.as_ref();
    let resource = resource.map_or(String::new(), |rule| {
        format!(" {} {}", rule.kind, rule.ids[0])
    });
    format!("{}{resource}", route.requirement)
}

#[test]
fn permissions_are_guessed_from_tag_path_and_method() {
    let mut shown = Vec::new();
    for (method, path, tag) in [
        ("GET", "/", ""),
        ("GET", "/datasets", ""),
        ("HEAD", "/datasets/{id}", ""),
        ("POST", "/datasets", ""),
        ("PUT", "/datasets/{id}", ""),
        ("PATCH", "/datasets/{id}", ""),
        ("DELETE", "/datasets/{id}", ""),
        ("POST", "/datasets/{id}/rows", ""),
        ("POST", "/datasets/search", ""),
        ("POST", "/datasets/{id}:archive", ""),
        ("POST", "/datasets/{id}/archive", ""),
        ("POST", "/datasets/batchGet", ""),
        ("POST", "/datasets/delete", ""),
        ("POST", "/predict", ""),
        ("POST", "/v2/models/{name}/infer", ""),
        ("POST", "/v1/models/{name}:predict", ""),
        ("POST", "/v1/chat/completions", ""),
        ("GET", "/v1/models/{name}/versions/{version}/ready", ""),
        ("GET", "/{dataset_id}", ""),
        ("POST", "/pet", "pet"),
        ("POST", "/pet/{petId}/uploadImage", "pet"),
        ("POST", "/store/order", "store"),
        ("GET", "/things/{id}", "Model Registry"),
        ("GET", "/things/{id}", "dataset"),
        ("GET", "/things/{id}", "2nd"),
        ("GET", "/\u{6a21}/{id}", "\u{6a21}"),
        ("GET", "/null/{true}", ""),
    ] {
        shown.push(format!(
            "{method} {path} [{tag}]: {}",
            guess(method, path, tag)
        ));
    }
    insta::assert_snapshot!(shown.join("\n"));
}

#[test]
fn of_routes_that_overlap_the_first_stays() {
    let operations = [
        ("GET", "/a/{x}/c", ""),
        ("GET", "/a/b/{y}", ""),
        ("GET", "/a/{z}/c/", ""),
        ("POST", "/A/b/{y}", ""),
        ("GET", "/a/{again}/c", ""),
    ];
    let settled = settled(&description(&operations));
    assert_eq!(settled.routes, 3);
    let (operations, reasons): (Vec<_>, Vec<_>) = settled.left_out.into_iter().unzip();
    assert_eq!(operations, ["GET /a/b/{y}", "GET /a/{again}/c"]);
    let told = |at: usize, text: &str| assert!(reasons[at].contains(text), "{}", reasons[at]);
    told(0, "conflicts with `GET /a/{x}/c`: both match `/a/b/c`");
    told(1, "conflicts with `GET /a/{x}/c`: both match the very same");
}

/// What is commented out is no limit to what can be read.
#[test]
fn a_thousand_operations_may_be_left_out_in_a_row() {
    let paths: Vec<_> = (0..1000).map(|n| format!("/a{n}/{{b}}.{{c}}")).collect();
    let left_out = paths.iter().map(|path| ("GET", path.as_str(), ""));
    let operations: Vec<_> = left_out.chain([("GET", "/last", "")]).collect();
    let settled = settled(&description(&operations));
    assert_eq!((settled.routes, settled.left_out.len()), (1, 1000));
}

fn segment() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-c]",
        "\\{[a-c]\\}",
        "[ab]\\{[a-c]\\}[:.]?[ab]?",
        "[\\PC]{1,3}",
        "[${}a|()#?: '\"%\\\\]{1,4}",
        "true|null|1e5|~|-",
    ]
}

proptest! {
    /// Whatever a description says, in whatever words, what is made of it loads.
    #[test]
    fn what_is_made_always_loads(
        operations in prop::collection::vec(
            (prop::collection::vec(segment(), 0..4), "get|post|put|trace", any::<String>()), 0..12),
        title in any::<String>(),
    ) {
        let mut paths = serde_json::Map::new();
        for (segments, method, words) in operations {
            let operation = serde_json::json!({ method: {
                "summary": words, "operationId": words, "tags": [words],
                "parameters": [{ "in": "header", "name": words }, { "$ref": words }],
            } });
            paths.insert(format!("/{}", segments.join("/")), operation);
        }
        let text = serde_json::json!({
            "openapi": "3.1.0", "paths": paths, "info": { "title": title, "version": "1" },
        });
        // Strings with NUL and the like are none in YAML.
        if let Ok(description) = Description::parse("api.json", &text.to_string(), None) {
            let settled = settled(&description);
            let settings = Settings::parse("map.yaml", &settled.text, &|_| None);
            prop_assert!(settings.is_ok(), "{:?}\n{}", settings.err(), settled.text);
            let settings = settings.unwrap();
            prop_assert_eq!(settings.backend_routes().count(), settled.routes);
        }
    }
}
