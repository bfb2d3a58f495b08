//! `import openapi` and `routes --uncovered`: the real program on descriptions.

use std::path::PathBuf;
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

const SHOP: &str = "tests/data/openapi/shop.yaml";

/// The program, in the root of the project, so that paths in its output are short.
fn run(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_portcullis"))
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .env_remove("PORTCULLIS_CONFIG")
        .args(args)
        .output()
        .unwrap()
}

fn code(output: &Output) -> i32 {
    output.status.code().unwrap()
}

fn stdout(output: &Output) -> &str {
    std::str::from_utf8(&output.stdout).unwrap()
}

fn stderr(output: &Output) -> &str {
    std::str::from_utf8(&output.stderr).unwrap()
}

fn import(args: &[&str]) -> String {
    let output = run(&[&["import", "openapi"], args].concat());
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    stdout(&output).to_owned()
}

/// A folder with files.
struct Folder(TempDir);

impl Folder {
    fn with(files: &[(&str, &str)]) -> Self {
        let folder = Self(TempDir::new().unwrap());
        for (name, text) in files {
            std::fs::write(folder.path(name), text).unwrap();
        }
        folder
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn name(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_owned()
    }
}

/// `STATE METHOD PATH: routes` of each operation.
fn coverage(map: &str, file: &str, more: &[&str]) -> (i32, Vec<String>) {
    let args = ["routes", "--json", "--config", map, "--uncovered", file];
    let output = run(&[&args, more].concat());
    let rows: Value =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", stderr(&output)));
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let row = |row: &Value| {
        let routes = row["routes"].as_array().unwrap().iter();
        let routes: Vec<_> = routes.map(|taker| text(&taker["route"])).collect();
        let [state, method, path] = ["state", "method", "path"].map(|key| text(&row[key]));
        format!("{state} {method} {path}: {}", routes.join(", "))
            .trim_end()
            .to_owned()
    };
    let rows = rows.as_array().unwrap().iter().map(row).collect();
    (code(&output), rows)
}

/// All but the covered ones.
fn uncovered(map: &str, file: &str, more: &[&str]) -> Vec<String> {
    let (code, mut rows) = coverage(map, file, more);
    rows.retain(|row| !row.starts_with("covered") && !row.starts_with("refused"));
    assert_eq!(code, i32::from(!rows.is_empty()), "{rows:?}");
    rows
}

fn check(file: &str) {
    let checked = run(&["check", file]);
    assert_eq!(code(&checked), 0, "{}", stderr(&checked));
}

#[test]
fn an_import_is_commented_and_loads() {
    let folder = Folder::with(&[("map.yaml", &import(&[SHOP]))]);
    check(&folder.name("map.yaml"));
    insta::assert_snapshot!(import(&[SHOP]));
}

#[test]
fn what_was_left_out_is_what_is_not_covered() {
    let folder = Folder::with(&[("map.yaml", &import(&[SHOP]))]);
    insta::assert_snapshot!(uncovered(&folder.name("map.yaml"), SHOP, &[]).join("\n"));
    let summary: Value = serde_json::from_str(&import(&[SHOP, "--json"])).unwrap();
    assert_eq!(summary["routes"], 19);
    assert_eq!(summary["left_out"].as_array().unwrap().len(), 11);
    assert_eq!(summary["configuration"], import(&[SHOP]));
}

#[test]
fn options_take_the_place_of_guesses() {
    let text = import(&[
        SHOP,
        "--upstream",
        "shop=http://127.0.0.1:1",
        "--base-path",
        "/",
    ]);
    assert!(
        text.contains("  shop: { url: \"http://127.0.0.1:1\" }\n"),
        "{text}"
    );
    assert!(
        text.contains("- route: GET /datasets\n    upstream: shop\n"),
        "{text}"
    );
    assert!(text.contains("- route: GET /outside\n"), "{text}");
    assert!(!text.contains("/api/v1"), "{text}");
    for wrong in ["shop", "Shop=http://a", "=http://a"] {
        let refused = run(&["import", "openapi", SHOP, "--upstream", wrong]);
        assert_eq!(code(&refused), 2, "{wrong}");
    }
    let refused = run(&["import", "openapi", SHOP, "--upstream", "shop=ftp://a"]);
    assert_eq!(code(&refused), 1);
    insta::assert_snapshot!(stderr(&refused), @"error: `ftp://a` is not a URL; write `http://host:port` or `https://host:port`");
}

#[test]
fn a_reviewed_map_is_never_overwritten() {
    let folder = Folder::with(&[]);
    let file = folder.name("map.yaml");
    let written = import(&[SHOP, "--output", &file]);
    assert_eq!(written, "");
    check(&file);
    std::fs::write(&file, "reviewed").unwrap();
    let again = run(&["import", "openapi", SHOP, "--output", &file]);
    assert_eq!(code(&again), 6);
    assert!(stderr(&again).contains("exists already"));
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "reviewed");
}

