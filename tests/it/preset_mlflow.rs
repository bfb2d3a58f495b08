//! The preset `mlflow-workspaces` against the table of MLflow's routes.
//!
//! The table (`tests/data/mlflow-3.17.2-routes.tsv`) was taken from a running server: all
//! that MLflow answers, with what each row does. Where the preset departs from it, the
//! row is named below with the reason, so that a new departure fails.

mod alone;
pub mod preset;
pub mod table;

use std::borrow::Cow;
use std::collections::BTreeSet;

use portcullis::domain::RoleScope;
use portcullis::policy::{Field, Lookup, Requirement};

use preset::{Answer, Preset};
use table::Row;

/// The preset.
const NAME: &str = "mlflow-workspaces";

/// Rows denied though the table would let a caller pass who may see the object: the
/// table's gateway asks MLflow who owns what, this preset does not.
const STRICTER: [&str; 11] = [
    // Parts and presigned URLs pass by the gateway.
    "POST /{ajax-api|api}/2.0/mlflow-artifacts/mpu/abort/{artifact_path...}",
    "POST /{ajax-api|api}/2.0/mlflow-artifacts/mpu/complete/{artifact_path...}",
    "POST /{ajax-api|api}/2.0/mlflow-artifacts/mpu/create/{artifact_path...}",
    "GET /{ajax-api|api}/2.0/mlflow-artifacts/presigned/{artifact_path...}",
    "POST /{ajax-api|api}/2.0/mlflow/artifacts/presigned-download-url",
    "POST /{ajax-api|api}/2.0/mlflow/artifacts/presigned-upload-url",
    // Reads wherever the caller let the version point.
    "GET /model-versions/get-artifact",
    // Work that MLflow does under its own name.
    "POST /{ajax-api|api}/3.0/mlflow/prompt-optimization/jobs",
    // No client sends it.
    "GET /graphql",
    // Only where it could be an endpoint named `proxy` as well.
    "POST /gateway/proxy/{endpoint_name}/{path...}",
    // It takes a scorer and an endpoint of any workspace.
    "POST /{ajax-api|api}/3.0/mlflow/gateway/guardrails/create",
];

/// Rows not left to the platform nor denied, for MLflow keeps these apart by workspace.
const ISOLATED: [&str; 4] = [
    "DELETE /{ajax-api|api}/3.0/mlflow/gateway/guardrails/delete",
    "GET /{ajax-api|api}/3.0/mlflow/gateway/guardrails/get",
    "GET /{ajax-api|api}/3.0/mlflow/gateway/guardrails/list",
    "GET /{ajax-api|api}/3.0/mlflow/scorers/online-configs",
];

fn is_isolated(row: &Row) -> bool {
    ISOLATED.contains(&row.written.as_str())
}

fn complaints(judge: impl Fn(&Row, &Answer) -> bool) -> Vec<String> {
    let preset = Preset::load(NAME);
    let rows = table::rows();
    let wrong = rows.iter().filter_map(|row| {
        let answer = preset.answer(row);
        (!judge(row, &answer)).then(|| format!("{} ({}): {answer:?}", row.label(), row.policy))
    });
    wrong.collect()
}

fn assert_all(judge: impl Fn(&Row, &Answer) -> bool) {
    assert_eq!(complaints(judge), Vec::<String>::new());
}

#[test]
fn every_row_has_a_route() {
    assert!(table::rows().len() > 480, "the table is whole");
    assert_all(|_, answer| !matches!(answer, Answer::Unknown));
}

#[test]
fn what_the_table_denies_never_reaches_mlflow() {
    assert_all(|row, answer| match row.policy.as_str() {
        "deny" => answer.is_kept_from_mlflow() || is_isolated(row),
        _ => !matches!(answer, Answer::Denied) || STRICTER.contains(&row.written.as_str()),
    });
}

#[test]
fn every_departure_is_one() {
    let preset = Preset::load(NAME);
    let rows = table::rows();
    let some = |written: &str, denied: bool| {
        let mut of_row = rows.iter().filter(|row| row.written == written);
        of_row.any(|row| matches!(preset.answer(row), Answer::Denied) == denied)
    };
    for row in STRICTER {
        assert!(some(row, true), "{row}");
    }
    for row in ISOLATED {
        assert!(some(row, false), "{row}");
    }
}

#[test]
fn a_read_needs_a_read_and_a_write_needs_a_write() {
    assert_all(|row, answer| {
        let Answer::Forwarded(Requirement::Permission { name, .. }, _) = answer else {
            return true;
        };
        let fitting: &[&str] = match row.permission.as_str() {
            "read" | "list" => &["read", "manage"],
            "authenticated" => &["read"],
            "use" => &["use", "read"],
            "create" => &["create", "manage"],
            "update" => &["create", "update", "delete", "manage"],
            "delete" => &["update", "delete", "manage"],
            "admin" if is_isolated(row) => &["read", "create", "delete"],
            "admin" => &["manage", "read"],
            _ => &[],
        };
        fitting.contains(&name.action())
    });
}

#[test]
fn only_rows_open_to_all_pass_without_a_permission() {
    assert_all(|row, answer| match answer {
        Answer::Forwarded(Requirement::Public { .. }, _) => row.permission == "public",
        Answer::Forwarded(Requirement::Authenticated, _) => row.permission == "authenticated",
        _ => true,
    });
}

#[test]
fn what_belongs_to_the_whole_server_is_asked_for_on_the_platform() {
    assert_all(|row, answer| {
        let server_wide = row.policy == "admin" || row.resource == "workspace";
        match answer {
            Answer::Forwarded(_, scope) if server_wide && !is_isolated(row) => {
                *scope == RoleScope::Platform
            }
            Answer::Forwarded(_, scope) => *scope == RoleScope::Project,
            _ => true,
        }
    });
}

#[test]
fn every_route_is_one_of_mlflows() {
    let preset = Preset::load(NAME);
    let mut hit = BTreeSet::new();
    for row in table::rows() {
        let (method, path) = (row.method(), row.segments());
        if let Lookup::Found { index, params, .. } = preset.find(&method, &path) {
            hit.insert((index, method.to_string(), format!("{:?}", params.pattern())));
        }
    }
    let routes = preset.settings.routes.routes().iter().enumerate();
    for (index, route) in routes.filter(|(_, route)| *route.upstream == *"mlflow") {
        for method in &route.methods {
            for pattern in &route.patterns {
                let key = (index, method.to_string(), format!("{pattern:?}"));
                assert!(hit.contains(&key), "{method} of {}", route.label);
            }
        }
    }
}

#[test]
fn only_the_gateway_names_the_workspace() {
    let owned = Preset::load(NAME).settings.owned_headers;
    for name in [
        "X-MLFLOW-WORKSPACE",
        "x_mlflow_workspace",
        "X.Mlflow-Workspace",
    ] {
        assert!(owned.owns(name), "{name}");
    }
}

#[test]
fn a_project_gets_a_workspace_of_its_own() {
    let provisions = Preset::load(NAME).settings.provisions;
    let [workspace] = &provisions[..] else {
        panic!("not one: {provisions:?}")
    };
    let slugs = |field| match field {
        Field::TenantSlug => Some(Cow::Borrowed("acme")),
        Field::ProjectSlug => Some(Cow::Borrowed("fraud")),
        _ => None,
    };
    let body = workspace.body.render(&slugs).unwrap();
    assert_eq!(body, serde_json::json!({ "name": "acme--fraud" }));
    assert_eq!(workspace.path, "/api/3.0/mlflow/workspaces");
}
