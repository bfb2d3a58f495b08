//! The policy's version, its notifications, its snapshot.

use std::time::Duration;

use portcullis::domain::{PrincipalKind, Scope, TouchedRows};
use portcullis::store::{Change, ChangeListener, Changed, CredentialUse, NewKey, StoreError};

use crate::support::store::{TestStore, catalogue, noon, refusal, run};

/// Long enough for any machine; the test fails instead of hanging.
const PATIENCE: Duration = Duration::from_secs(20);

async fn next(listener: &mut ChangeListener) -> Change {
    let next = tokio::time::timeout(PATIENCE, listener.next());
    next.await.expect("no notification came").unwrap()
}

/// Which table a change names rows of.
fn touched(what: Changed) -> &'static str {
    match what {
        Changed::Keys(ids) if ids.len() == 1 => "keys",
        Changed::Policy(TouchedRows::Tenants(ids)) if !ids.is_empty() => "tenants",
        Changed::Policy(TouchedRows::Projects(ids)) if !ids.is_empty() => "projects",
        Changed::Policy(TouchedRows::Principals(ids)) if ids.len() == 4 => "principals",
        Changed::Policy(TouchedRows::Roles(ids)) if !ids.is_empty() => "roles",
        Changed::Policy(TouchedRows::Bindings(ids)) if !ids.is_empty() => "bindings",
        Changed::Everything => "anything",
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_change_of_any_table_grows_the_version_and_notifies() {
    let store = TestStore::with_names().await;
    let mut listener = store.db.listen().await.unwrap();
    let mut owner = store.as_owner().await;
    for (change, table) in [
        ("UPDATE tenants SET name = 'x'", "tenants"),
        ("UPDATE projects SET name = 'x'", "projects"),
        ("UPDATE roles SET permissions = '{*:*}'", "roles"),
        ("UPDATE bindings SET id = id", "bindings"),
        ("DELETE FROM bindings", "bindings"),
        ("UPDATE principals SET disabled_at = now()", "principals"),
        (
            "INSERT INTO api_keys (id, principal_id, secret_hash, created_by)
             SELECT 'abcdefghijkl', id, sha256(''), 'test' FROM principals LIMIT 1",
            "keys",
        ),
        ("TRUNCATE bindings", "anything"),
    ] {
        let before = store.db.policy_version().await.unwrap();
        run(&mut owner, change).await.unwrap();
        let told = next(&mut listener).await;
        assert_eq!(told.version, Some(before + 1), "{change}");
        assert_eq!(store.db.policy_version().await.unwrap(), before + 1);
        assert_eq!(touched(told.what), table, "{change}");
    }
}

#[tokio::test]
async fn a_change_of_nothing_and_the_use_of_a_key_leave_the_version() {
    let mut store = TestStore::with_names().await;
    let key = ann_key(&mut store).await;
    let before = store.db.policy_version().await.unwrap();
    let mut owner = store.as_owner().await;
    run(&mut owner, "UPDATE tenants SET name = 'x' WHERE false")
        .await
        .unwrap();
    let used = CredentialUse {
        id: key,
        at: noon(),
        ip: None,
        route: None,
    };
    store.db.record_key_use(&[used]).await.unwrap();
    assert_eq!(store.db.policy_version().await.unwrap(), before);
}

async fn ann_key(store: &mut TestStore) -> portcullis::domain::KeyId {
    let new = NewKey {
        principal: "ann@example.com".parse().unwrap(),
        projects: Vec::new(),
        permissions: Vec::new(),
        description: String::new(),
        networks: Vec::new(),
        rate: None,
        expires_at: None,
    };
    let (db, author) = (&store.db, &mut store.author);
    let created = db.create_key(author, &new, &catalogue()).await.unwrap();
    created.key.id
}

#[tokio::test]
async fn a_change_of_very_many_still_fits_into_a_notification() {
    let store = TestStore::start().await;
    let mut listener = store.db.listen().await.unwrap();
    let many = "INSERT INTO principals (id, kind, email, name)
        SELECT gen_random_uuid(), 'user', i || '@example.com', 'x' FROM generate_series(1, 5000) i";
    run(&mut store.as_owner().await, many).await.unwrap();
    assert_eq!(next(&mut listener).await.what, Changed::Everything);
}

#[tokio::test]
async fn what_is_rolled_back_is_never_told() {
    let mut store = TestStore::with_names().await;
    let mut listener = store.db.listen().await.unwrap();
    let before = store.db.policy_version().await.unwrap();
    let undone = "BEGIN; UPDATE tenants SET name = 'x'; ROLLBACK";
    run(&mut store.as_owner().await, undone).await.unwrap();
    store.bind("acme/fraud", "bob@example.com", "viewer").await;
    assert_eq!(next(&mut listener).await.version, Some(before + 1));
}

#[tokio::test]
async fn the_gateway_cannot_write_the_version() {
    let store = TestStore::start().await;
    let mut gateway = store.as_gateway().await;
    for attack in [
        "UPDATE policy_version SET version = 0",
        "SELECT bump_policy_version('tenants', NULL)",
        "DELETE FROM policy_version",
    ] {
        let answer = refusal(&mut gateway, attack).await;
        assert!(answer.contains("permission denied"), "{attack}: {answer}");
    }
}

#[tokio::test]
async fn a_lost_connection_is_an_error_not_a_silence() {
    let mut store = TestStore::start().await;
    let mut listener = store.db.listen().await.unwrap();
    store.postgres.stop();
    let lost = tokio::time::timeout(PATIENCE, listener.next());
    let lost = lost.await.expect("it waits on");
    assert!(matches!(lost, Err(StoreError::Unavailable(_))), "{lost:?}");
}

#[tokio::test]
async fn the_snapshot_holds_all_that_a_decision_needs() {
    let mut store = TestStore::with_names().await;
    store.bind("acme", "bob@example.com", "client_admin").await;
    store
        .bind("globex/churn", "ann@example.com", "viewer")
        .await;
    let policy = store.db.load_policy().await.unwrap();
    assert_eq!(policy.version, store.db.policy_version().await.unwrap());
    assert_eq!(policy.tenants.len(), 2);
    assert_eq!(policy.projects.len(), 2);
    assert_eq!(policy.roles.len(), 5);
    let robots = policy.principals.iter();
    let robots = robots.filter(|each| each.kind == PrincipalKind::ServiceAccount);
    assert_eq!((policy.principals.len(), robots.count()), (4, 1));
    let tenant = |slug: &str| {
        policy
            .tenants
            .iter()
            .find(|each| each.slug.as_str() == slug)
    };
    let churn = policy
        .projects
        .iter()
        .find(|each| each.slug.as_str() == "churn");
    let mut scopes: Vec<_> = policy
        .bindings
        .iter()
        .map(|binding| binding.scope)
        .collect();
    scopes.sort_unstable();
    let acme = Scope::Tenant(tenant("acme").unwrap().id);
    assert_eq!(
        scopes,
        [Scope::Platform, acme, Scope::Project(churn.unwrap().id)]
    );
}