#[test]
fn what_is_no_description_is_told_with_its_place() {
    let deep = |open: &str, close: &str| format!("{}{}", open.repeat(200), close.repeat(200));
    let deep_json = format!("{{\"openapi\":\"3.1.0\",\"x\":{}}}", deep("[", "]"));
    let deep_yaml = format!("openapi: 3.1.0\nx: {}\n", deep("[", "]"));
    let bomb = "a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\n\
                c: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c]\n\
                e: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d]\nf: [*e,*e,*e,*e,*e,*e,*e,*e,*e]\n";
    let cases = [
        ("empty", " \n"),
        ("json.json", "{\"openapi\": \"3.1.0\",\n \"paths\": {,}}"),
        (
            "json-twice.json",
            "{\"openapi\": \"3.1.0\", \"paths\": {}}\n{}",
        ),
        ("yaml.yaml", "openapi: 3.1.0\npaths: { /a"),
        ("html.html", "<html>\n<body>: x</body>"),
        ("list.json", "[1]"),
        ("other.yaml", "kind: Pod\npaths: {}"),
        ("swagger.json", "{\n  \"swagger\": \"2.0\", \"paths\": {}}"),
        ("next.yaml", "openapi: 4.0.0\npaths: {}"),
        ("number.yaml", "openapi: 3.1\npaths: {}"),
        ("no-paths.yaml", "openapi: 3.1.0\nwebhooks: {}"),
        ("paths-list.yaml", "openapi: 3.1.0\npaths: []"),
        (
            "relative.yaml",
            "openapi: 3.1.0\npaths: { users: { get: {} } }",
        ),
        ("item.yaml", "openapi: 3.1.0\npaths: { /users: [] }"),
        (
            "duplicate.json",
            "{\"openapi\":\"3.1.0\",\"paths\":{\n\"/a\":{\"get\":{}},\n\"/a\":{\"post\":{}}}}",
        ),
        (
            "duplicate-method.yaml",
            "openapi: 3.1.0\npaths:\n  /a:\n    get: {}\n    get: {}\n",
        ),
        ("deep.json", &deep_json),
        ("deep.yaml", &deep_yaml),
        ("bomb.yaml", bomb),
    ];
    let folder = Folder::with(&cases);
    let huge = vec![b' '; (32 << 20) + 1];
    std::fs::write(folder.path("huge.json"), huge).unwrap();
    std::fs::write(folder.path("binary"), b"\x89PNG\x00").unwrap();
    let names = cases.iter().map(|(name, _)| *name);
    let mut told = Vec::new();
    for name in names.chain(["huge.json", "binary", "missing.json"]) {
        let output = run(&["import", "openapi", &folder.name(name)]);
        assert_eq!((code(&output), stdout(&output)), (3, ""), "{name}");
        let start = format!("{}/", folder.0.path().display());
        told.push(stderr(&output).replace(&start, "").trim_end().to_owned());
        let map = ["routes", "--config", "config/minimal.yaml", "--uncovered"];
        let output = run(&[&map[..], &[&folder.name(name)]].concat());
        assert_eq!(code(&output), 3, "{name}");
    }
    insta::assert_snapshot!(told.join("\n"));
}

const MAP: &str = "
version: 1
upstreams: { a: { url: 'http://h' } }
routes:
  - { route: 'GET /things/{id}', upstream: a, permission: models:read }
  - { route: GET /things/secret, deny: not told }
  - { route: POST /things/main, upstream: a, permission: models:create }
  - { route: 'PUT /hosted/{id}', upstream: a, permission: models:update, hosts: [ml.example.com] }
  - { route: 'GET /files/{name}', upstream: a, permission: models:read }
  - { route: 'GET /files/{a}/{b}', upstream: a, permission: models:read }
  - { route: 'GET /tree/{path...}', upstream: a, permission: models:read }
  - { route: 'GET /pairs/{pair}', upstream: a, permission: models:read }
";

