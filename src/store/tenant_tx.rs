//! The transaction that all SQL on tenants' tables runs in, and in whose name it runs.
//!
//! Row-level security shows a statement what two settings of its transaction allow,
//! `request.jwt.claim.tenant_id` and `request.jwt.claim.role`, and nothing if they are not
//! set. They are set by the statement that begins the transaction, and end with it.

use std::ops::{Deref, DerefMut};

use sqlx::{AssertSqlSafe, PgConnection, PgPool, PgTransaction};

use super::Db;
use crate::domain::TenantId;

/// In whose name SQL runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Claims {
    /// A member of a tenant: sees and changes what is the tenant's, and nothing else.
    Member(TenantId),
    /// Sees all tenants, changes nothing.
    Reviewer,
    /// Sees and changes all tenants.
    Superadmin,
    /// The gateway itself: what it does before it knows a tenant, and for all of them.
    #[default]
    Gateway,
}

impl Claims {
    const fn role(self) -> &'static str {
        match self {
            Self::Member(_) => "member",
            Self::Reviewer => "reviewer",
            Self::Superadmin => "superadmin",
            Self::Gateway => "gateway",
        }
    }

    /// SQL that makes them hold to the end of the transaction. Nothing in it is a
    /// stranger's: a word of ours and an id.
    pub(super) fn statement(self) -> String {
        let tenant = match self {
            Self::Member(TenantId(id)) => id.to_string(),
            _ => String::new(),
        };
        let role = self.role();
        format!(
            "SELECT set_config('request.jwt.claim.tenant_id', '{tenant}', true),
                 set_config('request.jwt.claim.role', '{role}', true)"
        )
    }
}

/// A transaction in the name of its [`Claims`]. Dropped, it leaves nothing.
#[derive(Debug)]
pub struct TenantTx {
    tx: PgTransaction<'static>,
}

impl Db {
    /// A transaction in this database's [`Claims`].
    pub(super) async fn begin(&self) -> sqlx::Result<TenantTx> {
        self.begin_as("BEGIN").await
    }

    /// As [`Db::begin`], which refuses to change anything.
    pub(super) async fn read(&self) -> sqlx::Result<TenantTx> {
        self.begin_as("BEGIN READ ONLY").await
    }

    /// As [`Db::read`], with all statements as of one moment.
    pub(super) async fn snapshot(&self) -> sqlx::Result<TenantTx> {
        self.begin_as("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            .await
    }

    /// As [`Db::read`], for a statement whose filters decide which index serves best: it is
    /// planned anew each time.
    pub(super) async fn read_planned(&self) -> sqlx::Result<TenantTx> {
        self.begin_as("BEGIN READ ONLY; SET LOCAL plan_cache_mode = force_custom_plan")
            .await
    }

    /// In a task of its own: a caller that is given up in the middle would leave the
    /// connection inside a transaction that nobody knows of.
    async fn begin_as(&self, begin: &'static str) -> sqlx::Result<TenantTx> {
        let statement = format!("{begin}; {}", self.claims().statement());
        let task = tokio::spawn(begin_with(self.pool().clone(), statement));
        let tx = task.await.map_err(|_| sqlx::Error::WorkerCrashed)??;
        Ok(TenantTx { tx })
    }
}

/// The pool hands out connections without a look at them, which would cost a round trip: that
/// one was lost shows here, before anything was asked of it, and the next one is taken.
async fn begin_with(pool: PgPool, statement: String) -> sqlx::Result<PgTransaction<'static>> {
    let mut lost = pool.size();
    loop {
        match pool.begin_with(AssertSqlSafe(statement.clone())).await {
            Err(error) if lost > 0 && is_lost(&error) => lost -= 1,
            begun => return begun,
        }
    }
}

fn is_lost(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_) | sqlx::Error::Protocol(_) => true,
        // The server ended the connection, or itself.
        sqlx::Error::Database(cause) => cause.code().is_some_and(|code| code.starts_with("57P")),
        _ => false,
    }
}

impl TenantTx {
    /// Keeps what was done.
    pub(super) async fn commit(self) -> sqlx::Result<()> {
        self.tx.commit().await
    }
}

impl Deref for TenantTx {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        &self.tx
    }
}

impl DerefMut for TenantTx {
    fn deref_mut(&mut self) -> &mut PgConnection {
        &mut self.tx
    }
}
