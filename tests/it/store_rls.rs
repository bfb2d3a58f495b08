//! Row-level security, attacked as SQL with the rights of the gateway.

use portcullis::domain::{ResourceKey, TenantId};
use portcullis::store::{AuditFilter, Claims, Db, NewResource, ResourceFilter, StoreError};
use sqlx::{Connection as _, PgConnection};

use crate::support::postgres::TestPostgres;
use crate::support::store::{TestStore, refusal, run};

/// Every table that tenants share, with what tells a tenant's rows.
const TABLES: [&str; 9] = [
    "tenants",
    "projects",
    "principals",
    "roles",
    "bindings",
    "resources",
    "api_keys",
    "api_key_usage",
    "audit_events",
];

/// As [`TestStore::with_names`], with rows of both tenants in every table.
async fn two_tenants() -> (TestStore, TenantId, TenantId) {
    let store = TestStore::with_names().await;
    let mut owner = store.as_owner().await;
    let rows = "
        INSERT INTO principals (id, kind, name, tenant_id)
            SELECT gen_random_uuid(), 'service_account', 'worker', id FROM tenants;
        INSERT INTO roles (id, tenant_id, name, scope, permissions)
            SELECT gen_random_uuid(), id, 'custom', 'project', '{runs:read}' FROM tenants;
        INSERT INTO bindings (id, principal_id, role_id, scope, tenant_id, project_id)
            SELECT gen_random_uuid(), w.id, r.id, 'project', p.tenant_id, p.id
            FROM projects p JOIN roles r ON r.tenant_id = p.tenant_id
            JOIN principals w ON w.tenant_id = p.tenant_id AND w.name = 'worker';
        INSERT INTO resources (id, tenant_id, project_id, upstream, type, external_id, created_by)
            SELECT gen_random_uuid(), tenant_id, id, 'mlflow', 'run', slug, 'test' FROM projects;
        INSERT INTO api_keys (id, principal_id, secret_hash, created_by)
            SELECT left(md5(id::text), 12), id, sha256(''), 'test' FROM principals;
        INSERT INTO api_key_usage (key_id, last_used_at) SELECT id, now() FROM api_keys";
    run(&mut owner, rows).await.unwrap();
    let acme = store.db.tenant(&"acme".parse().unwrap()).await.unwrap().id;
    let globex = store
        .db
        .tenant(&"globex".parse().unwrap())
        .await
        .unwrap()
        .id;
    (store, acme, globex)
}

/// A connection of the gateway that claims what these say, for its whole session.
async fn claiming(store: &TestStore, role: &str, tenant: &str) -> PgConnection {
    let mut connection = store.as_gateway().await;
    sqlx::query("SELECT set_config('request.jwt.claim.role', $1, false), set_config('request.jwt.claim.tenant_id', $2, false)")
        .bind(role)
        .bind(tenant)
        .execute(&mut connection)
        .await
        .unwrap();
    connection
}

async fn member(store: &TestStore, tenant: TenantId) -> PgConnection {
    claiming(store, "member", &tenant.to_string()).await
}

async fn count(connection: &mut PgConnection, sql: &str) -> i64 {
    sqlx::query_scalar(sqlx::AssertSqlSafe(sql))
        .fetch_one(connection)
        .await
        .unwrap_or_else(|error| panic!("{sql}: {error}"))
}

async fn rows(connection: &mut PgConnection, table: &str) -> i64 {
    count(connection, &format!("SELECT count(*) FROM {table}")).await
}

