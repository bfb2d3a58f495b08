//! Objects of backends: which project each belongs to.
//!
//! What a request makes, renames or removes is recorded here without an event of its own: the
//! request's event tells of it. Changes by people are in `resource_changes.rs`.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::PgConnection;
use sqlx::types::{Json, Uuid};

use super::author::{Done, write_event};
use super::{Author, Db, Result, StoreError};
use crate::domain::{Owner, ProjectId, ResourceId, ResourceKey, TenantId};

/// Texts by name: `environment` and tags.
pub type Labels = BTreeMap<String, String>;

/// An object to be recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewResource {
    /// What names it.
    pub key: ResourceKey,
    /// What is noted of it.
    pub labels: Labels,
}

/// An object on record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ListedResource {
    /// The record.
    pub id: ResourceId,
    /// The tenant of its project.
    pub tenant: TenantId,
    /// Whose it is.
    pub project: ProjectId,
    /// Name of its upstream.
    pub upstream: String,
    /// Its type.
    #[serde(rename = "type")]
    pub kind: String,
    /// The backend's id of it.
    pub external_id: String,
    /// What is noted of it.
    pub labels: Labels,
    /// Who made it, as `user:ID`.
    pub created_by: String,
    /// When it was recorded.
    pub created_at: DateTime<Utc>,
}

impl ListedResource {
    /// What names it.
    #[must_use]
    pub fn key(&self) -> ResourceKey {
        ResourceKey {
            upstream: self.upstream.as_str().into(),
            kind: self.kind.as_str().into(),
            id: self.external_id.as_str().into(),
        }
    }
}

/// Which objects to list. They come sorted by type, upstream and id.
#[derive(Clone, Debug, Default)]
pub struct ResourceFilter {
    /// Only this tenant's.
    pub tenant: Option<TenantId>,
    /// Only this project's.
    pub project: Option<ProjectId>,
    /// Only those of this upstream.
    pub upstream: Option<String>,
    /// Only those of this type.
    pub kind: Option<String>,
    /// Only those behind this one: the next page.
    pub after: Option<ResourceKey>,
}

pub(super) struct ResourceRow {
    pub(super) id: Uuid,
    pub(super) tenant_id: Uuid,
    pub(super) project_id: Uuid,
    pub(super) upstream: String,
    pub(super) kind: String,
    pub(super) external_id: String,
    pub(super) labels: Json<Labels>,
    pub(super) created_by: String,
    pub(super) created_at: DateTime<Utc>,
}

impl From<ResourceRow> for ListedResource {
    fn from(row: ResourceRow) -> Self {
        Self {
            id: ResourceId(row.id),
            tenant: TenantId(row.tenant_id),
            project: ProjectId(row.project_id),
            upstream: row.upstream,
            kind: row.kind,
            external_id: row.external_id,
            labels: row.labels.0,
            created_by: row.created_by,
            created_at: row.created_at,
        }
    }
}

/// Keys as Postgres takes them: one array a column.
pub(super) struct Columns {
    pub(super) upstreams: Vec<String>,
    pub(super) kinds: Vec<String>,
    pub(super) ids: Vec<String>,
}

impl Columns {
    pub(super) fn of<'a>(keys: impl IntoIterator<Item = &'a ResourceKey>) -> Self {
        let mut columns = Self {
            upstreams: Vec::new(),
            kinds: Vec::new(),
            ids: Vec::new(),
        };
        for key in keys {
            columns.upstreams.push(key.upstream.to_string());
            columns.kinds.push(key.kind.to_string());
            columns.ids.push(key.id.to_string());
        }
        columns
    }
}

