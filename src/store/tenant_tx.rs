//! The transaction that all SQL on tenants' tables runs in, and in whose name it runs.
//!
//! Row-level security shows a statement what two settings of its transaction allow,
//! `request.jwt.claim.tenant_id` and `request.jwt.claim.role`, and nothing if they are not
//! set. They are set by the statement that begins the transaction, and end with it.

use std::ops::{Deref, DerefMut};

use sqlx::{AssertSqlSafe, PgConnection, PgTransaction};

use super::connect::Db;
use super::{Result, StoreError};
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
    pub(super) async fn begin(&self) -> Result<TenantTx> {
        self.begin_as("BEGIN").await
    }

    /// As [`Db::begin`], which refuses to change anything.
    pub(super) async fn read(&self) -> Result<TenantTx> {
        self.begin_as("BEGIN READ ONLY").await
    }

    /// As [`Db::read`], with all statements as of one moment.
    pub(super) async fn snapshot(&self) -> Result<TenantTx> {
        self.begin_as("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            .await
    }

    /// As [`Db::read`], for a statement whose filters decide which index serves best: it is
    /// planned anew each time.
    pub(super) async fn read_planned(&self) -> Result<TenantTx> {
        self.begin_as("BEGIN READ ONLY; SET LOCAL plan_cache_mode = force_custom_plan")
            .await
    }

    /// In a task of its own: a caller that is given up in the middle would leave the
    /// connection inside a transaction that nobody knows of.
    async fn begin_as(&self, begin: &'static str) -> Result<TenantTx> {
        let statement = format!("{begin}; {}", self.claims().statement());
        let pool = self.pool().clone();
        let task = tokio::spawn(async move { pool.begin_with(AssertSqlSafe(statement)).await });
        let ended = task.await;
        let tx = ended.map_err(|cause| StoreError::Unavailable(cause.to_string()))??;
        Ok(TenantTx { tx })
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