#[tokio::test]
async fn a_member_sees_its_own_tenant_only() {
    let (store, acme, globex) = two_tenants().await;
    for (own, other) in [(acme, globex), (globex, acme)] {
        let mut connection = member(&store, own).await;
        for table in TABLES {
            assert!(rows(&mut connection, table).await > 0, "{table}");
        }
        for table in [
            "projects",
            "principals",
            "roles",
            "bindings",
            "resources",
            "api_keys",
            "audit_events",
        ] {
            let sql = format!("SELECT count(*) FROM {table} WHERE tenant_id = '{other}'");
            assert_eq!(count(&mut connection, &sql).await, 0, "{table}");
            let sql = format!("SELECT count(*) FROM {table} WHERE tenant_id <> '{own}'");
            assert_eq!(count(&mut connection, &sql).await, 0, "{table}");
        }
        assert_eq!(rows(&mut connection, "tenants").await, 1);
        // Its own one user, not the other's, nor the superadmin.
        let users = "SELECT count(*) FROM principals WHERE kind = 'user'";
        assert_eq!(count(&mut connection, users).await, 1);
        let platform = "SELECT count(*) FROM bindings WHERE scope = 'platform'";
        assert_eq!(count(&mut connection, platform).await, 0);
    }
}

#[tokio::test]
async fn without_a_sound_claim_there_is_no_row_and_no_error() {
    let (store, acme, _) = two_tenants().await;
    let acme = acme.to_string();
    for (role, tenant) in [
        ("", ""),
        ("", acme.as_str()),
        ("member", ""),
        ("member", "acme"),
        ("member", "{}"),
        ("member", "00000000-0000-0000-0000-000000000000"),
        ("member", &acme.to_uppercase()),
        ("member", &format!("{acme}\n")),
        ("member", &format!(" {acme}")),
        ("member", &format!("{{{acme}}}")),
        ("member", "' OR true --"),
        ("Gateway", ""),
        ("gateway ", ""),
        ("authenticated", &acme),
        ("service_role", &acme),
        ("postgres", &acme),
    ] {
        let mut connection = claiming(&store, role, tenant).await;
        for table in TABLES {
            let seen = rows(&mut connection, table).await;
            assert_eq!(seen, 0, "{table} by `{role}` of `{tenant}`");
        }
    }
    let mut unset = PgConnection::connect(&store.postgres.gateway_url())
        .await
        .unwrap();
    run(&mut unset, "SET ROLE portcullis_gateway")
        .await
        .unwrap();
    for table in TABLES {
        assert_eq!(rows(&mut unset, table).await, 0, "{table}");
    }
}

#[tokio::test]
async fn who_reads_all_tenants_reads_all() {
    let (store, ..) = two_tenants().await;
    let mut owner = store.as_owner().await;
    for role in ["reviewer", "superadmin", "gateway"] {
        let mut connection = claiming(&store, role, "").await;
        for table in TABLES {
            let all = rows(&mut owner, table).await;
            assert_eq!(rows(&mut connection, table).await, all, "{table} by {role}");
        }
    }
}

