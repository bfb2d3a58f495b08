//! The author of administrative changes, and the transaction that cannot be committed
//! without its audit event.

use chrono::{DateTime, Utc};
use rand::{RngCore, rngs::StdRng};
use serde_json::{Map, Value};
use sqlx::{PgConnection, types::Uuid};

use super::{Db, Result, TenantTx};
use crate::clock::Clock;
use crate::domain::{Actor, ProjectId, Slug, TenantId};

/// Who makes administrative changes, by which clock, with ids from which randomness.
#[derive(Debug)]
pub struct Author {
    actor: Actor,
    clock: Clock,
    pub(super) rng: StdRng,
}

impl Author {
    /// An author of changes.
    #[must_use]
    pub const fn new(actor: Actor, clock: Clock, rng: StdRng) -> Self {
        Self { actor, clock, rng }
    }

    /// A new `UUIDv7`.
    pub(super) fn id(&mut self) -> Uuid {
        let millis = u64::try_from(self.clock.now().timestamp_millis()).unwrap_or_default();
        let mut random = [0; 10];
        self.rng.fill_bytes(&mut random);
        uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid()
    }

    pub(super) fn now(&self) -> DateTime<Utc> {
        self.clock.now()
    }

    /// Actor type and id, as `operator:ann`.
    pub(super) fn label(&self) -> String {
        match &self.actor.id {
            Some(id) => format!("{}:{id}", self.actor.kind),
            None => self.actor.kind.to_owned(),
        }
    }
}

/// What an administrative change did, for its audit event.
#[derive(Debug)]
pub struct Done {
    pub(super) event: &'static str,
    pub(super) tenant: Option<(TenantId, Slug)>,
    pub(super) project: Option<(ProjectId, Slug)>,
    pub(super) resource_type: &'static str,
    pub(super) resource_id: String,
    pub(super) details: Map<String, Value>,
    pub(super) refused: Option<&'static str>,
}

impl Done {
    /// A change of this name to this thing.
    #[must_use]
    pub fn new(
        event: &'static str,
        resource_type: &'static str,
        id: &(impl ToString + ?Sized),
    ) -> Self {
        Self {
            event,
            tenant: None,
            project: None,
            resource_type,
            resource_id: id.to_string(),
            details: Map::new(),
            refused: None,
        }
    }

    /// It was asked for and not done, for this reason.
    #[must_use]
    pub const fn refused(mut self, reason: &'static str) -> Self {
        self.refused = Some(reason);
        self
    }

    /// In this tenant.
    #[must_use]
    pub fn tenant(mut self, id: TenantId, slug: &Slug) -> Self {
        self.tenant = Some((id, slug.clone()));
        self
    }

    pub(super) fn project(mut self, id: ProjectId, slug: &Slug) -> Self {
        self.project = Some((id, slug.clone()));
        self
    }

    /// With this beside it.
    #[must_use]
    pub fn detail(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.details.insert(key.to_owned(), value.into());
        self
    }
}

/// A transaction of one administrative change. Dropped, it leaves nothing.
pub(super) struct ChangeTx<'a> {
    pub(super) tx: TenantTx,
    pub(super) author: &'a mut Author,
}

impl Db {
    pub(super) async fn change<'a>(&self, author: &'a mut Author) -> Result<ChangeTx<'a>> {
        let tx = self.begin().await?;
        Ok(ChangeTx { tx, author })
    }
}

impl ChangeTx<'_> {
    /// Writes the audit event and commits: the only way to keep the change.
    pub(super) async fn commit(mut self, done: Done) -> Result<()> {
        write_event(&mut self.tx, self.author, done).await?;
        self.tx.commit().await?;
        Ok(())
    }
}

pub(super) async fn write_event(
    connection: &mut PgConnection,
    author: &mut Author,
    done: Done,
) -> Result<()> {
    let now = author.now();
    sqlx::query!("SELECT audit_ensure_partition($1) AS \"done: ()\"", now)
        .execute(&mut *connection)
        .await?;
    let (tenant_id, tenant) = done.tenant.unzip();
    let (project_id, project) = done.project.unzip();
    sqlx::query!(
        "INSERT INTO audit_events (id, occurred_at, event, result, tenant, project, tenant_id,
             project_id, actor_type, actor_id, actor_email, resource_type, resource_id, details)
         VALUES ($1, $2, $3, 'success', $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
        author.id(),
        now,
        done.event,
        tenant.as_ref().map(Slug::as_str),
        project.as_ref().map(Slug::as_str),
        tenant_id.map(|TenantId(id)| id),
        project_id.map(|ProjectId(id)| id),
        author.actor.kind,
        author.actor.id,
        author.actor.email,
        done.resource_type,
        done.resource_id,
        Value::Object(done.details),
    )
    .execute(&mut *connection)
    .await?;
    Ok(())
}
