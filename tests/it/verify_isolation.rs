//! `portcullis verify-isolation`, on a sound database and on spoiled ones.

use std::process::Output;

use serde_json::Value;
use sqlx::{Connection as _, PgConnection};

use crate::support::store::{TestStore, run};

fn verify(store: &TestStore, login: &str, arguments: &[&str]) -> Output {
    let url = store.postgres.gateway_url();
    std::process::Command::new(env!("CARGO_BIN_EXE_portcullis"))
        .env(
            "DATABASE_URL",
            url.replace("user=portcullis", &format!("user={login}")),
        )
        .current_dir(store.postgres.data_dir())
        .arg("verify-isolation")
        .args(arguments)
        .output()
        .unwrap()
}

/// What does not hold, as `SUBJECT: RULE: what is wrong`.
fn wrong(output: &Output) -> Vec<String> {
    let findings: Vec<Value> = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)));
    let text = |finding: &Value, key: &str| finding[key].as_str().unwrap().to_owned();
    let wrong = findings.iter().filter(|each| !each["wrong"].is_null());
    wrong
        .map(|each| {
            format!(
                "{}: {}: {}",
                text(each, "subject"),
                text(each, "rule"),
                text(each, "wrong")
            )
        })
        .collect()
}

#[tokio::test]
async fn a_sound_database_passes_and_is_left_as_it_was() {
    let store = TestStore::with_names().await;
    let mut owner = store.as_owner().await;
    let count = "SELECT (SELECT count(*) FROM tenants) + (SELECT count(*) FROM audit_events)";
    let before: i64 = sqlx::query_scalar(count)
        .fetch_one(&mut owner)
        .await
        .unwrap();
    let version = store.db.policy_version().await.unwrap();
    let output = verify(&store, "portcullis", &["--json"]);
    assert_eq!(wrong(&output), Vec::<String>::new());
    assert!(output.status.success());
    let after: i64 = sqlx::query_scalar(count)
        .fetch_one(&mut owner)
        .await
        .unwrap();
    assert_eq!(
        (after, store.db.policy_version().await.unwrap()),
        (before, version)
    );
    let table = verify(&store, "portcullis", &[]);
    let table = String::from_utf8_lossy(&table.stdout).into_owned();
    assert!(table.starts_with("SUBJECT"), "{table}");
    assert_eq!(
        table.matches("its members see its rows").count(),
        2,
        "{table}"
    );
}

#[tokio::test]
async fn whatever_is_spoiled_is_found() {
    for (spoil, finding) in [
        (
            "ALTER TABLE bindings DISABLE ROW LEVEL SECURITY",
            "bindings: row-level security is enabled and forced: too many: not enabled",
        ),
        (
            "ALTER TABLE resources NO FORCE ROW LEVEL SECURITY",
            "resources: row-level security is enabled and forced: too many: not forced",
        ),
        (
            "CREATE POLICY open ON projects USING (true)",
            "projects: its policies are the migrations': too many: open ALL",
        ),
        (
            "ALTER POLICY tenant_select ON projects USING (true)",
            "projects: a member sees no row of another tenant: it does",
        ),
        (
            "ALTER POLICY tenant_insert ON resources WITH CHECK (true)",
            "member: a member changes nothing of another tenant: INSERT INTO resources",
        ),
        (
            "ALTER POLICY tenant_update ON resources USING (true) WITH CHECK (true)",
            "reviewer: a reviewer changes nothing: UPDATE resources",
        ),
        (
            "GRANT DELETE ON audit_events TO portcullis_gateway",
            "audit_events: the grants are the migrations': too many: DELETE",
        ),
        (
            "GRANT SELECT ON bindings TO PUBLIC",
            "bindings: the grants are the migrations': too many: SELECT to PUBLIC",
        ),
        (
            "GRANT UPDATE (tenant_id) ON projects TO portcullis_gateway",
            "projects: the grants are the migrations': too many: UPDATE (tenant_id)",
        ),
        (
            "ALTER TABLE audit_events_2026_01 DISABLE ROW LEVEL SECURITY",
            "audit_events_2026_01: row-level security is enabled and forced: too many: not enabled",
        ),
        (
            "GRANT SELECT ON audit_events_2026_01 TO portcullis_gateway",
            "audit_events_2026_01: the grants are the migrations': too many: SELECT",
        ),
        (
            "ALTER TABLE audit_events DISABLE TRIGGER audit_append_only",
            "audit_events: every partition is append-only: too many: audit_events",
        ),
        (
            "CREATE TABLE notes (tenant_id uuid)",
            "notes: row-level security is enabled and forced: too many: not enabled, not forced",
        ),
        (
            "CREATE VIEW everything AS SELECT * FROM tenants; GRANT SELECT ON everything TO portcullis_gateway",
            "schema public: no view shows rows past the policies: too many: everything",
        ),
        (
            "CREATE FUNCTION peek() RETURNS bigint LANGUAGE sql SECURITY DEFINER AS 'SELECT count(*) FROM tenants'",
            "schema public: the gateway runs one function with the owner's rights: too many: peek",
        ),
        (
            "ALTER ROLE portcullis_gateway BYPASSRLS",
            "portcullis_gateway: the role has no powers: too many: BYPASSRLS",
        ),
        (
            "CREATE OR REPLACE FUNCTION claims_to_read_all() RETURNS boolean LANGUAGE sql STABLE AS 'SELECT true'",
            "tenants: without a claim there is no row: role",
        ),
        (
            "ALTER TABLE tenants OWNER TO postgres",
            "schema public: one role owns the tables, no superuser, without BYPASSRLS: ",
        ),
    ] {
        let store = TestStore::with_names().await;
        let url = store
            .postgres
            .superuser_url()
            .replace("/postgres?", "/portcullis?");
        let mut superuser = PgConnection::connect(&url).await.unwrap();
        run(&mut superuser, spoil).await.unwrap();
        let output = verify(&store, "portcullis", &["--json"]);
        let wrong = wrong(&output);
        assert!(
            wrong.iter().any(|each| each.starts_with(finding)),
            "{spoil}: {wrong:#?}"
        );
        assert_eq!(output.status.code(), Some(1), "{spoil}");
    }
}

#[tokio::test]
async fn an_unfit_login_is_a_finding() {
    let store = TestStore::with_names().await;
    let output = verify(&store, "postgres", &["--json"]);
    assert_eq!(output.status.code(), Some(1));
    let wrong = wrong(&output);
    assert!(wrong[0].contains("is a superuser"), "{wrong:?}");
}
