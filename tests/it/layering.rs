//! The table of modules in ARCHITECTURE.md against the `crate::` paths of the code.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

const MODULES: [&str; 14] = [
    "audit",
    "authn",
    "cache",
    "cli",
    "clock",
    "config",
    "control",
    "domain",
    "policy",
    "proxy",
    "rate",
    "serve",
    "store",
    "telemetry",
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Module → the modules that it may import, as the table says.
fn allowed() -> BTreeMap<&'static str, BTreeSet<&'static str>> {
    let text = fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    let section = text.split_once("\n## The house\n").unwrap().1;
    let section = section.split_once("\n## ").unwrap().0;
    let mut table = BTreeMap::new();
    for line in section.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let (first, last) = (cells[0], cells[cells.len() - 1]);
        let names = MODULES.into_iter().filter(|name| {
            first.contains(&format!("`{name}.rs`")) || first.contains(&format!("`{name}/`"))
        });
        for name in names {
            let may = MODULES.into_iter().filter(|other| {
                let listed = last.split(", ").any(|word| word == *other);
                listed || last == "all" || ["clock", "telemetry"].contains(other)
            });
            table.insert(name, may.collect());
        }
    }
    table
}

/// Module → every module whose name follows `crate::` in it.
fn imported(module: &str) -> BTreeSet<&'static str> {
    let text: String = sources(module)
        .iter()
        .map(|file| fs::read_to_string(file).unwrap())
        .collect();
    let mut found = BTreeSet::new();
    for rest in text.split("crate::").skip(1) {
        // `use crate::{a, b::C}` names several.
        let paths: Vec<&str> = match rest.strip_prefix('{') {
            Some(list) => list.split('}').next().unwrap().split(',').collect(),
            None => vec![rest],
        };
        let firsts: Vec<&str> = paths
            .iter()
            .map(|path| path.trim().split([':', ';', ' ', ')']).next().unwrap())
            .collect();
        found.extend(MODULES.into_iter().filter(|name| firsts.contains(name)));
    }
    found.remove(module);
    found
}

fn sources(module: &str) -> Vec<PathBuf> {
    let mut files = vec![root().join(format!("src/{module}.rs"))];
    let mut folders = vec![root().join(format!("src/{module}"))];
    while let Some(folder) = folders.pop() {
        for path in fs::read_dir(folder).into_iter().flatten() {
            let path = path.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                files.push(path);
            }
        }
    }
    files.retain(|file| file.is_file());
    files
}

#[test]
fn modules_import_what_the_table_says_and_no_more() {
    let table = allowed();
    assert_eq!(table.len(), MODULES.len(), "{table:?}");
    for (module, may) in &table {
        let imported = imported(module);
        let beyond: Vec<_> = imported.difference(may).collect();
        assert!(beyond.is_empty(), "{module} imports {beyond:?}");
    }
}

#[test]
fn the_table_forbids_something() {
    let table = allowed();
    assert!(table["domain"].is_subset(&["clock", "telemetry"].into()));
    assert!(!table["proxy"].contains("control") && !table["control"].contains("proxy"));
    assert!(imported("policy").contains("domain"));
}

#[test]
fn each_library_has_its_place() {
    for (library, places) in [
        ("pingora", &["proxy", "serve"][..]),
        ("axum", &["control"]),
        ("redis", &["rate"]),
        ("sqlx", &["store"]),
    ] {
        for module in MODULES.into_iter().filter(|name| !places.contains(name)) {
            for file in sources(module) {
                let text = fs::read_to_string(&file).unwrap();
                let used = text.contains(&format!("{library}::"));
                assert!(!used, "{} names {library}", file.display());
            }
        }
    }
}

/// Whoever has a connection without claims could ask past row-level security's questions.
#[test]
fn sql_runs_in_transactions_that_claim() {
    // Listening asks nothing; the rest works on a database that has no tenants yet, or
    // looks at it from outside.
    let places = ["tenant_tx.rs", "connect.rs", "listener.rs"];
    for file in sources("store") {
        let name = file.file_name().unwrap().to_str().unwrap();
        let text = fs::read_to_string(&file).unwrap();
        let pool = ["pool()", ".pool", "PgPool"]
            .iter()
            .any(|word| text.contains(word));
        assert!(
            !pool || places.contains(&name),
            "{} uses the pool",
            file.display()
        );
        let own = text.contains("connect_as_owner") || text.contains("PgConnection::connect");
        let may = ["connect.rs", "migrate.rs", "bootstrap.rs"].contains(&name)
            || file.ends_with("isolation/mod.rs");
        assert!(!own || may, "{} connects by itself", file.display());
    }
    let connect = fs::read_to_string(root().join("src/store/connect.rs")).unwrap();
    assert!(!connect.contains("pub fn pool") && !connect.contains("pub const fn pool"));
}
