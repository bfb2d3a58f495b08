//! The table of MLflow's routes, each row as requests that a client could send.

use http::Method;

const TABLE: &str = include_str!("../../data/mlflow-3.17.2-routes.tsv");

/// What stands for `{name}` and `{name...}`. Twice, for the second is also a path of
/// another row: `/gateway/proxy/mlflow/invocations`.
const SAMPLES: [(&str, &str); 2] = [("x", "a/b"), ("mlflow", "invocations")];

/// One request of one row.
pub struct Row {
    /// The row as the table has it: `GET /path/{name}`.
    pub written: String,
    method: String,
    /// Its path, with sample values.
    pub path: String,
    /// What it is about.
    pub resource: String,
    /// What a caller must be allowed, in the table's words.
    pub permission: String,
    /// What a gateway should do with it, in the table's words.
    pub policy: String,
}

impl Row {
    /// `GET /path`.
    pub fn label(&self) -> String {
        format!("{} {}", self.method, self.path)
    }

    /// Its method.
    pub fn method(&self) -> Method {
        self.method.parse().unwrap()
    }

    /// Its path, cut, and whether it ends in a slash.
    pub fn segments(&self) -> (Vec<&str>, bool) {
        let cut = self.path.split('/').filter(|part| !part.is_empty());
        (cut.collect(), self.path.ends_with('/'))
    }
}

/// All rows, `/api` and `/ajax-api` apart, with sample values.
pub fn rows() -> Vec<Row> {
    let lines = TABLE.lines().skip(1);
    lines.flat_map(requests).collect()
}

fn requests(line: &str) -> Vec<Row> {
    let fields: Vec<_> = line.split('\t').collect();
    let [method, path, resource, permission, policy] = fields[..] else {
        panic!("not five fields: {line}");
    };
    let row = |sample| Row {
        written: format!("{method} {path}"),
        method: method.to_owned(),
        path: sample,
        resource: resource.to_owned(),
        permission: permission.to_owned(),
        policy: policy.to_owned(),
    };
    paths(path).into_iter().map(row).collect()
}

fn paths(written: &str) -> Vec<String> {
    let prefixes = ["api", "ajax-api"].map(|prefix| written.replace("{ajax-api|api}", prefix));
    let mut paths: Vec<_> = prefixes.iter().flat_map(|path| samples(path)).collect();
    paths.sort();
    paths.dedup();
    paths
}

fn samples(path: &str) -> Vec<String> {
    SAMPLES
        .iter()
        .map(|(one, many)| fill(path, one, many))
        .collect()
}

fn fill(path: &str, one: &str, many: &str) -> String {
    let Some((before, rest)) = path.split_once('{') else {
        return path.to_owned();
    };
    let (name, after) = rest.split_once('}').unwrap();
    let value = if name.ends_with("...") { many } else { one };
    format!("{before}{value}{}", fill(after, one, many))
}