impl Db {
    /// Records objects of a project, all of them or none, and says under which ids. Those
    /// that it has on record already stay, with the labels given now.
    ///
    /// # Errors
    ///
    /// `Conflict` if one of them belongs to another project; `Refused` if a key is empty or
    /// too long, or there is no such project.
    pub async fn record_resources(
        &self,
        author: &mut Author,
        tenant: TenantId,
        project: ProjectId,
        new: &[NewResource],
    ) -> Result<Vec<ResourceId>> {
        let mut change = self.change(author).await?;
        let ids = record(&mut change.tx, change.author, tenant, project, new).await?;
        change.tx.commit().await?;
        Ok(ids)
    }

    /// Forgets objects that are gone, and the bindings on them (`member.removed`). Says how
    /// many it had on record.
    ///
    /// # Errors
    ///
    /// `Unavailable`; `Refused` if one gets a binding at this very moment.
    pub async fn forget_resources(&self, author: &mut Author, keys: &[ResourceKey]) -> Result<u64> {
        let mut change = self.change(author).await?;
        let ids = ids_of(&mut change.tx, keys).await?;
        remove_bindings(&mut change.tx, change.author, &ids).await?;
        let gone = delete(&mut change.tx, &ids).await?;
        change.tx.commit().await?;
        Ok(gone)
    }

    /// Gives an object that was renamed its new id; the record, its labels and the bindings
    /// on it stay. Says whether there is such an object.
    ///
    /// # Errors
    ///
    /// `Conflict` if there is an object of that id already.
    pub async fn rename_resource(&self, key: &ResourceKey, id: &str) -> Result<bool> {
        let mut tx = self.begin().await?;
        let renamed = sqlx::query!(
            "UPDATE resources SET external_id = $4
             WHERE upstream = $1 AND type = $2 AND external_id = $3",
            &*key.upstream,
            &*key.kind,
            &*key.id,
            id,
        )
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(renamed.rows_affected() > 0)
    }

    /// Whose these objects are, in the same order; `None`: nobody's.
    ///
    /// # Errors
    ///
    /// `Unavailable`.
    pub async fn owners(&self, keys: &[ResourceKey]) -> Result<Vec<Option<Owner>>> {
        let asked = Columns::of(keys);
        let mut tx = self.read().await?;
        let rows = sqlx::query!(
            r#"SELECT r.id AS "id?", r.project_id AS "project_id?", r.labels AS "labels?: Json<Labels>"
               FROM unnest($1::text[], $2::text[], $3::text[])
                   WITH ORDINALITY AS asked (upstream, type, external_id, place)
               LEFT JOIN resources r ON r.upstream = asked.upstream AND r.type = asked.type
                   AND r.external_id = asked.external_id
               ORDER BY asked.place"#,
            &asked.upstreams,
            &asked.kinds,
            &asked.ids,
        )
        .fetch_all(&mut *tx)
        .await?;
        let owners = rows.into_iter().map(|row| {
            Some(Owner {
                resource: ResourceId(row.id?),
                project: ProjectId(row.project_id?),
                labels: Arc::new(row.labels?.0),
            })
        });
        Ok(owners.collect())
    }

    /// Those of the objects that belong to nobody.
    ///
    /// # Errors
    ///
    /// `Unavailable`.
    pub async fn orphans(&self, keys: &[ResourceKey]) -> Result<Vec<ResourceKey>> {
        let owners = self.owners(keys).await?;
        let orphans = keys.iter().zip(owners).filter(|(_, owner)| owner.is_none());
        Ok(orphans.map(|(key, _)| key.clone()).collect())
    }

    /// One object.
    ///
    /// # Errors
    ///
    /// `NotFound`.
    pub async fn resource(&self, key: &ResourceKey) -> Result<ListedResource> {
        resource(&mut *self.read().await?, key).await
    }

