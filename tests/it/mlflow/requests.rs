//! Requests for each kind of thing that MLflow keeps.

use serde_json::json;

use super::server::Tenancy;

/// By id: each kind, in every way there is.
const READS: &str = include_str!("reads.txt");
/// By what it is.
const SEARCHES: &str = include_str!("searches.txt");
/// What would change or destroy it.
const WRITES: &str = include_str!("writes.txt");
/// The questions of the UI, which alone pass where the gateway keeps tenants apart.
const DOCUMENTS: &str = include_str!("graphql.json");

/// A line is method, target and body, with `{run}` and the like for ids.
pub struct Requests {
    /// By id.
    pub reads: Vec<String>,
    /// By what it is.
    pub searches: Vec<String>,
    /// What changes it.
    pub writes: Vec<String>,
}

impl Requests {
    /// Those that pass for whoever may see the thing.
    pub fn of(tenancy: Tenancy) -> Self {
        let lines = |text: &str| -> Vec<String> {
            let passing = text.lines().filter(|line| passes(line, tenancy));
            passing.map(str::to_owned).collect()
        };
        let (mut reads, mut searches) = (lines(READS), lines(SEARCHES));
        if tenancy == Tenancy::Gateway {
            reads.push(question("GetRun", &json!({ "data": { "runId": "{run}" } })));
            let experiment = json!({ "input": { "experimentId": "{experiment}" } });
            reads.push(question("MlflowGetExperimentQuery", &experiment));
            let runs = json!({ "data": { "experimentIds": ["{experiment}"] } });
            searches.push(question("SearchRuns", &runs));
        }
        Self {
            reads,
            searches,
            writes: lines(WRITES),
        }
    }
}

/// Nobody touches the tag that says where a trace lies. Without workspaces no search goes without
/// the ids it is about, and no query of the caller's own making passes.
fn passes(line: &str, tenancy: Tenancy) -> bool {
    let open = line.starts_with("POST /graphql") || line.ends_with("datasets/search {}");
    let is_told = tenancy == Tenancy::Workspaces || !open;
    is_told && !line.contains("mlflow.artifactLocation")
}

/// As the UI asks it.
pub fn question(name: &str, variables: &serde_json::Value) -> String {
    let documents: serde_json::Value = serde_json::from_str(DOCUMENTS).unwrap();
    let query = &documents[name];
    assert!(query.is_string(), "{name}");
    let body = json!({ "operationName": name, "variables": variables, "query": query });
    format!("POST /graphql {body}")
}
