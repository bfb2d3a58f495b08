//! API keys: what is stored, what is refused, what is recorded.

use std::net::IpAddr;

use chrono::TimeDelta;
use portcullis::domain::{KeyId, KeyToken};
use portcullis::store::{CredentialUse, NewKey, StoreError};
use secrecy::ExposeSecret;

use crate::support::store::{TestStore, catalogue, noon};

fn new_key(principal: &str) -> NewKey {
    NewKey {
        principal: principal.parse().unwrap(),
        projects: Vec::new(),
        permissions: Vec::new(),
        description: String::new(),
        networks: Vec::new(),
        rate: None,
        expires_at: None,
    }
}

async fn key(store: &mut TestStore, new: &NewKey) -> portcullis::store::CreatedKey {
    let (db, author) = (&store.db, &mut store.author);
    db.create_key(author, new, &catalogue()).await.unwrap()
}

#[tokio::test]
async fn a_key_is_stored_as_a_hash_that_only_its_secret_verifies() {
    let mut store = TestStore::with_names().await;
    let created = key(&mut store, &new_key("ann@example.com")).await;
    let stored = store
        .db
        .find_key(created.token.id())
        .await
        .unwrap()
        .unwrap();
    let pepper = store.db.pepper().await.unwrap();
    let shown: KeyToken = created.token.reveal().expose_secret().parse().unwrap();
    assert!(pepper.verify(shown.secret(), &stored.secret_hash));
    let other = key(&mut store, &new_key("ann@example.com")).await;
    assert!(!pepper.verify(other.token.secret(), &stored.secret_hash));
    let mut owner = store.as_owner().await;
    let secret = std::str::from_utf8(created.token.secret()).unwrap();
    let leaked: bool = sqlx::query_scalar(
        "SELECT EXISTS (SELECT FROM api_keys k WHERE k::text LIKE '%' || $1 || '%')
             OR EXISTS (SELECT FROM audit_events e WHERE e::text LIKE '%' || $1 || '%')",
    )
    .bind(secret)
    .fetch_one(&mut owner)
    .await
    .unwrap();
    assert!(!leaked);
}

#[tokio::test]
async fn a_key_can_be_limited() {
    let mut store = TestStore::with_names().await;
    let mut new = new_key("ann@example.com");
    new.projects = vec![
        "acme/fraud".parse().unwrap(),
        "globex/churn".parse().unwrap(),
    ];
    new.permissions = vec!["runs:*".to_owned()];
    new.expires_at = Some(noon() + TimeDelta::days(30));
    let created = key(&mut store, &new).await;
    assert_eq!(created.out_of_reach, ["globex/churn".parse().unwrap()]);
    let stored = store
        .db
        .find_key(created.token.id())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(stored.permissions.unwrap(), ["runs:*"]);
    assert_eq!(stored.projects.unwrap().len(), 2);
    assert_eq!(stored.expires_at, new.expires_at);

    new.permissions = vec!["flights:book".to_owned()];
    let (db, author) = (&store.db, &mut store.author);
    let unknown = db.create_key(author, &new, &catalogue()).await;
    assert!(
        matches!(unknown, Err(StoreError::Refused(_))),
        "{unknown:?}"
    );
    new.permissions.clear();
    new.expires_at = Some(noon());
    let expired = db.create_key(author, &new, &catalogue()).await;
    assert!(
        matches!(expired, Err(StoreError::Refused(_))),
        "{expired:?}"
    );
    new.expires_at = None;
    new.projects = vec!["acme/nothing".parse().unwrap()];
    let missing = db.create_key(author, &new, &catalogue()).await;
    assert!(
        matches!(missing, Err(StoreError::NotFound { .. })),
        "{missing:?}"
    );
}

#[tokio::test]
async fn a_key_is_revoked_for_good() {
    let mut store = TestStore::with_names().await;
    let id = key(&mut store, &new_key("acme/robot")).await.key.id;
    let (db, author) = (&store.db, &mut store.author);
    db.revoke_key(author, &id).await.unwrap();
    assert_eq!(
        db.find_key(&id).await.unwrap().unwrap().revoked_at,
        Some(noon())
    );
    let again = db.revoke_key(author, &id).await;
    assert!(matches!(again, Err(StoreError::Conflict(_))), "{again:?}");
    let unknown: KeyId = "000000000000".parse().unwrap();
    let missing = db.revoke_key(author, &unknown).await;
    assert!(
        matches!(missing, Err(StoreError::NotFound { .. })),
        "{missing:?}"
    );
}

#[tokio::test]
async fn the_last_use_of_a_key_only_moves_forward() {
    let mut store = TestStore::with_names().await;
    let id = key(&mut store, &new_key("ann@example.com")).await.key.id;
    let used = |seconds, ip: &str| CredentialUse {
        id: id.clone(),
        at: noon() + TimeDelta::seconds(seconds),
        ip: Some(ip.parse().unwrap()),
        route: Some(format!("GET /{seconds}").into()),
    };
    let unknown = CredentialUse {
        id: "000000000000".parse().unwrap(),
        at: noon(),
        ip: None,
        route: None,
    };
    let batch = [
        used(1, "10.0.0.1"),
        used(3, "2001:db8::1"),
        unknown,
        used(2, "10.0.0.2"),
    ];
    store.db.record_key_use(&batch).await.unwrap();
    store
        .db
        .record_key_use(&[used(2, "10.0.0.3")])
        .await
        .unwrap();
    let stored = store.db.find_key(&id).await.unwrap().unwrap();
    assert_eq!(stored.last_used_at, Some(noon() + TimeDelta::seconds(3)));
    assert_eq!(
        stored.last_used_ip,
        Some("2001:db8::1".parse::<IpAddr>().unwrap())
    );
    assert_eq!(stored.last_used_route.as_deref(), Some("GET /3"));
}