    /// Objects on record, at most `limit`.
    ///
    /// # Errors
    ///
    /// `Unavailable`.
    pub async fn resources(
        &self,
        filter: &ResourceFilter,
        limit: u32,
    ) -> Result<Vec<ListedResource>> {
        let mut tx = self.read_planned().await?;
        let after = filter.after.as_ref();
        let rows = sqlx::query_as!(
            ResourceRow,
            r#"SELECT id, tenant_id, project_id, upstream, type AS kind, external_id,
                   labels AS "labels: Json<Labels>", created_by, created_at
               FROM resources
               WHERE ($1::uuid IS NULL OR tenant_id = $1)
                 AND ($2::uuid IS NULL OR project_id = $2)
                 AND ($3::text IS NULL OR upstream = $3)
                 AND ($4::text IS NULL OR type = $4)
                 AND ($5::text IS NULL OR (type, upstream, external_id) > ($5, $6, $7))
               ORDER BY type, upstream, external_id
               LIMIT $8"#,
            filter.tenant.map(|TenantId(id)| id),
            filter.project.map(|ProjectId(id)| id),
            filter.upstream,
            filter.kind,
            after.map(|key| &*key.kind),
            after.map(|key| &*key.upstream),
            after.map(|key| &*key.id),
            i64::from(limit),
        )
        .fetch_all(&mut *tx)
        .await?;
        Ok(rows.into_iter().map(ListedResource::from).collect())
    }
}

pub(super) async fn record(
    connection: &mut PgConnection,
    author: &mut Author,
    tenant: TenantId,
    project: ProjectId,
    new: &[NewResource],
) -> Result<Vec<ResourceId>> {
    // Always in the same order: two that record the same objects wait, not for each other.
    let mut sorted: Vec<&NewResource> = new.iter().collect();
    sorted.sort_by_key(|each| &each.key);
    sorted.dedup_by_key(|each| &each.key);
    let columns = Columns::of(sorted.iter().map(|each| &each.key));
    let labels: Vec<Json<&Labels>> = sorted.iter().map(|each| Json(&each.labels)).collect();
    let ids: Vec<Uuid> = sorted.iter().map(|_| author.id()).collect();
    sqlx::query!(
        "INSERT INTO resources (id, tenant_id, project_id, upstream, type, external_id, labels,
             created_by, created_at)
         SELECT given.id, $1, $2, given.upstream, given.type, given.external_id, given.labels, $3, $4
         FROM unnest($5::uuid[], $6::text[], $7::text[], $8::text[], $9::jsonb[])
             AS given (id, upstream, type, external_id, labels)
         ON CONFLICT (upstream, type, external_id) DO NOTHING",
        tenant.0,
        project.0,
        author.label(),
        author.now(),
        &ids,
        &columns.upstreams,
        &columns.kinds,
        &columns.ids,
        &labels as &[Json<&Labels>],
    )
    .execute(&mut *connection)
    .await?;
    relabel(connection, project, &columns, &labels).await?;
    recorded(connection, project, new).await
}

