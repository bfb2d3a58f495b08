//! A change of a binding is felt at every gateway, and what was revoked does not come back.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use portcullis::cache::{KeyCache, OwnerCache, Refresh, RevokedTokens, RoleTables, SessionCache};
use portcullis::clock::Clock;
use portcullis::domain::{BindingId, PrincipalId};
use portcullis::policy::RoleTable;
use portcullis::store::Db;
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use sqlx::{AssertSqlSafe, PgConnection};
use uuid::Uuid;

use crate::support::gateway::{TestGateway, until, yaml};
use crate::support::store::{TestStore, catalogue};
use crate::support::upstream::Upstream;

const ROUTES: &str = "
  - { route: GET /things, upstream: app, permission: datasets:read }
";

#[tokio::test(flavor = "multi_thread")]
async fn a_binding_made_and_deleted_at_one_gateway_is_felt_at_both() {
    let upstream = Upstream::ok();
    let first = TestGateway::start(&yaml(upstream.address(), ROUTES)).await;
    let keys = first.seed();
    first.cli(&["users", "create", "new@example.com"]);
    let key = first.key("new@example.com", Some("acme/fraud"));
    let mut second = first.replica(&yaml(upstream.address(), ROUTES));
    second.launch();
    let felt = |status: u16| {
        for gateway in [&first, &second] {
            until("the change", || {
                gateway.get("/things", &key).status == status
            });
        }
    };
    let api = "/.portcullis/api/v1/tenants/acme/bindings";
    let body = r#"{"principal": "new@example.com", "role": "viewer", "project": "fraud"}"#;
    for (at, other) in [(&first, &second), (&second, &first)] {
        felt(403);
        let made = at.request("POST", api, &keys.admin, body);
        assert_eq!(made.status, 201, "{made:?}");
        assert_eq!(at.get("/things", &key).status, 200, "where it was made");
        felt(200);
        let id = made.json()["id"].as_str().unwrap().to_owned();
        let gone = other.request("DELETE", &format!("{api}/{id}"), &keys.admin, "");
        assert_eq!(gone.status, 204, "{gone:?}");
        assert_eq!(
            other.get("/things", &key).status,
            403,
            "where it was deleted"
        );
        felt(403);
    }
    assert!(second.stop());
}

/// Principals, each with a number, besides those of the store.
const PRINCIPALS: u32 = 8;
const STEPS: u32 = 120;
const PATIENCE: Duration = Duration::from_secs(30);

/// Bindings that are gone, their holders, and a version in which they are.
type Revoked = Arc<Mutex<Vec<(BindingId, PrincipalId, i64)>>>;

/// Two who change what they can, one who loads everything again and again, one who follows the
/// changes row by row, and one who looks whether anything that is gone is back.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_revoked_never_comes_back_however_changes_and_loads_race() {
    for seed in [1, 2, 3] {
        let store = TestStore::with_names().await;
        let owner = &mut store.as_owner().await;
        run(owner, &world()).await;
        let tables = follow(&store.db).await;
        let (revoked, done) = (Revoked::default(), Arc::new(AtomicBool::new(false)));
        let looking = tokio::spawn(look(Arc::clone(&tables), revoked.clone(), done.clone()));
        let loading = tokio::spawn(load(Arc::clone(&tables), done.clone()));
        let writers = [0, 1].map(|writer| {
            let (db, url) = (store.db.clone(), store.postgres.owner_url());
            tokio::spawn(change(db, url, seed, writer, revoked.clone()))
        });
        for writer in writers {
            writer.await.unwrap();
        }
        done.store(true, Ordering::Relaxed);
        loading.await.unwrap();
        looking.await.unwrap();
        let version = store.db.policy_version().await.unwrap();
        let reached = async {
            while tables.current().version() < version {
                tokio::task::yield_now().await;
            }
        };
        let reached = tokio::time::timeout(PATIENCE, reached).await;
        reached.expect("the table to follow");
        let rows = store.db.load_policy().await.unwrap();
        let principals: Vec<_> = rows.principals.iter().map(|it| it.id).collect();
        let (afresh, _) = RoleTable::build(rows, &catalogue());
        assert_eq!(
            shown(&tables.current(), &principals),
            shown(&afresh, &principals),
            "seed {seed}"
        );
        assert!(!revoked.lock().unwrap().is_empty());
    }
}

fn principal(n: u32) -> Uuid {
    Uuid::from_u128(0x0001_0000 + u128::from(n))
}

fn world() -> String {
    let custom = "INSERT INTO roles (id, tenant_id, name, scope, permissions)
        SELECT gen_random_uuid(), id, 'custom', 'project', '{runs:read}' FROM tenants WHERE slug = 'acme'";
    let user = |n: u32| {
        let id = principal(n);
        format!(
            "INSERT INTO principals (id, kind, email, name)
             VALUES ('{id}', 'user', '{n}@example.com', 'x')"
        )
    };
    let all: Vec<_> = (0..PRINCIPALS)
        .map(user)
        .chain([custom.to_owned()])
        .collect();
    all.join(";")
}

