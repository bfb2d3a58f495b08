//! A migrated database with a few names in it.

use chrono::{DateTime, Utc};
use portcullis::clock::Clock;
use portcullis::domain::{Actor, BuiltInRole, Catalogue, RoleScope};
use portcullis::store::{Author, Db, migrate};
use rand::{SeedableRng, rngs::StdRng};
use sqlx::{Connection, PgConnection};

use super::postgres::TestPostgres;

/// A database of one's own, migrated and seeded.
pub struct TestStore {
    pub db: Db,
    pub author: Author,
    pub clock: Clock,
    pub postgres: TestPostgres,
}

/// How many migrations there are.
pub fn migrations() -> usize {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/migrations");
    let entries = std::fs::read_dir(folder).unwrap().map(Result::unwrap);
    entries
        .filter(|entry| entry.path().extension().is_some_and(|it| it == "sql"))
        .count()
}

impl TestStore {
    /// Empty but for the built-in roles.
    pub async fn start() -> Self {
        let postgres = TestPostgres::start().await;
        let clock = Clock::manual(noon());
        let mut author = operator(&clock);
        let owner = postgres.owner_url().parse().unwrap();
        migrate(&owner, &mut author, &roles()).await.unwrap();
        let gateway = postgres.gateway_url().parse().unwrap();
        Self {
            db: Db::connect(&gateway, 4).await.unwrap(),
            author,
            clock,
            postgres,
        }
    }

    /// With users ann, bob and root (superadmin), tenants acme and globex, projects
    /// acme/fraud (of ann) and globex/churn (of bob), service account acme/robot.
    pub async fn with_names() -> Self {
        let mut store = Self::start().await;
        let Self { db, author, .. } = &mut store;
        for user in ["ann@example.com", "bob@example.com", "root@example.com"] {
            let email = user.parse().unwrap();
            db.create_user(author, &email, user).await.unwrap();
        }
        for tenant in ["acme", "globex"] {
            let slug = tenant.parse().unwrap();
            db.create_tenant(author, &slug, tenant).await.unwrap();
        }
        for (path, owner) in [("acme/fraud", "ann"), ("globex/churn", "bob")] {
            let owner = format!("{owner}@example.com").parse().unwrap();
            let path = path.parse().unwrap();
            db.create_project(author, &path, "A project", &owner)
                .await
                .unwrap();
        }
        let (acme, robot) = ("acme".parse().unwrap(), "robot".parse().unwrap());
        db.create_service_account(author, &acme, &robot)
            .await
            .unwrap();
        store
            .bind("platform", "root@example.com", "superadmin")
            .await;
        store
    }

    /// Adds a member.
    pub async fn bind(&mut self, scope: &str, who: &str, role: &str) {
        let (scope, who) = (scope.parse().unwrap(), who.parse().unwrap());
        let Self { db, author, .. } = self;
        db.add_member(author, &scope, &who, role).await.unwrap();
    }

    /// A connection with the rights of the gateway and no more, in its own name.
    pub async fn as_gateway(&self) -> PgConnection {
        let mut connection = PgConnection::connect(&self.postgres.gateway_url())
            .await
            .unwrap();
        let claims = "SET ROLE portcullis_gateway; SET request.jwt.claim.role = 'gateway'";
        run(&mut connection, claims).await.unwrap();
        connection
    }

    /// A connection as the owner of every table.
    pub async fn as_owner(&self) -> PgConnection {
        self.postgres.owner().await
    }
}

/// Runs one statement.
pub async fn run(connection: &mut PgConnection, sql: &'static str) -> Result<u64, sqlx::Error> {
    let done = sqlx::raw_sql(sql).execute(connection).await?;
    Ok(done.rows_affected())
}

/// What Postgres answered instead.
pub async fn refusal(connection: &mut PgConnection, sql: &'static str) -> String {
    match run(connection, sql).await {
        Ok(rows) => panic!("{rows} rows for {sql}"),
        Err(sqlx::Error::Database(cause)) => cause.message().to_owned(),
        Err(other) => panic!("{other} for {sql}"),
    }
}

/// The author of the tests' changes, always with the same ids.
pub fn operator(clock: &Clock) -> Author {
    let actor = Actor {
        kind: "operator",
        id: Some("tester".to_owned()),
        email: None,
    };
    Author::new(actor, clock.clone(), StdRng::seed_from_u64(1))
}

pub fn noon() -> DateTime<Utc> {
    "2026-01-31T12:00:00Z".parse().unwrap()
}

pub fn catalogue() -> Catalogue {
    Catalogue::new(["runs:read", "runs:create", "models:read"].map(|text| text.parse().unwrap()))
}

pub fn roles() -> Vec<BuiltInRole> {
    [
        ("superadmin", RoleScope::Platform, "*:*"),
        ("client_admin", RoleScope::Tenant, "*:*"),
        ("owner", RoleScope::Project, "*:*"),
        ("editor", RoleScope::Project, "runs:*"),
        ("viewer", RoleScope::Project, "*:read"),
    ]
    .map(|(name, scope, permission)| BuiltInRole {
        name: name.to_owned(),
        scope,
        permissions: vec![permission.to_owned()],
    })
    .into()
}