/// Labels of those that were there already.
async fn relabel(
    connection: &mut PgConnection,
    project: ProjectId,
    columns: &Columns,
    labels: &[Json<&Labels>],
) -> Result<()> {
    sqlx::query!(
        "UPDATE resources r SET labels = given.labels
         FROM unnest($2::text[], $3::text[], $4::text[], $5::jsonb[])
             AS given (upstream, type, external_id, labels)
         WHERE r.upstream = given.upstream AND r.type = given.type
           AND r.external_id = given.external_id AND r.project_id = $1
           AND r.labels IS DISTINCT FROM given.labels",
        project.0,
        &columns.upstreams,
        &columns.kinds,
        &columns.ids,
        labels as &[Json<&Labels>],
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// The records, as long as all of them are of this project.
async fn recorded(
    connection: &mut PgConnection,
    project: ProjectId,
    new: &[NewResource],
) -> Result<Vec<ResourceId>> {
    let asked = Columns::of(new.iter().map(|each| &each.key));
    let rows = sqlx::query!(
        r#"SELECT r.id AS "id?"
           FROM unnest($2::text[], $3::text[], $4::text[])
               WITH ORDINALITY AS asked (upstream, type, external_id, place)
           LEFT JOIN resources r ON r.upstream = asked.upstream AND r.type = asked.type
               AND r.external_id = asked.external_id AND r.project_id = $1
           ORDER BY asked.place"#,
        project.0,
        &asked.upstreams,
        &asked.kinds,
        &asked.ids,
    )
    .fetch_all(connection)
    .await?;
    let ids = rows.into_iter().zip(new).map(|(row, new)| {
        let taken = || StoreError::Conflict(format!("{} belongs to another project", new.key));
        row.id.map(ResourceId).ok_or_else(taken)
    });
    ids.collect()
}

pub(super) async fn resource(
    connection: &mut PgConnection,
    key: &ResourceKey,
) -> Result<ListedResource> {
    let row = sqlx::query_as!(
        ResourceRow,
        r#"SELECT id, tenant_id, project_id, upstream, type AS kind, external_id,
               labels AS "labels: Json<Labels>", created_by, created_at
           FROM resources WHERE upstream = $1 AND type = $2 AND external_id = $3"#,
        &*key.upstream,
        &*key.kind,
        &*key.id,
    )
    .fetch_optional(connection)
    .await?;
    row.map(ListedResource::from)
        .ok_or_else(|| StoreError::not_found("resource", key))
}

/// Held until the transaction ends, so that no binding can be made on them.
async fn ids_of(connection: &mut PgConnection, keys: &[ResourceKey]) -> Result<Vec<Uuid>> {
    let asked = Columns::of(keys);
    let ids = sqlx::query_scalar!(
        "SELECT r.id FROM unnest($1::text[], $2::text[], $3::text[]) AS asked (upstream, type, external_id)
         JOIN resources r ON r.upstream = asked.upstream AND r.type = asked.type
             AND r.external_id = asked.external_id
         ORDER BY r.id FOR UPDATE OF r",
        &asked.upstreams,
        &asked.kinds,
        &asked.ids,
    )
    .fetch_all(connection)
    .await?;
    Ok(ids)
}

pub(super) async fn delete(connection: &mut PgConnection, ids: &[Uuid]) -> Result<u64> {
    let gone = sqlx::query!("DELETE FROM resources WHERE id = ANY ($1)", ids)
        .execute(connection)
        .await?;
    Ok(gone.rows_affected())
}

/// Removes the bindings on these objects, with an event for each.
pub(super) async fn remove_bindings(
    connection: &mut PgConnection,
    author: &mut Author,
    resources: &[Uuid],
) -> Result<()> {
    let removed = sqlx::query!(
        r#"WITH gone AS (DELETE FROM bindings WHERE resource_id = ANY ($1) RETURNING *)
           SELECT gone.principal_id, gone.effect, gone.condition, gone.resource_id AS "resource_id!",
               r.name AS role, w.kind AS principal_kind, coalesce(w.email, w.name) AS "principal!",
               t.id AS tenant_id, t.slug AS tenant, p.id AS project_id, p.slug AS project
           FROM gone
           JOIN roles r ON r.id = gone.role_id
           JOIN principals w ON w.id = gone.principal_id
           JOIN tenants t ON t.id = gone.tenant_id
           JOIN projects p ON p.id = gone.project_id
           ORDER BY gone.id"#,
        resources,
    )
    .fetch_all(&mut *connection)
    .await?;
    for row in removed {
        let kind = if row.principal_kind == "user" {
            "user"
        } else {
            "service_account"
        };
        let tenant = row.tenant.parse().map_err(StoreError::corrupt)?;
        let project = row.project.parse().map_err(StoreError::corrupt)?;
        let done = Done::new("member.removed", kind, &row.principal_id)
            .tenant(TenantId(row.tenant_id), &tenant)
            .project(ProjectId(row.project_id), &project)
            .detail("principal", row.principal)
            .detail("role", row.role)
            .detail("scope", "resource")
            .detail("resource", row.resource_id.to_string())
            .detail("effect", row.effect)
            .detail("condition", row.condition);
        write_event(connection, author, done).await?;
    }
    Ok(())
}
