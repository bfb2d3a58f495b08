//! Transactions in the name of a caller.

use std::net::IpAddr;

use chrono::{DateTime, Utc};
use rand::rngs::StdRng;
use rand::{RngCore as _, SeedableRng as _};
use serde_json::Value;
use sqlx::{PgConnection, types::Uuid};

use super::super::author::Done;
use super::super::tenant_tx::{Claims, TenantTx};
use super::super::{Db, Result};
use crate::domain::{Actor, EventId, PrincipalId, ProjectId, Slug, TenantId};

/// The request that makes a change, for the audit event: it is the request's own, so one
/// event is left, whoever writes it down first.
#[derive(Clone, Debug)]
pub struct ApiRequest {
    /// Id of the request's event.
    pub event: EventId,
    /// When it arrived.
    pub arrived: DateTime<Utc>,
    /// Who sent it.
    pub actor: Actor,
    /// With which key.
    pub credential: Option<String>,
    /// From where.
    pub ip: Option<IpAddr>,
    /// With what.
    pub user_agent: Option<String>,
    /// Its method.
    pub method: String,
    /// The route that it met.
    pub route: String,
    /// `X-Request-Id`.
    pub request_id: String,
    /// Its path.
    pub path: String,
}

/// Reads for a caller.
#[derive(Debug)]
pub struct ReadTx(pub(super) TenantTx);

/// Changes for a caller. Dropped, it leaves nothing.
#[derive(Debug)]
pub struct ApiTx {
    tx: TenantTx,
    request: ApiRequest,
    now: DateTime<Utc>,
    pub(super) rng: StdRng,
}

impl Db {
    /// A transaction in which nothing can be changed.
    ///
    /// # Errors
    ///
    /// `Unavailable`.
    pub async fn read_for(&self, claims: Claims) -> Result<ReadTx> {
        Ok(ReadTx(self.claiming(claims).read_planned().await?))
    }

    /// A transaction of one change that needs no turn: what it looks at, nobody else changes.
    ///
    /// # Errors
    ///
    /// `Unavailable`.
    pub async fn act_for(
        &self,
        claims: Claims,
        request: ApiRequest,
        now: DateTime<Utc>,
    ) -> Result<ApiTx> {
        let tx = self.claiming(claims).begin().await?;
        Ok(ApiTx {
            tx,
            request,
            now,
            rng: StdRng::from_os_rng(),
        })
    }

    /// A transaction of one change. It waits until no other one is under way.
    ///
    /// # Errors
    ///
    /// `Unavailable`, also when the wait takes too long.
    pub async fn change_for(
        &self,
        claims: Claims,
        request: ApiRequest,
        now: DateTime<Utc>,
    ) -> Result<ApiTx> {
        let mut change = self.act_for(claims, request, now).await?;
        sqlx::query!("SELECT pg_advisory_xact_lock(hashtext('portcullis.api')) AS \"done: ()\"")
            .fetch_one(&mut *change.tx)
            .await?;
        Ok(change)
    }
}

impl ApiTx {
    /// When the change is made.
    #[must_use]
    pub const fn now(&self) -> DateTime<Utc> {
        self.now
    }

    /// The same view as a reader has, within the change.
    pub(in crate::store) fn connection(&mut self) -> &mut PgConnection {
        &mut self.tx
    }

    /// A new `UUIDv7`.
    pub(in crate::store) fn id(&mut self) -> Uuid {
        let millis = u64::try_from(self.now.timestamp_millis()).unwrap_or_default();
        let mut random = [0; 10];
        self.rng.fill_bytes(&mut random);
        uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid()
    }

    /// Type and id of who makes the change, as `user:…`.
    pub(super) fn label(&self) -> String {
        let Actor { kind, id, .. } = &self.request.actor;
        format!("{kind}:{}", id.as_deref().unwrap_or_default())
    }

    /// Who makes the change turns out in the middle of it.
    pub fn is_by(&mut self, user: PrincipalId, email: &str) {
        self.request.actor.id = Some(user.to_string());
        self.request.actor.email = Some(email.to_owned());
    }

    /// Writes the audit event of the request and commits: the only way to keep the change.
    /// The gateway writes the same event when the answer is given, which then changes nothing.
    ///
    /// # Errors
    ///
    /// As the database's; then nothing has changed, unless the answer to the commit was lost.
    pub async fn commit(mut self, done: Done, status: u16) -> Result<()> {
        self.write_event(done, status).await?;
        self.tx.commit().await?;
        Ok(())
    }

    /// Writes one more event: the request has done several things at once, and its own event tells
    /// of one of them.
    ///
    /// # Errors
    ///
    /// `Unavailable`.
    pub async fn also(&mut self, done: Done, status: u16) -> Result<()> {
        let own = self.request.event;
        self.request.event = EventId(self.id());
        let written = self.write_event(done, status).await;
        self.request.event = own;
        written
    }

    async fn write_event(&mut self, done: Done, status: u16) -> Result<()> {
        let request = &self.request;
        let spent = (self.now - request.arrived).num_microseconds();
        let mut details = done.details;
        details.insert("path".to_owned(), request.path.as_str().into());
        sqlx::query!(
            "SELECT audit_ensure_partition($1) AS \"done: ()\"",
            request.arrived
        )
        .execute(&mut *self.tx)
        .await?;
        let (tenant_id, tenant) = done.tenant.unzip();
        let (project_id, project) = done.project.unzip();
        sqlx::query!(
            "INSERT INTO audit_events (id, occurred_at, event, result, tenant, project, tenant_id,
                 project_id, actor_type, actor_id, actor_email, credential_id, ip, user_agent,
                 resource_type, resource_id, method, route, status, latency, request_id, details,
                 reason)
             VALUES ($1, $2, $3, CASE WHEN $22::text IS NULL THEN 'success' ELSE 'denied' END, $4,
                 $5, $6, $7, $8, $9, $10, $11, $12::text::inet, $13, $14, $15, $16, $17, $18, $19,
                 $20, $21, $22)",
            request.event.0,
            request.arrived,
            done.event,
            tenant.as_ref().map(Slug::as_str),
            project.as_ref().map(Slug::as_str),
            tenant_id.map(|TenantId(id)| id),
            project_id.map(|ProjectId(id)| id),
            request.actor.kind,
            request.actor.id,
            request.actor.email,
            request.credential,
            request.ip.map(|ip| ip.to_string()),
            request.user_agent,
            done.resource_type,
            done.resource_id,
            request.method,
            request.route,
            i32::from(status),
            spent.unwrap_or_default().max(0),
            request.request_id,
            Value::Object(details),
            done.refused,
        )
        .execute(&mut *self.tx)
        .await?;
        Ok(())
    }
}
