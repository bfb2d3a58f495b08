//! Every configuration that we ship loads.

use std::path::{Path, PathBuf};

use portcullis::config::{Essentials, Settings};
use portcullis::policy::{Lookup, PathRef, Requirement};

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("config")
}

fn load(name: &str) -> Settings {
    let loaded = Settings::load(&directory().join(name), &|_| None);
    loaded.unwrap_or_else(|diagnostics| {
        let lines: Vec<_> = diagnostics.iter().map(ToString::to_string).collect();
        panic!("{name}:\n{}", lines.join("\n"))
    })
}

#[test]
fn every_file_in_config_loads() {
    let files = std::fs::read_dir(directory()).unwrap();
    let mut loaded = 0;
    for path in files.map(|entry| entry.unwrap().path()) {
        // The built-in roles are read with each of the others.
        if path.is_file() && !path.ends_with("roles.yaml") {
            load(path.file_name().unwrap().to_str().unwrap());
            loaded += 1;
        }
    }
    assert!(loaded >= 2, "{loaded}");
}

#[test]
fn the_example_has_every_key() {
    let text = std::fs::read_to_string(directory().join("portcullis.example.yaml")).unwrap();
    let settings = load("portcullis.example.yaml");
    assert_eq!(settings.workers, Some(2));
    let upstream = &settings.upstreams["widgets"];
    assert_eq!(upstream.addresses.len(), 2);
    assert_eq!(
        upstream.tls.as_ref().unwrap().server_name,
        "widgets.internal"
    );
    for key in [
        "hosts:",
        "scope:",
        "resource:",
        "project:",
        "event:",
        "forward_headers:",
        "timeouts:",
        "websocket:",
        "authenticated:",
        "public:",
        "deny:",
        "respond:",
        "migrate_url:",
        "trusted_proxies:",
        "drain_delay:",
        "max_staleness:",
        "when_full:",
        "identity:",
        "resources:",
        "bodies:",
        "references:",
        "forbid:",
        "only:",
        "set:",
        "creates:",
        "deletes:",
        "filter:",
        "pages:",
        "body:",
    ] {
        assert!(text.contains(key), "{key}");
    }
}

#[test]
fn identity_headers_of_a_preset_go_to_its_own_upstream_only() {
    let settings = load("portcullis.example.yaml");
    let names = |upstream: &str| -> Vec<String> {
        let headers = settings.upstreams[upstream].identity.iter();
        headers.map(|(name, _)| name.to_string()).collect()
    };
    assert!(names("mlflow").contains(&"x-mlflow-workspace".to_owned()));
    assert!(!names("widgets").contains(&"x-mlflow-workspace".to_owned()));
    for upstream in ["mlflow", "widgets"] {
        assert!(names(upstream).contains(&"kubeflow-userid".to_owned()));
        assert!(!names(upstream).contains(&"x-forwarded-groups".to_owned()));
    }
    assert!(settings.owned_headers.owns("X_MLFLOW_Workspace"));
}

#[test]
fn an_operators_route_replaces_the_presets() {
    let text = "
version: 1
upstreams: { mlflow: { url: 'http://127.0.0.1:5000' } }
presets: [ { name: mlflow-workspaces, upstream: mlflow } ]
routes:
  - route: GET /version
    upstream: mlflow
    deny: not told
";
    let settings = Settings::parse("test.yaml", text, &|_| None).unwrap();
    let path = PathRef {
        segments: &["version"],
        trailing_slash: false,
    };
    let found = settings.routes.find(&http::Method::GET, "any", &path);
    let Lookup::Found { route, .. } = found else {
        panic!("{found:?}");
    };
    assert!(matches!(route.requirement, Requirement::Deny { .. }));
}

#[test]
fn a_wrong_route_does_not_keep_administration_from_the_database() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("p.yaml");
    let text = "version: 1\ndatabase: { url: '${URL}' }\nroutes: [ { route: '${NOWHERE}' } ]\n";
    std::fs::write(&file, text).unwrap();
    let environment = |name: &str| (name == "URL").then(|| "postgres://h/d".to_owned());
    let essentials = Essentials::load(&file, &environment).unwrap();
    assert!(essentials.database.is_some());
    assert_eq!(
        essentials.data_dir,
        directory.path().join("portcullis-data")
    );
    assert!(Settings::load(&file, &environment).is_err());
    assert!(Essentials::load(&file, &|_| None).is_err());
}

/// Two servers of one kind, each on a host of its own.
#[test]
fn a_preset_twice_on_different_hosts() {
    let text = "
version: 1
upstreams: { a: { url: 'http://127.0.0.1:1' }, b: { url: 'http://127.0.0.1:2', objects: a } }
presets: [ { name: openai, upstream: a, hosts: [a.example] }, { name: openai, upstream: b, hosts: [b.example] } ]
";
    let settings = Settings::parse("test.yaml", text, &|_| None).unwrap();
    let path = PathRef {
        segments: &["v1", "models"],
        trailing_slash: false,
    };
    let found = |host: &str| match settings.routes.find(&http::Method::GET, host, &path) {
        Lookup::Found { route, .. } => {
            Some((route.upstream.to_string(), route.recorded_at().to_string()))
        }
        _ => None,
    };
    let pair = |upstream: &str| Some((upstream.to_owned(), "a".to_owned()));
    assert_eq!(found("a.example"), pair("a"));
    assert_eq!(found("b.example"), pair("b"));
    assert_eq!(found("c.example"), None);
}
