//! What the documents say of the code is compared with the code.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use chrono::DateTime;
use portcullis::config::Settings;
use portcullis::telemetry::{Metrics, SignInCertificate};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn text(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn documents() -> Vec<String> {
    let docs = files("docs", "md").into_iter();
    let docs = docs.map(|path| {
        let name = path.strip_prefix(root()).unwrap();
        name.to_str().unwrap().to_owned()
    });
    let own = ["README.md", "ARCHITECTURE.md", "SECURITY.md"].map(str::to_owned);
    own.into_iter().chain(docs).collect()
}

/// Blocks of YAML that are whole configurations.
fn configurations(document: &str) -> Vec<String> {
    let blocks = document.split("```yaml\n").skip(1);
    let blocks = blocks.map(|rest| rest.split_once("```").unwrap().0.to_owned());
    blocks
        .filter(|block| block.lines().any(|line| line.starts_with("version:")))
        .collect()
}

fn load(name: &str, yaml: &str) -> Settings {
    Settings::parse(name, yaml, &|_| None).unwrap_or_else(|diagnostics| {
        let lines: Vec<_> = diagnostics.iter().map(ToString::to_string).collect();
        panic!("{name}:\n{}", lines.join("\n"))
    })
}

#[test]
fn every_configuration_in_the_documents_is_right() {
    let mut seen = 0;
    for name in documents() {
        for yaml in configurations(&text(&name)) {
            load(&name, &yaml);
            seen += 1;
        }
    }
    assert!(seen > 0);
}

#[test]
fn the_configuration_in_the_readme_is_the_file_in_config() {
    let readme = text("README.md");
    let [shown] = &configurations(&readme)[..] else {
        panic!("one configuration is expected in README.md");
    };
    assert_eq!(*shown, text("config/two-backends.yaml"));
    let settings = load("README.md", shown);
    let (routes, upstreams) = (settings.backend_routes().count(), settings.upstreams.len());
    let checked = format!("ok: {routes} routes, {upstreams} upstreams");
    assert!(
        readme.contains(&checked),
        "README.md should say `{checked}`"
    );
}

/// The keys that a file of `src/config` knows: lists called `…KEYS`, and lists given to
/// `fields(…)`.
fn keys(source: &str) -> Vec<String> {
    let named = source.split("KEYS: [&str; ").skip(1);
    let named = named.filter_map(|rest| rest.split_once("= [").map(|(_, list)| list));
    let calls = source.split(".fields(").skip(1);
    let calls = calls.map(|rest| rest.split(';').next().unwrap());
    let given = calls.filter_map(|call| call.split_once("&[").map(|(_, list)| list));
    let lists = named.chain(given).filter_map(|list| list.split(']').next());
    let words = lists.flat_map(|list| list.split('"').skip(1).step_by(2));
    words.map(str::to_owned).collect()
}

#[test]
fn every_key_of_the_configuration_is_in_its_reference() {
    let reference = text("docs/configuration.md");
    let sources = files("src/config", "rs").into_iter();
    let known: BTreeSet<String> = sources
        .flat_map(|file| keys(&fs::read_to_string(file).unwrap()))
        .collect();
    for sample in ["version", "unhealthy", "migrate_url", "ca_file", "exists"] {
        assert!(known.contains(sample), "{sample} is not found: {known:?}");
    }
    let missing: Vec<_> = known
        .iter()
        .filter(|key| !reference.contains(&format!("`{key}`")))
        .collect();
    assert!(
        missing.is_empty(),
        "docs/configuration.md lacks {missing:?}"
    );
}

#[test]
fn every_metric_is_in_its_reference_and_no_other() {
    let reference = text("docs/operation.md");
    let rendered = Metrics::new();
    rendered
        .requests
        .route("GET /")
        .count(portcullis::telemetry::Outcome::Success);
    let _ = rendered.caches.of("api_keys");
    let _ = rendered.transport.shed("connections");
    let _ = rendered.transport.ended("http2_flood");
    rendered.config.restart_required("listen", false);
    let _ = rendered.rate.limited("address");
    let _ = rendered.transport.failed("timeout");
    let _ = rendered.transport.reload("success");
    let certificate = ("a.crt".to_owned(), DateTime::UNIX_EPOCH);
    rendered.transport.tell_expiries([certificate].into_iter());
    rendered.sign_in.tell_expiries(&[SignInCertificate {
        provider: "corp".to_owned(),
        is_theirs: true,
        fingerprint: String::new(),
        at: DateTime::UNIX_EPOCH,
    }]);
    rendered.sign_in.count_broken_glass("acme");
    let upstreams = &rendered.upstreams;
    let _ = upstreams.retries("app");
    let _ = upstreams
        .circuit_open
        .with_label_values(&["app", "address"]);
    let rendered = rendered.render();
    let names: BTreeSet<&str> = rendered
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE "))
        .filter_map(|line| line.split(' ').next())
        .collect();
    let listed: BTreeSet<&str> = reference
        .lines()
        .skip_while(|line| !line.starts_with("## Metrics"))
        .filter_map(|line| line.strip_prefix("| `portcullis_"))
        .filter_map(|line| line.split('`').next())
        .collect();
    let names: BTreeSet<&str> = names
        .iter()
        .filter_map(|name| name.strip_prefix("portcullis_"))
        .collect();
    assert_eq!(listed, names);
}

#[test]
fn every_column_reason_and_event_of_the_audit_is_in_its_reference() {
    let reference = text("docs/audit.md");
    let migration = text("migrations/0005_audit_events.sql");
    let table = migration
        .split_once("CREATE TABLE audit_events (")
        .unwrap()
        .1;
    let columns = table.split_once("PRIMARY KEY").unwrap().0.lines();
    let columns = columns.filter_map(|line| line.split_whitespace().next());
    let mut words: BTreeSet<String> = columns.map(str::to_owned).collect();
    assert_eq!(words.len(), 23);
    for file in [
        "src/policy/denial.rs",
        "src/policy/authentication.rs",
        "src/policy/canonical/mod.rs",
        "src/proxy/rescue.rs",
    ] {
        words.extend(arms(&text(file)));
    }
    for file in files("src/store", "rs")
        .into_iter()
        .chain(files("src/proxy", "rs"))
    {
        words.extend(dotted(&fs::read_to_string(file).unwrap()));
    }
    assert!(words.len() > 70, "{words:?}");
    let missing: Vec<_> = words
        .iter()
        .filter(|word| !reference.contains(&format!("`{word}`")))
        .collect();
    assert!(missing.is_empty(), "docs/audit.md lacks {missing:?}");
}

/// The words that arms of a match give: `=> "no_route",`.
fn arms(source: &str) -> Vec<String> {
    let is_code = |text: &&str| text.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
    let arms = source.split("=> \"").skip(1);
    let arms = arms.filter_map(|rest| rest.split('"').next());
    arms.filter(is_code).map(str::to_owned).collect()
}

/// Names of events: `"tenant.created"`.
fn dotted(source: &str) -> Vec<String> {
    let is_word =
        |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
    let code = source.split("#[cfg(test)]").next().unwrap();
    let texts = code
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"));
    let texts = texts.flat_map(|line| line.split('"').skip(1).step_by(2));
    texts
        .filter(|text| matches!(text.split_once('.'), Some((a, b)) if is_word(a) && is_word(b)))
        .filter(|text| {
            !text.contains("postgres") && *text != "rejected.log" && !text.contains(".html")
        })
        .map(str::to_owned)
        .collect()
}

fn files(folder: &str, extension: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(root().join(folder)).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    paths
        .filter(|path| path.extension().is_some_and(|it| it == extension))
        .collect()
}

#[test]
fn links_between_documents_lead_somewhere() {
    for name in documents() {
        let document = text(&name);
        let folder = root().join(&name).parent().unwrap().to_owned();
        for target in document.split("](").skip(1) {
            let target = target.split([')', '#']).next().unwrap();
            let local = !target.is_empty() && !target.contains("://");
            assert!(
                !local || folder.join(target).exists(),
                "{name}: {target} does not exist"
            );
        }
    }
}

/// What secret scanners are told of keys is what keys are.
#[test]
fn the_key_in_the_documents_is_one() {
    let told = text("docs/keys.md");
    let keys = told.lines().filter(|line| line.starts_with("pcl_live_E"));
    let keys: Vec<&str> = keys.collect();
    assert_eq!(keys.len(), 1);
    assert!(
        keys[0].parse::<portcullis::domain::KeyToken>().is_ok(),
        "{keys:?}"
    );
    let (id, rest) = keys[0]["pcl_live_".len()..].split_once('_').unwrap();
    let pattern = format!(
        "pcl_live_[0-9A-Za-z]{{{}}}_[0-9A-Za-z]{{{}}}",
        id.len(),
        rest.len()
    );
    assert!(told.contains(&format!("\\b{pattern}\\b\n")), "{pattern}");
}