const DESCRIPTION: &str = "
openapi: 3.1.0
paths:
  /things/{thing}: { get: {}, post: {}, patch: {}, trace: {} }
  /hosted/{thing}: { put: {} }
  /things/main: { get: {}, delete: {} }
  /things/: { get: {} }
  /files/{path:path}: { get: {} }
  /tree/{path:path}: { get: {} }
  /pairs/{a}.{b}: { get: {} }
  /pairs/{a}.{b}/more: { get: {} }
  /optional/{a?}: { get: {} }
  /semi;colon: { get: {} }
  /other: { $ref: 'other.yaml' }
";

fn covered() -> Folder {
    Folder::with(&[("map.yaml", MAP), ("api.yaml", DESCRIPTION)])
}

#[test]
fn an_operation_is_covered_if_every_request_that_fits_it_is() {
    let folder = covered();
    let (code, rows) = coverage(&folder.name("map.yaml"), &folder.name("api.yaml"), &[]);
    assert_eq!(code, 1);
    insta::assert_snapshot!(rows.join("\n"), @r"
    covered GET /things/{thing}: GET /things/{id}, GET /things/secret
    partly POST /things/{thing}: POST /things/main
    uncovered PATCH /things/{thing}:
    refused TRACE /things/{thing}:
    partly PUT /hosted/{thing}: PUT /hosted/{id}
    covered GET /things/main: GET /things/{id}
    uncovered DELETE /things/main:
    uncovered GET /things/:
    partly GET /files/{path:path}: GET /files/{name}, GET /files/{a}/{b}
    covered GET /tree/{path:path}: GET /tree/{path...}
    covered GET /pairs/{a}.{b}: GET /pairs/{pair}
    uncovered GET /pairs/{a}.{b}/more:
    uncovered GET /optional/{a?}:
    refused GET /semi;colon:
    unread * /other:
    ");
}

#[test]
fn a_route_for_one_host_covers_that_host() {
    let folder = covered();
    let (map, file) = (folder.name("map.yaml"), folder.name("api.yaml"));
    let put = |more: &[&str]| {
        let (_, rows) = coverage(&map, &file, more);
        let put = rows.into_iter().find(|row| row.contains(" PUT "));
        put.unwrap().split(' ').next().unwrap().to_owned()
    };
    assert_eq!(put(&[]), "partly");
    assert_eq!(put(&["--host", "ml.example.com"]), "covered");
    assert_eq!(put(&["--host", "other.example.com"]), "uncovered");
    let wrong = [
        "routes",
        "--config",
        &map,
        "--uncovered",
        &file,
        "--host",
        "a b",
    ];
    assert_eq!(code(&run(&wrong)), 2);
}

/// A host with routes of its own for a path answers for it alone.
#[test]
fn a_host_that_lacks_the_method_uncovers_it() {
    let map = "
version: 1
upstreams: { a: { url: 'http://h' } }
routes:
  - { route: GET /x, upstream: a, permission: models:read }
  - { route: POST /x, upstream: a, permission: models:create, hosts: ['*.example.com'] }
";
    let api = "openapi: 3.0.0\npaths: { /x: { get: {} } }";
    let folder = Folder::with(&[("map.yaml", map), ("api.yaml", api)]);
    let (map, file) = (folder.name("map.yaml"), folder.name("api.yaml"));
    assert_eq!(uncovered(&map, &file, &[]), ["partly GET /x: GET /x"]);
    assert!(uncovered(&map, &file, &["--host", "elsewhere"]).is_empty());
}

#[test]
fn the_table_for_people() {
    let folder = covered();
    let args = |more: &str| {
        let (map, file) = (folder.name("map.yaml"), folder.name("api.yaml"));
        let output = run(&["routes", "--config", &map, "--uncovered", &file, more]);
        let start = format!("{}/", folder.0.path().display());
        let lines = stdout(&output).replace(&start, "");
        let lines = lines
            .lines()
            .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "));
        lines.collect::<Vec<_>>().join("\n")
    };
    insta::assert_snapshot!(args("--base-path=/"));
    assert!(
        args("-v").contains("covered GET /things/{thing} api.yaml:4"),
        "{}",
        args("-v")
    );
    let all = Folder::with(&[("map.yaml", &import(&["tests/data/openapi/small.json"]))]);
    let small = "tests/data/openapi/small.json";
    let output = run(&[
        "routes",
        "--config",
        &all.name("map.yaml"),
        "--uncovered",
        small,
    ]);
    assert_eq!(
        (code(&output), stdout(&output)),
        (0, "ok: all 2 operations are covered\n")
    );
}

#[test]
fn json_that_yaml_reads_otherwise_is_read_as_json() {
    let text = import(&["tests/data/openapi/small.json"]);
    assert!(text.contains("# caf\u{e9} 😀 \\d\n"), "{text}");
}
