//! The way to Postgres.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgConnection, PgPoolOptions};
use sqlx::{Connection, Executor, PgPool};

use super::{Claims, Result, login};

/// How long a caller waits for a connection before Postgres counts as away.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);

/// What every connection is told. The role comes first: from there on the session has
/// the gateway's rights only, whatever login it came with. (Policies make estimates high,
/// and compiling a statement takes longer than ours run.)
const SESSION: &str = "
    SET ROLE portcullis_gateway;
    SET search_path = public;
    SET statement_timeout = '15s';
    SET lock_timeout = '5s';
    SET idle_in_transaction_session_timeout = '30s';
    SET jit = off;
";

/// Where the database is: `postgresql://user@host/name` or
/// `postgresql:///name?host=/socket/dir&user=user`. Shows no password.
#[derive(Clone)]
pub struct DatabaseUrl(PgConnectOptions);

/// The text is no database URL.
#[derive(Debug, thiserror::Error)]
#[error("not a database URL: {0}")]
pub struct MalformedDatabaseUrl(String);

impl FromStr for DatabaseUrl {
    type Err = MalformedDatabaseUrl;

    fn from_str(text: &str) -> std::result::Result<Self, Self::Err> {
        if !text.starts_with("postgres://") && !text.starts_with("postgresql://") {
            let wanted = "it begins with `postgresql://`";
            return Err(MalformedDatabaseUrl(wanted.to_owned()));
        }
        let options = PgConnectOptions::from_str(text);
        options
            .map(|options| Self(options.application_name("portcullis")))
            .map_err(|cause| MalformedDatabaseUrl(cause.to_string()))
    }
}

impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(options) = self;
        let database = options.get_database().unwrap_or_default();
        let user = options.get_username();
        match options.get_socket() {
            Some(dir) => write!(
                f,
                "postgresql:///{database}?host={}&user={user}",
                dir.display()
            ),
            None => write!(
                f,
                "postgresql://{user}@{}:{}/{database}",
                options.get_host(),
                options.get_port()
            ),
        }
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl DatabaseUrl {
    /// One connection with the rights of its login: for migrations.
    pub(super) async fn connect_as_owner(&self) -> Result<PgConnection> {
        Ok(PgConnection::connect_with(&self.0).await?)
    }
}

/// Takes the gateway's role, for a login that row-level security holds and for no other.
async fn prepare(connection: &mut PgConnection) -> Result<()> {
    connection.execute(SESSION).await?;
    login::check(connection).await
}

/// The database, as the gateway's role, in the name of some [`Claims`]: those of the gateway
/// itself unless others are said. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Db {
    pool: PgPool,
    claims: Claims,
}

impl Db {
    /// A pool that connects when it is first used: Postgres may be away at start.
    #[must_use]
    pub fn open(url: &DatabaseUrl, max_connections: u32) -> Self {
        let pool = PgPoolOptions::new()
            .max_connections(max_connections)
            .acquire_timeout(ACQUIRE_TIMEOUT)
            .test_before_acquire(false)
            .after_connect(|connection, _| {
                Box::pin(async move {
                    let prepared = prepare(connection).await;
                    prepared.map_err(|cause| sqlx::Error::Configuration(cause.into()))
                })
            })
            .connect_lazy_with(url.0.clone());
        Self {
            pool,
            claims: Claims::default(),
        }
    }

    /// As [`Db::open`], after one attempt that tells at once what is wrong.
    ///
    /// # Errors
    ///
    /// As [`Db::probe`].
    pub async fn connect(url: &DatabaseUrl, max_connections: u32) -> Result<Self> {
        let db = Self::open(url, max_connections);
        db.probe().await?;
        Ok(db)
    }

    /// Tells, by a connection of its own, whether the database answers and the login is fit.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`](super::StoreError::Unavailable) with the cause,
    /// [`StoreError::UnfitLogin`](super::StoreError::UnfitLogin).
    pub async fn probe(&self) -> Result<()> {
        let mut probe = PgConnection::connect_with(&self.pool.connect_options()).await?;
        prepare(&mut probe).await?;
        probe.close().await?;
        Ok(())
    }

    /// The same database, for work in the name of these claims.
    #[must_use]
    pub fn claiming(&self, claims: Claims) -> Self {
        Self {
            pool: self.pool.clone(),
            claims,
        }
    }

    /// In whose name it works.
    #[must_use]
    pub const fn claims(&self) -> Claims {
        self.claims
    }

    /// For transactions and for listening, and for nothing else.
    pub(super) const fn pool(&self) -> &PgPool {
        &self.pool
    }

    /// Closes all connections, waiting for those in use.
    pub async fn close(&self) {
        self.pool.close().await;
    }
}
