//! The rules of tenants, projects, members and roles, attacked by name and in SQL.

use chrono::TimeDelta;
use portcullis::domain::RoleScope;
use portcullis::store::{AuditFilter, NewRole, StoreError};

use crate::support::store::{TestStore, catalogue, noon, refusal, run};

#[tokio::test]
async fn names_are_taken_once() {
    let mut store = TestStore::with_names().await;
    let (db, author) = (&store.db, &mut store.author);
    let (acme, path) = ("acme".parse().unwrap(), "acme/fraud".parse().unwrap());
    let ann = "ann@example.com".parse().unwrap();
    let robot = "robot".parse().unwrap();
    let errors = [
        db.create_tenant(author, &acme, "x").await.unwrap_err(),
        db.create_project(author, &path, "x", &ann)
            .await
            .unwrap_err(),
        db.create_user(author, &"ANN@example.com".parse().unwrap(), "x")
            .await
            .unwrap_err(),
        db.create_service_account(author, &acme, &robot)
            .await
            .unwrap_err(),
    ];
    for error in &errors {
        assert!(matches!(error, StoreError::Conflict(_)), "{error:?}");
    }
    let texts = errors.map(|error| error.to_string()).join("\n");
    insta::assert_snapshot!(texts, @r"
    a tenant of this name exists already
    a project of this name in the tenant exists already
    a user with this e-mail address exists already
    a service account of this name in the tenant exists already
    ");
}

#[tokio::test]
async fn a_project_has_exactly_one_owner_and_the_old_one_stays_as_editor() {
    let mut store = TestStore::with_names().await;
    let path = "acme/fraud".parse().unwrap();
    let bob = "bob@example.com".parse().unwrap();
    let (db, author) = (&store.db, &mut store.author);
    db.transfer_project(author, &path, &bob).await.unwrap();
    let scope = "acme/fraud".parse().unwrap();
    let members = db.members(Some(&scope)).await.unwrap();
    let roles: Vec<_> = members
        .iter()
        .map(|m| (m.principal.as_str(), m.role.as_str()))
        .collect();
    assert_eq!(
        roles,
        [("ann@example.com", "editor"), ("bob@example.com", "owner")]
    );
    let again = db.transfer_project(author, &path, &bob).await;
    assert!(matches!(again, Err(StoreError::Conflict(_))), "{again:?}");
    let second = db
        .add_member(author, &scope, &"ann@example.com".parse().unwrap(), "owner")
        .await;
    assert!(matches!(second, Err(StoreError::Refused(_))), "{second:?}");
}

#[tokio::test]
async fn a_service_account_never_leaves_its_tenant() {
    let mut store = TestStore::with_names().await;
    let robot = "acme/robot".parse().unwrap();
    let (db, author) = (&store.db, &mut store.author);
    for (scope, role) in [
        ("globex/churn", "viewer"),
        ("globex", "client_admin"),
        ("platform", "superadmin"),
    ] {
        let bound = db
            .add_member(author, &scope.parse().unwrap(), &robot, role)
            .await;
        assert!(
            matches!(bound, Err(StoreError::Refused(_))),
            "{scope}: {bound:?}"
        );
    }
    let churn = "globex/churn".parse().unwrap();
    let owned = db.transfer_project(author, &churn, &robot).await;
    assert!(matches!(owned, Err(StoreError::Refused(_))), "{owned:?}");
    let scope = "acme/fraud".parse().unwrap();
    db.add_member(author, &scope, &robot, "viewer")
        .await
        .unwrap();
}

#[tokio::test]
async fn sql_cannot_bind_across_tenants_or_scopes() {
    let store = TestStore::with_names().await;
    let mut owner = store.as_owner().await;
    let rows = "CREATE TEMP VIEW v AS SELECT
        (SELECT id FROM tenants WHERE slug = 'acme') acme,
        (SELECT id FROM tenants WHERE slug = 'globex') globex,
        (SELECT id FROM projects WHERE slug = 'churn') churn,
        (SELECT id FROM principals WHERE email LIKE 'ann%') ann,
        (SELECT id FROM roles WHERE name = 'viewer') viewer,
        (SELECT id FROM roles WHERE name = 'superadmin') superadmin,
        (SELECT id FROM roles WHERE name = 'owner') owner";
    run(&mut owner, rows).await.unwrap();
    for (attack, rule) in [
        (
            "viewer, 'project', acme, churn",
            "bindings_project_of_tenant",
        ),
        (
            "viewer, 'tenant', acme, NULL::uuid",
            "bindings_role_of_same_scope",
        ),
        ("viewer, 'project', acme, NULL::uuid", "bindings_scope_fits"),
        (
            "viewer, 'project', NULL::uuid, churn",
            "bindings_scope_fits",
        ),
        (
            "superadmin, 'platform', acme, NULL::uuid",
            "bindings_scope_fits",
        ),
        (
            "superadmin, 'anywhere', NULL::uuid, NULL::uuid",
            "bindings_scope_fits",
        ),
        ("owner, 'project', globex, churn", "bindings_not_owner"),
    ] {
        let sql = format!(
            "INSERT INTO bindings (id, principal_id, role_id, scope, tenant_id, project_id)
             SELECT gen_random_uuid(), ann, {attack} FROM v"
        );
        let refused = sqlx::query(sqlx::AssertSqlSafe(sql))
            .execute(&mut owner)
            .await;
        let refused = refused.unwrap_err();
        let constraint = refused.as_database_error().unwrap().constraint();
        assert_eq!(constraint, Some(rule), "{attack}");
    }
}

#[tokio::test]
async fn sql_cannot_store_what_no_type_could_hold() {
    let store = TestStore::with_names().await;
    let mut owner = store.as_owner().await;
    for attack in [
        "UPDATE tenants SET slug = 'a--b' WHERE slug = 'acme'",
        "UPDATE tenants SET slug = 'platform' WHERE slug = 'acme'",
        "UPDATE projects SET slug = '-a'",
        "UPDATE projects SET owner_id = NULL",
        "UPDATE principals SET tenant_id = (SELECT id FROM tenants LIMIT 1) WHERE kind = 'user'",
        "UPDATE principals SET tenant_id = NULL WHERE kind = 'service_account'",
        "UPDATE principals SET email = 'x' WHERE kind = 'user'",
        "UPDATE roles SET permissions = '{}'",
        "DELETE FROM tenants WHERE slug = 'acme'",
        "DELETE FROM principals",
        "INSERT INTO policy_version (only_row, version) VALUES (false, 1)",
        "INSERT INTO key_pepper (pepper) VALUES (sha256(''))",
    ] {
        refusal(&mut owner, attack).await;
    }
}

#[tokio::test]
async fn the_gateway_has_the_rights_it_needs_and_no_more() {
    let store = TestStore::with_names().await;
    let mut gateway = store.as_gateway().await;
    for attack in [
        "DELETE FROM tenants",
        "DELETE FROM principals",
        "DELETE FROM api_keys",
        "UPDATE tenants SET slug = 'x'",
        "UPDATE projects SET tenant_id = tenant_id",
        "UPDATE principals SET kind = 'user'",
        "UPDATE roles SET scope = 'tenant'",
        "UPDATE bindings SET tenant_id = tenant_id",
        "UPDATE bindings SET role_id = role_id",
        "UPDATE api_keys SET secret_hash = sha256('')",
        "UPDATE key_pepper SET pepper = sha256('')",
        "CREATE TABLE public.x (y int)",
    ] {
        let answer = refusal(&mut gateway, attack).await;
        assert!(answer.contains("permission denied"), "{attack}: {answer}");
    }
    run(
        &mut gateway,
        "CREATE TEMPORARY TABLE staging (LIKE audit_events)",
    )
    .await
    .unwrap();
}

#[tokio::test]
async fn the_last_superadmin_stays() {
    let mut store = TestStore::with_names().await;
    let (platform, root) = (
        "platform".parse().unwrap(),
        "root@example.com".parse().unwrap(),
    );
    let (db, author) = (&store.db, &mut store.author);
    let removed = db
        .remove_member(author, &platform, &root, "superadmin")
        .await;
    assert!(
        matches!(removed, Err(StoreError::Refused(_))),
        "{removed:?}"
    );
    let disabled = db.set_disabled(author, &root, true).await;
    assert!(
        matches!(disabled, Err(StoreError::Refused(_))),
        "{disabled:?}"
    );
    let ann = "ann@example.com".parse().unwrap();
    db.add_member(author, &platform, &ann, "superadmin")
        .await
        .unwrap();
    db.set_disabled(author, &root, true).await.unwrap();
    let removed = db
        .remove_member(author, &platform, &ann, "superadmin")
        .await;
    assert!(
        matches!(removed, Err(StoreError::Refused(_))),
        "a disabled one does not count"
    );
}

#[tokio::test]
async fn two_superadmins_cannot_remove_each_other_at_once() {
    let mut store = TestStore::with_names().await;
    store
        .bind("platform", "ann@example.com", "superadmin")
        .await;
    let platform = "platform".parse().unwrap();
    let (root, ann) = (
        "root@example.com".parse().unwrap(),
        "ann@example.com".parse().unwrap(),
    );
    let mut other = crate::support::store::operator(&store.clock);
    let (db, author) = (&store.db, &mut store.author);
    let (one, two) = tokio::join!(
        db.remove_member(author, &platform, &root, "superadmin"),
        db.remove_member(&mut other, &platform, &ann, "superadmin"),
    );
    assert_ne!(one.is_ok(), two.is_ok(), "{one:?} {two:?}");
}

#[tokio::test]
async fn custom_roles_belong_to_a_tenant() {
    let mut store = TestStore::with_names().await;
    let role = |name: &str, permission: &str| NewRole {
        tenant: "acme".parse().unwrap(),
        name: name.to_owned(),
        scope: RoleScope::Project,
        permissions: vec![permission.to_owned()],
    };
    let (db, author) = (&store.db, &mut store.author);
    let catalogue = catalogue();
    db.create_role(author, &role("labeller", "runs:*"), &catalogue)
        .await
        .unwrap();
    let built_in = db
        .create_role(author, &role("viewer", "runs:*"), &catalogue)
        .await;
    assert!(
        matches!(built_in, Err(StoreError::Conflict(_))),
        "{built_in:?}"
    );
    let unknown = db
        .create_role(author, &role("x", "flights:book"), &catalogue)
        .await;
    assert!(
        matches!(unknown, Err(StoreError::Refused(_))),
        "{unknown:?}"
    );
    let misnamed = db
        .create_role(author, &role("Not Good", "runs:*"), &catalogue)
        .await;
    assert!(
        matches!(misnamed, Err(StoreError::Refused(_))),
        "{misnamed:?}"
    );

    let (fraud, churn) = (
        "acme/fraud".parse().unwrap(),
        "globex/churn".parse().unwrap(),
    );
    let bob = "bob@example.com".parse().unwrap();
    let foreign = db.add_member(author, &churn, &bob, "labeller").await;
    assert!(
        matches!(foreign, Err(StoreError::NotFound { .. })),
        "{foreign:?}"
    );
    db.add_member(author, &fraud, &bob, "labeller")
        .await
        .unwrap();
    let acme = "acme".parse().unwrap();
    let bound = db.delete_role(author, &acme, "labeller").await.unwrap_err();
    insta::assert_snapshot!(bound, @"the role is still bound somewhere");
    db.remove_member(author, &fraud, &bob, "labeller")
        .await
        .unwrap();
    db.delete_role(author, &acme, "labeller").await.unwrap();
    let built_in = db.delete_role(author, &acme, "viewer").await;
    assert!(
        matches!(built_in, Err(StoreError::Refused(_))),
        "{built_in:?}"
    );
}

#[tokio::test]
async fn a_role_is_bound_at_its_own_kind_of_scope() {
    let mut store = TestStore::with_names().await;
    let (scope, bob) = ("acme".parse().unwrap(), "bob@example.com".parse().unwrap());
    let (db, author) = (&store.db, &mut store.author);
    let refused = db
        .add_member(author, &scope, &bob, "viewer")
        .await
        .unwrap_err();
    insta::assert_snapshot!(refused, @"`viewer` is a role on a project, `acme` is a tenant");
}

#[tokio::test]
async fn a_refused_change_leaves_neither_row_nor_event() {
    let mut store = TestStore::with_names().await;
    let before = store
        .db
        .audit(&AuditFilter::default(), 100)
        .await
        .unwrap()
        .len();
    let (db, author) = (&store.db, &mut store.author);
    let root = "root@example.com".parse().unwrap();
    db.set_disabled(author, &root, true).await.unwrap_err();
    assert!(!db.principal(&root).await.unwrap().disabled);
    let after = db.audit(&AuditFilter::default(), 100).await.unwrap().len();
    assert_eq!(after, before);
}

#[tokio::test]
async fn the_audit_is_found_by_what_one_knows() {
    let mut store = TestStore::with_names().await;
    store.clock.advance(std::time::Duration::from_mins(1));
    store.bind("acme/fraud", "bob@example.com", "viewer").await;
    let db = &store.db;
    let count = async |filter: AuditFilter| db.audit(&filter, 100).await.unwrap().len();
    let word = |text: &str| Some(text.to_owned());
    let later = Some(noon() + TimeDelta::seconds(1));
    let none = AuditFilter::default;
    let all = db.audit(&none(), 100).await.unwrap();
    assert_eq!(
        count(AuditFilter {
            tenant: word("acme"),
            ..none()
        })
        .await,
        4
    );
    assert_eq!(
        count(AuditFilter {
            project: word("churn"),
            ..none()
        })
        .await,
        1
    );
    assert_eq!(
        count(AuditFilter {
            event: word("member.added"),
            ..none()
        })
        .await,
        2
    );
    assert_eq!(
        count(AuditFilter {
            event: word("member.*"),
            ..none()
        })
        .await,
        2
    );
    assert_eq!(
        count(AuditFilter {
            actor: word("tester"),
            ..none()
        })
        .await,
        all.len()
    );
    assert_eq!(
        count(AuditFilter {
            actor: word("nobody"),
            ..none()
        })
        .await,
        0
    );
    assert_eq!(
        count(AuditFilter {
            result: word("denied"),
            ..none()
        })
        .await,
        0
    );
    assert_eq!(
        count(AuditFilter {
            request_id: word("x"),
            ..none()
        })
        .await,
        0
    );
    assert_eq!(
        count(AuditFilter {
            since: later,
            ..none()
        })
        .await,
        1
    );
    assert_eq!(
        count(AuditFilter {
            until: later,
            ..none()
        })
        .await,
        all.len() - 1
    );
    let page = db.audit(&none(), 3).await.unwrap();
    let before = Some(page[2].cursor());
    assert_eq!(count(AuditFilter { before, ..none() }).await, all.len() - 3);
}
