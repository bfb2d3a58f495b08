//! Migrations and built-in roles.

use portcullis::clock::Clock;
use portcullis::domain::BuiltInRole;
use portcullis::domain::RoleScope;
use portcullis::store::{AuditFilter, Db, StoreError, migrate};

use crate::support::postgres::TestPostgres;
use crate::support::store::{TestStore, migrations, noon, operator, roles};

#[tokio::test]
async fn several_at_once_and_once_more_do_no_harm() {
    let postgres = TestPostgres::start().await;
    let url = postgres.owner_url().parse().unwrap();
    let clock = Clock::manual(noon());
    let (mut one, mut other) = (operator(&clock), operator(&clock));
    let roles = roles();
    let (first, second) = tokio::join!(
        migrate(&url, &mut one, &roles),
        migrate(&url, &mut other, &roles)
    );
    let (first, second) = (first.unwrap(), second.unwrap());
    assert_eq!(first.applied.len() + second.applied.len(), migrations());
    assert_eq!(first.roles_written.len() + second.roles_written.len(), 5);
    let third = migrate(&url, &mut one, &roles).await.unwrap();
    assert_eq!(third, portcullis::store::Migrated::default());
}

#[tokio::test]
async fn two_databases_of_one_cluster_migrate_at_once() {
    let postgres = TestPostgres::start().await;
    let superuser = postgres.owner_url().replace("portcullis_owner", "postgres");
    let mut connection = <sqlx::PgConnection as sqlx::Connection>::connect(&superuser)
        .await
        .unwrap();
    let prepare = "DROP OWNED BY portcullis_gateway CASCADE; DROP ROLE portcullis_gateway";
    crate::support::store::run(&mut connection, prepare)
        .await
        .unwrap();
    let create = "CREATE DATABASE second OWNER portcullis_owner";
    crate::support::store::run(&mut connection, create)
        .await
        .unwrap();
    let first = postgres.owner_url().parse().unwrap();
    let second = postgres.owner_url().replace("/portcullis?", "/second?");
    let second = second.parse().unwrap();
    let clock = Clock::manual(noon());
    let (mut one, mut other) = (operator(&clock), operator(&clock));
    let roles = roles();
    let (first, second) = tokio::join!(
        migrate(&first, &mut one, &roles),
        migrate(&second, &mut other, &roles)
    );
    assert_eq!(first.unwrap().applied.len(), migrations());
    assert_eq!(second.unwrap().applied.len(), migrations());
}

#[tokio::test]
async fn changed_built_in_roles_are_written_and_audited_once() {
    let mut store = TestStore::start().await;
    let url = store.postgres.owner_url().parse().unwrap();
    let mut changed = roles();
    changed.retain(|role| role.name != "viewer");
    changed[3].permissions = vec!["models:read".to_owned()];
    let migrated = migrate(&url, &mut store.author, &changed).await.unwrap();
    assert_eq!(migrated.roles_written, ["editor"]);
    assert_eq!(migrated.roles_removed, ["viewer"]);
    let names: Vec<_> = store.db.roles(None).await.unwrap();
    let editor = names.iter().find(|role| role.name == "editor").unwrap();
    assert_eq!(editor.permissions, ["models:read"]);
    let events = store.db.audit(&AuditFilter::default(), 10).await.unwrap();
    let seeded = events.iter().filter(|event| event.event == "roles.seeded");
    assert_eq!(seeded.count(), 2);
}

#[tokio::test]
async fn a_built_in_role_that_is_still_bound_does_not_vanish() {
    let mut store = TestStore::with_names().await;
    store.bind("acme/fraud", "bob@example.com", "viewer").await;
    let url = store.postgres.owner_url().parse().unwrap();
    let mut without = roles();
    without.retain(|role| role.name != "viewer");
    let refused = migrate(&url, &mut store.author, &without).await;
    assert!(
        matches!(refused, Err(StoreError::Refused(_))),
        "{refused:?}"
    );
    assert_eq!(store.db.roles(None).await.unwrap().len(), 5);
}

#[tokio::test]
async fn a_built_in_role_does_not_take_the_name_of_a_custom_one() {
    let mut store = TestStore::with_names().await;
    let new = portcullis::store::NewRole {
        tenant: "acme".parse().unwrap(),
        name: "labeller".to_owned(),
        scope: RoleScope::Project,
        permissions: vec!["runs:read".to_owned()],
    };
    let catalogue = crate::support::store::catalogue();
    let (db, author) = (&store.db, &mut store.author);
    db.create_role(author, &new, &catalogue).await.unwrap();
    let mut more = roles();
    more.push(BuiltInRole {
        name: "labeller".to_owned(),
        scope: RoleScope::Project,
        permissions: vec!["*:*".to_owned()],
    });
    let url = store.postgres.owner_url().parse().unwrap();
    let refused = migrate(&url, &mut store.author, &more).await.unwrap_err();
    insta::assert_snapshot!(refused, @"tenant `acme` has a custom role `labeller`, which is now the name of a built-in one");
}

#[tokio::test]
async fn without_migrations_the_error_says_so() {
    let postgres = TestPostgres::start().await;
    let url = postgres.gateway_url().parse().unwrap();
    let db = Db::connect(&url, 1).await.unwrap();
    let error = db.policy_version().await.unwrap_err();
    assert!(matches!(error, StoreError::Unavailable(_)));
    insta::assert_snapshot!(error, @r#"the database cannot be asked: relation "policy_version" does not exist; run `portcullis migrate`"#);
}