#[tokio::test]
async fn a_member_writes_nothing_into_another_tenant() {
    let (store, acme, globex) = two_tenants().await;
    let mut connection = member(&store, acme).await;
    let churn = "SELECT id FROM projects WHERE slug = 'churn'";
    let churn: uuid::Uuid = sqlx::query_scalar(churn)
        .fetch_one(&mut store.as_owner().await)
        .await
        .unwrap();
    for sql in [
        "INSERT INTO tenants (id, slug, name) VALUES (gen_random_uuid(), 'third', 'x')".to_owned(),
        format!(
            "INSERT INTO principals (id, kind, name, tenant_id) VALUES (gen_random_uuid(), 'service_account', 'mole', '{globex}')"
        ),
        String::from(
            "INSERT INTO principals (id, kind, name, email) VALUES (gen_random_uuid(), 'user', 'x', 'x@example.com')",
        ),
        format!(
            "INSERT INTO roles (id, tenant_id, name, scope, permissions) VALUES (gen_random_uuid(), '{globex}', 'mole', 'project', '{{runs:read}}')"
        ),
        String::from(
            "INSERT INTO roles (id, tenant_id, name, scope, permissions) VALUES (gen_random_uuid(), NULL, 'mole', 'platform', '{*:*}')",
        ),
        format!(
            "INSERT INTO projects (id, tenant_id, slug, name, owner_id) SELECT gen_random_uuid(), '{globex}', 'mole', 'x', id FROM principals WHERE kind = 'user'"
        ),
        format!(
            "INSERT INTO resources (id, tenant_id, project_id, upstream, type, external_id, created_by) VALUES (gen_random_uuid(), '{globex}', '{churn}', 'mlflow', 'run', 'mine', 'x')"
        ),
        String::from(
            "INSERT INTO bindings (id, principal_id, role_id, scope) SELECT gen_random_uuid(), p.id, r.id, 'platform' FROM principals p, roles r WHERE p.kind = 'user' AND r.name = 'superadmin'",
        ),
        format!(
            "INSERT INTO bindings (id, principal_id, role_id, scope, tenant_id) SELECT gen_random_uuid(), p.id, r.id, 'tenant', '{globex}' FROM principals p, roles r WHERE p.kind = 'user' AND r.name = 'client_admin'"
        ),
        String::from(
            "INSERT INTO api_keys (id, principal_id, secret_hash, created_by) SELECT 'abcdefghijkl', id, sha256(''), 'x' FROM principals WHERE kind = 'user'",
        ),
        format!(
            "INSERT INTO audit_events (id, occurred_at, event, result, actor_type, tenant_id) VALUES (gen_random_uuid(), '2026-01-31T12:00:00Z', 'x', 'success', 'user', '{globex}')"
        ),
        String::from(
            "INSERT INTO audit_events (id, occurred_at, event, result, actor_type) VALUES (gen_random_uuid(), '2026-01-31T12:00:00Z', 'x', 'success', 'user')",
        ),
    ] {
        let refused = sqlx::raw_sql(sqlx::AssertSqlSafe(sql.clone()))
            .execute(&mut connection)
            .await;
        let refused = refused.expect_err(&sql).to_string();
        assert!(refused.contains("row-level security"), "{sql}: {refused}");
    }
    // Nor does it keep anything: what is not seen is not there to change.
    for sql in [
        "UPDATE projects SET name = 'mine'",
        "UPDATE resources SET labels = '{}'",
        "UPDATE api_keys SET revoked_at = now()",
        "DELETE FROM bindings",
        "DELETE FROM resources",
    ] {
        run(&mut connection, sql).await.unwrap();
    }
    let mut owner = store.as_owner().await;
    for (table, left) in [("resources", 1), ("bindings", 1)] {
        let sql = format!("SELECT count(*) FROM {table} WHERE tenant_id = '{globex}'");
        assert_eq!(count(&mut owner, &sql).await, left, "{table}");
    }
    let touched = format!("SELECT (SELECT count(*) FROM projects WHERE name = 'mine' AND tenant_id = '{globex}')
        + (SELECT count(*) FROM api_keys WHERE revoked_at IS NOT NULL AND tenant_id IS DISTINCT FROM '{acme}')");
    assert_eq!(count(&mut owner, &touched).await, 0);
}

#[tokio::test]
async fn rows_cannot_be_moved_to_another_tenant_not_even_with_the_right_to() {
    let (store, acme, globex) = two_tenants().await;
    let mut owner = store.as_owner().await;
    run(
        &mut owner,
        "GRANT UPDATE ON resources, bindings, roles, projects TO portcullis_gateway",
    )
    .await
    .unwrap();
    let mut connection = member(&store, acme).await;
    for table in ["roles", "resources", "bindings", "projects"] {
        let sql = format!("UPDATE {table} SET tenant_id = '{globex}'");
        let refused = sqlx::raw_sql(sqlx::AssertSqlSafe(sql.clone()))
            .execute(&mut connection)
            .await;
        let refused = refused.expect_err(&sql).to_string();
        assert!(
            ["row-level security", "constraint", "own tenant only"]
                .iter()
                .any(|word| refused.contains(word)),
            "{sql}: {refused}"
        );
    }
}

/// The same words whether another tenant's row is there or none.
#[tokio::test]
async fn foreign_keys_do_not_tell_what_another_tenant_has() {
    let (store, acme, globex) = two_tenants().await;
    let mut owner = store.as_owner().await;
    let id =
        |what: &'static str| format!("SELECT id FROM {what} WHERE tenant_id = '{globex}' LIMIT 1");
    let mut found = Vec::new();
    for what in ["roles", "principals", "projects"] {
        let id: uuid::Uuid = sqlx::query_scalar(sqlx::AssertSqlSafe(id(what)))
            .fetch_one(&mut owner)
            .await
            .unwrap();
        found.push(id);
    }
    let mut connection = member(&store, acme).await;
    let own = |role: &str, principal: &str, project: &str| {
        format!(
            "INSERT INTO bindings (id, principal_id, role_id, scope, tenant_id, project_id)
         SELECT gen_random_uuid(), {principal}, {role}, 'project', '{acme}', {project}"
        )
    };
    let (role, worker, project) = (
        "(SELECT id FROM roles WHERE tenant_id IS NOT NULL)",
        "(SELECT id FROM principals WHERE name = 'worker')",
        "(SELECT id FROM projects)",
    );
    let nothing = uuid::Uuid::nil();
    for (at, there) in found.into_iter().enumerate() {
        let mut answers = Vec::new();
        for id in [there, nothing] {
            let id = format!("'{id}'");
            let sql = match at {
                0 => own(&id, worker, project),
                1 => own(role, &id, project),
                _ => own(role, worker, &id),
            };
            let refused = sqlx::raw_sql(sqlx::AssertSqlSafe(sql))
                .execute(&mut connection)
                .await;
            let Err(sqlx::Error::Database(cause)) = refused else {
                panic!("{refused:?}");
            };
            let detail = cause.downcast_ref::<sqlx::postgres::PgDatabaseError>();
            answers.push((
                cause.message().to_owned(),
                detail.detail().map(|text| text.replace(&id[1..37], "ID")),
            ));
        }
        assert_eq!(answers[0], answers[1]);
    }
}

#[tokio::test]
async fn a_reviewer_writes_nothing() {
    let (store, acme, _) = two_tenants().await;
    for tenant in [String::new(), acme.to_string()] {
        let mut connection = claiming(&store, "reviewer", &tenant).await;
        for sql in [
            "UPDATE projects SET name = 'mine'",
            "UPDATE principals SET disabled_at = now()",
            "UPDATE roles SET permissions = '{*:*}'",
            "UPDATE resources SET labels = '{}'",
            "UPDATE api_keys SET revoked_at = now()",
            "UPDATE api_key_usage SET last_used_at = now()",
            "DELETE FROM resources",
            "DELETE FROM bindings",
            "DELETE FROM roles",
            "DELETE FROM projects",
            "SELECT FROM projects FOR UPDATE",
        ] {
            assert_eq!(run(&mut connection, sql).await.unwrap(), 0, "{sql}");
        }
        for sql in [
            "INSERT INTO tenants (id, slug, name) VALUES (gen_random_uuid(), 'third', 'x')",
            "INSERT INTO bindings (id, principal_id, role_id, scope) SELECT gen_random_uuid(), p.id, r.id, 'platform' FROM principals p, roles r WHERE p.kind = 'user' AND r.name = 'superadmin'",
            "INSERT INTO audit_events (id, occurred_at, event, result, actor_type) VALUES (gen_random_uuid(), '2026-01-31T12:00:00Z', 'x', 'success', 'user')",
        ] {
            let answer = refusal(&mut connection, sql).await;
            assert!(answer.contains("row-level security"), "{sql}: {answer}");
        }
    }
    let reviewer = store.db.claiming(Claims::Reviewer);
    let mut author = store.author;
    let third = reviewer
        .create_tenant(&mut author, &"third".parse().unwrap(), "x")
        .await;
    assert!(matches!(third, Err(StoreError::Forbidden(_))), "{third:?}");
    assert_eq!(reviewer.tenants().await.unwrap().len(), 2);
}

#[tokio::test]
async fn the_session_cannot_become_somebody_else() {
    let (store, acme, _) = two_tenants().await;
    let mut connection = member(&store, acme).await;
    for attack in [
        "SET ROLE portcullis_owner",
        "SET ROLE postgres",
        "SET SESSION AUTHORIZATION postgres",
        "SET session_replication_role = replica",
        "ALTER TABLE tenants DISABLE ROW LEVEL SECURITY",
        "ALTER TABLE tenants NO FORCE ROW LEVEL SECURITY",
        "CREATE POLICY mine ON tenants USING (true)",
        "DROP POLICY tenant_select ON tenants",
        "ALTER POLICY tenant_select ON tenants USING (true)",
        "CREATE OR REPLACE FUNCTION claims_to_read_all() RETURNS boolean LANGUAGE sql AS 'SELECT true'",
        "SELECT claim_role('gateway')",
        "SELECT isolate_tenants('tenants', 'id')",
        "SELECT principal_may_act_in(id, id) FROM tenants",
        "ALTER ROLE portcullis_gateway BYPASSRLS",
        "ALTER ROLE portcullis BYPASSRLS",
        "GRANT portcullis_owner TO portcullis",
        "ALTER TABLE tenants OWNER TO portcullis_gateway",
        "CREATE VIEW public.mine AS SELECT * FROM tenants",
        "SELECT * FROM audit_events_2026_01",
        "INSERT INTO audit_events_2026_01 SELECT * FROM audit_events",
        "COPY audit_events FROM STDIN",
        "COPY tenants TO PROGRAM 'cat'",
        "TRUNCATE tenants",
        "SELECT * FROM pg_statistic",
    ] {
        let answer = refusal(&mut connection, attack).await;
        let words = [
            "permission denied",
            "must be",
            "row-level security",
            "must have",
            "invalid value",
        ];
        assert!(
            words.iter().any(|word| answer.contains(word)),
            "{attack}: {answer}"
        );
    }
    // Off does not mean without: it makes an error of what would be hidden.
    run(&mut connection, "SET row_security = off")
        .await
        .unwrap();
    let answer = refusal(&mut connection, "SELECT * FROM tenants").await;
    assert!(answer.contains("row-level security"), "{answer}");
    run(&mut connection, "SET row_security = on").await.unwrap();
    // Back to the login, which has the group's rights and no others.
    run(&mut connection, "RESET ROLE").await.unwrap();
    assert_eq!(rows(&mut connection, "tenants").await, 1);
}

/// A function that tells of every row it is asked about is asked about visible rows only.
#[tokio::test]
async fn functions_in_a_condition_hear_of_visible_rows_only() {
    let (store, acme, _) = two_tenants().await;
    let mut connection = member(&store, acme).await;
    let leak = "CREATE TEMPORARY TABLE heard (what text);
        CREATE FUNCTION pg_temp.leak(what text) RETURNS boolean LANGUAGE plpgsql COST 0.0000001
            AS $$ BEGIN INSERT INTO heard VALUES (what); RETURN true; END $$";
    run(&mut connection, leak).await.unwrap();
    for (table, column) in [
        ("tenants", "slug"),
        ("projects", "slug"),
        ("principals", "tenant_id::text"),
        ("resources", "external_id"),
        ("audit_events", "tenant_id::text"),
        ("api_keys", "tenant_id::text"),
    ] {
        let sql = format!("SELECT count(*) FROM {table} WHERE pg_temp.leak({column})");
        count(&mut connection, &sql).await;
        // By an error, which names the value; and by the plan's own look at the rows.
        let sql = format!(
            "EXPLAIN ANALYZE SELECT * FROM {table} WHERE pg_temp.leak({column}) ORDER BY random()"
        );
        sqlx::raw_sql(sqlx::AssertSqlSafe(sql))
            .execute(&mut connection)
            .await
            .unwrap();
    }
    let globex = store
        .db
        .tenant(&"globex".parse().unwrap())
        .await
        .unwrap()
        .id;
    let foreign =
        format!("SELECT count(*) FROM heard WHERE what IN ('globex', 'churn', '{globex}')");
    assert_eq!(count(&mut connection, &foreign).await, 0);
    assert!(rows(&mut connection, "heard").await > 0);
    let error = "SELECT count(*) FROM tenants WHERE (CASE WHEN slug = 'globex' THEN slug ELSE '1' END)::integer = 1";
    assert_eq!(count(&mut connection, error).await, 1);
}

#[tokio::test]
async fn statistics_hide_what_rows_hold() {
    let (store, acme, _) = two_tenants().await;
    run(&mut store.as_owner().await, "ANALYZE").await.unwrap();
    let mut connection = member(&store, acme).await;
    let seen = "SELECT count(*) FROM pg_stats WHERE schemaname = 'public'
        AND (tablename = ANY ('{tenants,projects,principals,roles,bindings,resources,api_keys,api_key_usage}')
            OR tablename LIKE 'audit_events%')";
    assert_eq!(count(&mut connection, seen).await, 0);
}

#[tokio::test]
async fn events_are_read_by_their_tenant_and_changed_by_nobody() {
    let (store, acme, globex) = two_tenants().await;
    let db = store.db.claiming(Claims::Member(acme));
    let events = db.audit(&AuditFilter::default(), 100).await.unwrap();
    assert!(!events.is_empty());
    assert!(events.iter().all(|event| event.tenant_id == Some(acme.0)));
    let other = AuditFilter {
        tenant: Some("globex".to_owned()),
        ..AuditFilter::default()
    };
    assert!(db.audit(&other, 100).await.unwrap().is_empty());
    let mut connection = member(&store, globex).await;
    for change in [
        "UPDATE audit_events SET event = 'nothing'",
        "DELETE FROM audit_events",
        "TRUNCATE audit_events",
        "SELECT count(*) FROM audit_events_2026_01",
    ] {
        let answer = refusal(&mut connection, change).await;
        assert!(answer.contains("permission denied"), "{change}: {answer}");
    }
    // Even the owner, asking a partition rather than the whole, sees nothing.
    let mut owner = store.as_owner().await;
    assert_eq!(rows(&mut owner, "audit_events_2026_01").await, 0);
    assert!(rows(&mut owner, "audit_events").await > 0);
}

#[tokio::test]
async fn a_connection_that_is_used_again_knows_nothing_of_before() {
    let (store, acme, _) = two_tenants().await;
    let one = Db::open(&store.postgres.gateway_url().parse().unwrap(), 1);
    let member = one.claiming(Claims::Member(acme));
    let nobody = one.claiming(Claims::Member(TenantId(uuid::Uuid::nil())));
    let mut author = store.author;
    assert_eq!(member.tenants().await.unwrap().len(), 1);
    assert_eq!(nobody.tenants().await.unwrap().len(), 0);
    // After an error inside a transaction.
    let slug = "third".parse().unwrap();
    let refused = member.create_tenant(&mut author, &slug, "x").await;
    assert!(
        matches!(refused, Err(StoreError::Forbidden(_))),
        "{refused:?}"
    );
    assert_eq!(nobody.tenants().await.unwrap().len(), 0);
    // After calls that were given up at every point that they wait at.
    for polls in 1..40 {
        let mut call = Box::pin(member.tenants());
        let mut left = polls;
        let given_up = std::future::poll_fn(|context| {
            left -= 1;
            match call.as_mut().poll(context) {
                std::task::Poll::Pending if left > 0 => std::task::Poll::Pending,
                _ => std::task::Poll::Ready(()),
            }
        });
        given_up.await;
        drop(call);
        assert_eq!(nobody.tenants().await.unwrap().len(), 0, "after {polls}");
        assert_eq!(one.tenants().await.unwrap().len(), 2, "after {polls}");
    }
}

#[tokio::test]
async fn a_member_administers_its_tenant_and_no_other() {
    let (mut store, acme, _) = two_tenants().await;
    let db = store.db.claiming(Claims::Member(acme));
    let author = &mut store.author;
    let (ann, bob) = (
        "ann@example.com".parse().unwrap(),
        "bob@example.com".parse().unwrap(),
    );
    let project = "acme/second".parse().unwrap();
    // Bob is no member yet: he is not seen, and can be made one by his address.
    let unseen = db.principal(&bob).await;
    assert!(
        matches!(unseen, Err(StoreError::NotFound { .. })),
        "{unseen:?}"
    );
    db.create_project(author, &project, "x", &ann)
        .await
        .unwrap();
    db.add_member(author, &"acme/second".parse().unwrap(), &bob, "viewer")
        .await
        .unwrap();
    assert!(db.principal(&bob).await.is_ok());
    let key = ResourceKey {
        upstream: "mlflow".into(),
        kind: "run".into(),
        id: "new".into(),
    };
    let new = [NewResource {
        key: key.clone(),
        labels: [].into(),
    }];
    db.adopt_resources(author, &project, &new).await.unwrap();
    db.forget_resource(author, &key).await.unwrap();
    // Another tenant's is as if it were not there.
    let churn = "globex/churn".parse().unwrap();
    for refused in [
        db.add_member(author, &"globex/churn".parse().unwrap(), &ann, "viewer")
            .await,
        db.transfer_project(author, &churn, &ann).await.map(drop),
        db.adopt_resources(author, &churn, &new).await.map(drop),
        db.add_member(
            author,
            &"acme/second".parse().unwrap(),
            &"globex/worker".parse().unwrap(),
            "viewer",
        )
        .await,
    ] {
        assert!(
            matches!(refused, Err(StoreError::NotFound { .. })),
            "{refused:?}"
        );
    }
    let taken = NewResource {
        key: ResourceKey {
            id: "churn".into(),
            ..key
        },
        labels: [].into(),
    };
    let refused = db.adopt_resources(author, &project, &[taken]).await;
    assert!(
        matches!(refused, Err(StoreError::Conflict(_))),
        "{refused:?}"
    );
    let all = db.resources(&ResourceFilter::default(), 100).await.unwrap();
    assert!(all.iter().all(|each| each.tenant == acme));
}

#[tokio::test]
async fn what_directories_and_providers_say_is_read_and_written_by_no_tenant() {
    let (store, acme, _) = two_tenants().await;
    let mut owner = store.as_owner().await;
    let given = "
        INSERT INTO providers (id, name, tenant_id, settings, sealed, created_at, updated_at)
            SELECT gen_random_uuid(), slug, id, '{}', '', now(), now() FROM tenants;
        INSERT INTO scim_resources (id, tenant_id, kind, name, document, created_at, updated_at)
            SELECT gen_random_uuid(), id, 'User', slug, '{}', now(), now() FROM tenants";
    run(&mut owner, given).await.unwrap();
    let acme = acme.to_string();
    for (table, touch, delete) in [
        (
            "providers",
            "UPDATE providers SET updated_at = now()",
            "DELETE FROM providers",
        ),
        (
            "scim_resources",
            "UPDATE scim_resources SET updated_at = now()",
            "DELETE FROM scim_resources",
        ),
    ] {
        for (role, tenant) in [("member", &*acme), ("reviewer", ""), ("", &acme)] {
            let mut connection = claiming(&store, role, tenant).await;
            assert_eq!(rows(&mut connection, table).await, 0, "{table} by {role}");
            for change in [touch, delete] {
                assert_eq!(run(&mut connection, change).await.unwrap(), 0, "{change}");
            }
        }
        let mut gateway = claiming(&store, "gateway", "").await;
        assert_eq!(rows(&mut gateway, table).await, 2, "{table}");
        let touched = format!("SELECT count(*) FROM {table} WHERE updated_at <> created_at");
        assert_eq!(count(&mut gateway, &touched).await, 0, "{table}");
    }
    let mut connection = claiming(&store, "member", &acme).await;
    for made in [
        "INSERT INTO providers (id, name, tenant_id, settings, sealed, created_at, updated_at)
            SELECT gen_random_uuid(), 'mine', id, '{}', '', now(), now() FROM tenants",
        "INSERT INTO scim_resources (id, tenant_id, kind, name, document, created_at, updated_at)
            SELECT gen_random_uuid(), id, 'User', 'me', '{}', now(), now() FROM tenants",
    ] {
        let refused = refusal(&mut connection, made).await;
        assert!(refused.contains("row-level security"), "{refused}");
    }
}

/// Whoever adds a table of tenants adds its policies.
#[tokio::test]
async fn every_table_of_tenants_is_guarded() {
    let store = TestStore::start().await;
    let mut superuser = PgConnection::connect(
        &store
            .postgres
            .superuser_url()
            .replace("/postgres?", "/portcullis?"),
    )
    .await
    .unwrap();
    let sql = "SELECT c.relname::text, c.relrowsecurity AND c.relforcerowsecurity
            AND (EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = c.oid) OR c.relispartition)
        FROM pg_class c
        WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p')
          AND c.relname <> ALL ('{policy_version,key_pepper,api_answers,_sqlx_migrations}')";
    let tables: Vec<(String, bool)> = sqlx::query_as(sql).fetch_all(&mut superuser).await.unwrap();
    for (table, guarded) in &tables {
        assert!(
            guarded,
            "{table} has no row-level security: isolate it, or list it as nobody's"
        );
    }
    for table in TABLES {
        assert!(tables.iter().any(|(name, _)| name == table), "{table}");
    }
    // Two partitions at least were looked at, one made before and one after the policies.
    assert!(
        tables
            .iter()
            .any(|(name, _)| name.starts_with("audit_events_"))
    );
}