/// The role table, and who keeps it true. Nothing is left to the poll.
async fn follow(db: &Db) -> Arc<RoleTables> {
    let clock = Clock::system();
    let staleness = Duration::from_mins(1);
    let tables = RoleTables::new(db.clone(), catalogue(), clock, staleness);
    tables.reload().await.unwrap();
    let tables = Arc::new(tables);
    let refresh = Refresh {
        db: db.clone(),
        tables: Arc::clone(&tables),
        keys: Arc::new(KeyCache::new(staleness)),
        sessions: Arc::new(SessionCache::new(staleness)),
        tokens: Arc::new(RevokedTokens::new(staleness)),
        owners: Arc::new(OwnerCache::new(staleness)),
        poll: Duration::from_mins(10),
    };
    tokio::spawn(async move { refresh.run().await });
    tables
}

async fn look(tables: Arc<RoleTables>, revoked: Revoked, done: Arc<AtomicBool>) {
    while !done.load(Ordering::Relaxed) {
        let gone = revoked
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        let table = tables.current().clone();
        for (id, holder, version) in gone {
            let back = table
                .grants_of(holder)
                .any(|grant| grant.binding == Some(id));
            let at = table.version();
            assert!(at < version || !back, "gone in {version}, back in {at}");
        }
        tokio::task::yield_now().await;
    }
}

async fn load(tables: Arc<RoleTables>, done: Arc<AtomicBool>) {
    while !done.load(Ordering::Relaxed) {
        tables.reload().await.unwrap();
    }
}

/// One who makes changes; ids are the writer's own.
async fn change(db: Db, url: String, seed: u64, writer: u32, revoked: Revoked) {
    let mut chances = StdRng::seed_from_u64(seed * 2 + u64::from(writer));
    let mut owner = <PgConnection as sqlx::Connection>::connect(&url)
        .await
        .unwrap();
    run(&mut owner, "SET request.jwt.claim.role = 'gateway'").await;
    let mut bound: Vec<(BindingId, PrincipalId)> = Vec::new();
    for step in 0..STEPS {
        let who = principal(chances.random_range(0..PRINCIPALS));
        match chances.random_range(0..10) {
            0..4 => {
                let id = Uuid::from_u128(u128::from(writer) << 64 | u128::from(step) << 8 | 1);
                run(&mut owner, &bind(id, who, chances.random_range(0..3))).await;
                bound.push((BindingId(id), PrincipalId(who)));
            }
            4..8 if !bound.is_empty() => {
                let (id, holder) = bound.swap_remove(chances.random_range(0..bound.len()));
                run(
                    &mut owner,
                    &format!("DELETE FROM bindings WHERE id = '{id}'"),
                )
                .await;
                let version = db.policy_version().await.unwrap();
                revoked.lock().unwrap().push((id, holder, version));
            }
            _ => run(&mut owner, &other(who, chances.random_range(0..6))).await,
        }
    }
}

fn bind(id: Uuid, who: Uuid, role: u32) -> String {
    let role = ["viewer", "editor", "custom"][role as usize];
    format!(
        "INSERT INTO bindings (id, principal_id, role_id, scope, tenant_id, project_id)
         SELECT '{id}', '{who}', r.id, 'project', p.tenant_id, p.id FROM roles r, projects p
         WHERE r.name = '{role}' AND p.slug = 'fraud' ON CONFLICT DO NOTHING"
    )
}

/// Changes of other kinds, and news of what did not happen.
fn other(who: Uuid, kind: u32) -> String {
    let new = Uuid::now_v7();
    match kind {
        0 => format!("UPDATE projects SET owner_id = '{who}' WHERE slug = 'churn'"),
        1 => format!("UPDATE principals SET disabled_at = now() WHERE id = '{who}'"),
        2 => "UPDATE roles SET permissions = '{models:read}' WHERE name = 'custom'".to_owned(),
        3 => "UPDATE roles SET permissions = '{runs:read,runs:create}' WHERE name = 'custom'".to_owned(),
        4 => format!(
            "BEGIN; INSERT INTO principals (id, kind, email, name)
                 VALUES ('{new}', 'user', '{new}@example.com', 'x'); {}; COMMIT",
            bind(Uuid::now_v7(), new, 0)
        ),
        _ => format!(
            "SELECT pg_notify('portcullis', json_build_object('version', v.version + 1, 'table',
                 'bindings', 'ids', (SELECT json_agg(id) FROM bindings WHERE principal_id = '{who}'))::text)
             FROM policy_version v"
        ),
    }
}

async fn run(connection: &mut PgConnection, sql: &str) {
    let sql = AssertSqlSafe(sql.to_owned());
    sqlx::raw_sql(sql).execute(connection).await.unwrap();
}

/// All that decisions could find in a table, in one order.
fn shown(table: &RoleTable, principals: &[PrincipalId]) -> Vec<String> {
    let mut shown: Vec<_> = table.projects().map(|it| format!("{it:?}")).collect();
    for id in principals {
        shown.push(format!("{:?}", table.principal(*id)));
        shown.extend(table.grants_of(*id).map(|grant| format!("{id} {grant:?}")));
    }
    shown.sort();
    shown
}
