//! The preset `mlflow`, for an MLflow that knows no tenants: each row is checked, filtered,
//! or denied on purpose.

use std::sync::Arc;

use portcullis::domain::RoleScope;
use portcullis::policy::{Lookup, Requirement, Route};

use super::preset::{Answer, Preset};
use super::table::{self, Row};

const NAME: &str = "mlflow";

/// Rows denied though the table would let a caller pass who may see the object.
const STRICTER: [&str; 13] = [
    // Parts and presigned URLs pass by the gateway.
    "POST /{ajax-api|api}/2.0/mlflow-artifacts/mpu/abort/{artifact_path...}",
    "POST /{ajax-api|api}/2.0/mlflow-artifacts/mpu/complete/{artifact_path...}",
    "POST /{ajax-api|api}/2.0/mlflow-artifacts/mpu/create/{artifact_path...}",
    "GET /{ajax-api|api}/2.0/mlflow-artifacts/presigned/{artifact_path...}",
    "POST /{ajax-api|api}/2.0/mlflow/artifacts/presigned-download-url",
    "POST /{ajax-api|api}/2.0/mlflow/artifacts/presigned-upload-url",
    // Work that MLflow does under its own name.
    "POST /{ajax-api|api}/3.0/mlflow/prompt-optimization/jobs",
    // No client sends it.
    "GET /graphql",
    // Only where it could be an endpoint named `proxy` as well.
    "POST /gateway/proxy/{endpoint_name}/{path...}",
    // What is bound is named by a type of its own.
    "POST /{ajax-api|api}/3.0/mlflow/gateway/endpoints/bindings/create",
    "DELETE /{ajax-api|api}/3.0/mlflow/gateway/endpoints/bindings/delete",
    // It takes a scorer and an endpoint, and shows both.
    "POST /{ajax-api|api}/3.0/mlflow/gateway/guardrails/create",
    // What it registers names endpoints inside a text.
    "POST /{ajax-api|api}/3.0/mlflow/scorers/register",
];

/// Rows that tell every caller the same.
const SAME_FOR_ALL: [&str; 1] = ["GET /ajax-api/3.0/mlflow/gateway/secrets/config"];

fn complaints(judge: impl Fn(&Row, &Answer, Option<&Route>) -> bool) -> Vec<String> {
    let preset = Preset::load(NAME);
    let rows = table::rows();
    let wrong = rows.iter().filter_map(|row| {
        let (answer, route) = (preset.answer(row), route(&preset, row));
        (!judge(row, &answer, route.as_deref()))
            .then(|| format!("{} ({}): {answer:?}", row.label(), row.policy))
    });
    wrong.collect()
}

fn route(preset: &Preset, row: &Row) -> Option<Arc<Route>> {
    match preset.find(&row.method(), &row.segments()) {
        Lookup::Found { route, .. } => Some(Arc::clone(route)),
        _ => None,
    }
}

fn assert_all(judge: impl Fn(&Row, &Answer, Option<&Route>) -> bool) {
    assert_eq!(complaints(judge), Vec::<String>::new());
}

/// Names with slashes cannot be told from what is asked of them.
fn is_stricter(row: &Row) -> bool {
    STRICTER.contains(&row.written.as_str()) || row.resource == "mcp_server"
}

#[test]
fn every_row_has_a_route_or_its_path_stops_too_early() {
    // A path of artifacts needs an experiment in front, and more behind to be deleted.
    let short = |row: &Row| row.written.contains("mlflow-artifacts/artifacts/");
    assert_all(|row, answer, _| !matches!(answer, Answer::Unknown) || short(row));
}

#[test]
fn what_the_table_denies_never_reaches_mlflow() {
    assert_all(|row, answer, _| match row.policy.as_str() {
        "deny" => answer.is_kept_from_mlflow(),
        _ => !matches!(answer, Answer::Denied) || is_stricter(row),
    });
}

#[test]
fn what_passes_is_checked_or_filtered_or_the_platforms() {
    assert_all(|row, answer, route| {
        let Answer::Forwarded(Requirement::Permission { .. }, scope) = answer else {
            return true;
        };
        let objects = &route.unwrap().objects;
        let named = route.unwrap().resource.as_ref();
        let named = named.is_some_and(|rule| !rule.backend && !rule.optional);
        let only = !objects.only.is_empty() && !objects.references.is_empty();
        *scope == RoleScope::Platform
            || named
            || only
            || !objects.filters.is_empty()
            || !objects.creates.is_empty()
            || objects.answers.is_some()
            || SAME_FOR_ALL.contains(&row.written.as_str())
    });
}

#[test]
fn only_rows_open_to_all_pass_without_a_permission() {
    assert_all(|row, answer, _| match answer {
        Answer::Forwarded(Requirement::Public { .. }, _) => row.permission == "public",
        Answer::Forwarded(Requirement::Authenticated, _) => row.permission == "authenticated",
        _ => true,
    });
}

#[test]
fn what_belongs_to_the_whole_server_is_asked_for_on_the_platform() {
    let owned = ["gateway_guardrail"];
    assert_all(|row, answer, _| {
        let server_wide = row.policy == "admin" || row.resource == "workspace";
        match answer {
            Answer::Forwarded(_, scope) if server_wide => {
                *scope == RoleScope::Platform || owned.contains(&row.resource.as_str())
            }
            _ => true,
        }
    });
}
