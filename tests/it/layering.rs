//! The house as `DESIGN.md` §2 draws it, held against the paths in `src/`.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Module, and what it may import. `cli` and `serve` may import all.
const TABLE: [(&str, &[&str]); 11] = [
    ("domain", &[]),
    ("policy", &["domain"]),
    ("config", &["domain", "policy"]),
    ("store", &["domain"]),
    ("cache", &["store", "domain", "policy"]),
    // Its outcome is a type of the policy, which decides upon it and can import nothing.
    ("authn", &["cache", "store", "domain", "config", "policy"]),
    ("audit", &["domain", "policy", "store"]),
    (
        "proxy",
        &["policy", "authn", "audit", "config", "domain", "cache"],
    ),
    (
        "control",
        &[
            "policy", "authn", "audit", "config", "domain", "cache", "store",
        ],
    ),
    ("clock", &[]),
    ("telemetry", &[]),
];

/// The composition root and the subcommands.
const ALL: [&str; 2] = ["cli", "serve"];

/// Anyone may import them.
const EVERYWHERE: [&str; 2] = ["clock", "telemetry"];

/// Crates that only some modules may name.
const CRATES: [(&str, &[&str]); 3] = [
    ("pingora", &["proxy", "serve"]),
    ("axum", &["control"]),
    ("sqlx", &["store"]),
];

struct Source {
    path: PathBuf,
    module: String,
    /// Without comments.
    code: String,
}

fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    rust_files(&root, &mut files);
    assert!(files.len() > 50, "the sources were found: {files:?}");
    let source = |path: PathBuf| {
        let inner = path.strip_prefix(&root).unwrap();
        let first = inner.iter().next().unwrap().to_str().unwrap();
        Source {
            module: first.trim_end_matches(".rs").to_owned(),
            code: without_comments(&fs::read_to_string(&path).unwrap()),
            path,
        }
    };
    files.into_iter().map(source).collect()
}

fn rust_files(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            rust_files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

fn without_comments(text: &str) -> String {
    let lines = text.lines().map(|line| match line.trim_start() {
        comment if comment.starts_with("//") => "",
        _ => line,
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// The modules named right after `crate::`, in braces or not.
fn imports(code: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for (at, found) in code.match_indices("crate::") {
        let whole_word = !code[..at].ends_with(is_identifier);
        if !whole_word {
            continue;
        }
        let rest = &code[at + found.len()..];
        match rest.strip_prefix('{') {
            Some(list) => names.extend(first_level(list)),
            None => names
                .insert(identifier(rest))
                .then_some(())
                .unwrap_or_default(),
        }
    }
    names
}

/// `a::b, c::{d, e}}` names `a` and `c`.
fn first_level(list: &str) -> Vec<String> {
    let mut depth = 1;
    let mut names = Vec::new();
    let mut start = true;
    for (at, c) in list.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 1 => start = true,
            c if is_identifier(c) && depth == 1 && start => {
                names.push(identifier(&list[at..]));
                start = false;
            }
            _ => {}
        }
        if depth == 0 {
            break;
        }
    }
    names
}

fn identifier(text: &str) -> String {
    text.chars().take_while(|c| is_identifier(*c)).collect()
}

fn is_identifier(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Whether a path starts with this crate, or with one of its parts (`name_part`).
fn names_crate(code: &str, name: &str) -> bool {
    code.match_indices(name).any(|(at, _)| {
        let before = &code[..at];
        let word = identifier(&code[at..]);
        let is_part = word == name || word.starts_with(&format!("{name}_"));
        let is_path = code[at + word.len()..].starts_with("::") || before.ends_with("use ");
        is_part && is_path && !before.ends_with(is_identifier)
    })
}

#[test]
fn modules_import_only_what_the_house_allows() {
    let mut wrong = Vec::new();
    for Source { path, module, code } in sources() {
        if ALL.contains(&module.as_str()) || module == "lib" || module == "main" {
            continue;
        }
        let row = TABLE.iter().find(|(name, _)| *name == module);
        let Some((_, allowed)) = row else {
            wrong.push(format!(
                "{}: `{module}` is not in the table",
                path.display()
            ));
            continue;
        };
        for import in imports(&code) {
            let import = import.as_str();
            if import != module && !allowed.contains(&import) && !EVERYWHERE.contains(&import) {
                wrong.push(format!("{}: `{module}` imports `{import}`", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn both_planes_sql_and_the_command_line_keep_to_their_places() {
    let mut wrong = Vec::new();
    for Source { path, module, code } in sources() {
        for (name, allowed) in CRATES {
            if !allowed.contains(&module.as_str()) && names_crate(&code, name) {
                wrong.push(format!("{}: `{module}` names `{name}`", path.display()));
            }
        }
        if module == "main" && code.contains("portcullis::") {
            let named = code.matches("portcullis::").count();
            let cli = code.matches("portcullis::cli").count();
            assert_eq!(named, cli, "main.rs imports only cli");
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_scanner_sees_what_it_is_to_see() {
    let code = "use crate::a;\nuse crate::{b::{x, y}, c};\nfn f() -> crate::d::T { mycrate::e }";
    let found: Vec<_> = imports(code).into_iter().collect();
    assert_eq!(found, ["a", "b", "c", "d"]);
    assert!(names_crate("use pingora_core::Error;", "pingora"));
    assert!(names_crate("let x = sqlx::query(\"\");", "sqlx"));
    assert!(!names_crate(
        "let filter = \"pingora=info,pingora_core=info\";",
        "pingora"
    ));
    assert!(!names_crate("use tower_axum::x;", "axum"));
}