async fn connect_as(postgres: &TestPostgres, login: &str) -> Result<Db, StoreError> {
    let url = postgres
        .gateway_url()
        .replace("user=portcullis", &format!("user={login}"));
    Db::connect(&url.parse().unwrap(), 1).await
}

#[tokio::test]
async fn a_login_that_could_get_around_it_is_refused() {
    let store = TestStore::start().await;
    let mut superuser = PgConnection::connect(&store.postgres.superuser_url())
        .await
        .unwrap();
    let logins = "CREATE ROLE bypasser LOGIN BYPASSRLS IN ROLE portcullis_gateway;
        CREATE ROLE maker LOGIN CREATEROLE IN ROLE portcullis_gateway;
        CREATE ROLE heir LOGIN NOINHERIT IN ROLE portcullis_gateway, portcullis_owner;
        CREATE ROLE strong BYPASSRLS;
        CREATE ROLE friend LOGIN IN ROLE portcullis_gateway, strong;
        CREATE ROLE plain LOGIN IN ROLE portcullis_gateway";
    run(&mut superuser, logins).await.unwrap();
    for (login, why) in [
        ("postgres", "is a superuser"),
        ("portcullis_owner", "CREATEROLE"),
        ("bypasser", "has BYPASSRLS"),
        ("maker", "has CREATEROLE"),
        ("heir", "owns the tables"),
        ("friend", "is a member of a role"),
    ] {
        let refused = connect_as(&store.postgres, login).await.unwrap_err();
        assert!(
            matches!(refused, StoreError::UnfitLogin(_)),
            "{login}: {refused:?}"
        );
        assert!(refused.to_string().contains(why), "{login}: {refused}");
        assert!(
            refused
                .to_string()
                .contains("CREATE ROLE portcullis LOGIN IN ROLE portcullis_gateway")
        );
    }
    run(&mut superuser, "ALTER ROLE portcullis_owner NOCREATEROLE")
        .await
        .unwrap();
    let refused = connect_as(&store.postgres, "portcullis_owner")
        .await
        .unwrap_err();
    assert!(refused.to_string().contains("owns the tables"), "{refused}");
    connect_as(&store.postgres, "plain")
        .await
        .unwrap()
        .roles(None)
        .await
        .unwrap();
}
