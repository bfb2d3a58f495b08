//! Every route of MLflow that somebody must not use, tried by somebody who must not.

use std::time::Duration;

use portcullis::clock::Clock;
use portcullis::domain::RoleScope;
use portcullis::policy::Requirement;

use super::work::Work;
use crate::preset_mlflow::preset::{Answer as Verdict, Preset};
use crate::preset_mlflow::table::{self, Row};
use crate::support::gateway::{Keys, TestGateway, until};
use crate::support::raw::Answer;

pub fn a_viewer_changes_nothing(gateway: &TestGateway, keys: &Keys) {
    for row in rows_where(is_a_change) {
        assert_denied(&row, &ask(gateway, &row, &keys.viewer));
    }
}

pub fn denied_routes_are_closed_to_all(gateway: &TestGateway, keys: &Keys) {
    for row in rows_where(|verdict| matches!(verdict, Verdict::Denied)) {
        for key in [&keys.owner, &keys.admin] {
            assert_denied(&row, &ask(gateway, &row, key));
        }
    }
}

pub fn the_platforms_routes_are_closed_to_projects(gateway: &TestGateway, keys: &Keys) {
    for row in rows_where(|verdict| matches!(verdict, Verdict::Forwarded(_, RoleScope::Platform))) {
        assert_denied(&row, &ask(gateway, &row, &keys.owner));
    }
}

pub fn strangers_are_asked_who_they_are(gateway: &TestGateway) {
    for row in rows_where(|verdict| !is_public(verdict)) {
        let request = format!("{} {} HTTP/1.1\r\nHost: gw\r\n\r\n", row.method(), row.path);
        let answer = gateway.raw(request).unwrap();
        assert_eq!(answer.status, 401, "{}: {answer:?}", row.label());
        assert_eq!(answer.json()["error_code"], "UNAUTHENTICATED");
        let challenges = answer.header("www-authenticate");
        assert!(challenges.iter().any(|scheme| scheme.starts_with("Basic ")));
    }
}

pub fn a_revoked_key_is_refused_within_a_second(gateway: &TestGateway, work: &Work) {
    let key = gateway.key("editor@example.com", Some("acme/fraud"));
    let target = work.fill("/api/2.0/mlflow/runs/get?run_id={run}");
    assert_eq!(gateway.get(&target, &key).status, 200);
    let id = key.split('_').nth(2).unwrap();
    gateway.cli(&["keys", "revoke", id]);
    let clock = Clock::system();
    let revoked = clock.instant();
    until("the key to be refused", || {
        gateway.get(&target, &key).status == 401
    });
    let spent = clock.instant() - revoked;
    assert!(spent < Duration::from_secs(1), "{spent:?}");
}

fn rows_where(wanted: impl Fn(&Verdict) -> bool) -> Vec<Row> {
    let preset = Preset::load("mlflow-workspaces");
    let rows: Vec<_> = table::rows()
        .into_iter()
        .filter(|row| wanted(&preset.answer(row)))
        .collect();
    assert!(rows.len() > 20, "only {} rows", rows.len());
    rows
}

fn is_a_change(verdict: &Verdict) -> bool {
    let Verdict::Forwarded(Requirement::Permission { name, .. }, RoleScope::Project) = verdict
    else {
        return false;
    };
    name.action() != "read"
}

fn is_public(verdict: &Verdict) -> bool {
    matches!(
        verdict,
        Verdict::Answered | Verdict::Forwarded(Requirement::Public { .. }, _)
    )
}

/// Refused by the gateway, as MLflow's client expects to be told.
fn assert_denied(row: &Row, answer: &Answer) {
    assert_eq!(answer.status, 403, "{}: {answer:?}", row.label());
    assert_eq!(answer.json()["error_code"], "PERMISSION_DENIED");
}

fn ask(gateway: &TestGateway, row: &Row, key: &str) -> Answer {
    let method = row.written.split(' ').next().unwrap();
    let body = if method == "GET" { "" } else { "{}" };
    gateway.request(method, &row.path, key, body)
}
