//! Records of backends' objects: whose they are.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::{PgConnection, types::Uuid};

use super::super::author::Done;
use super::super::{Result, StoreError};
use super::page::PageRequest;
use super::tx::{ApiTx, ReadTx};
use crate::domain::{Project, ProjectId, ResourceId, Tenant};

/// The record of an object, as the API shows it.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the API's document describes the fields")]
pub struct ResourceView {
    pub id: Uuid,
    pub upstream: String,
    pub kind: String,
    pub external_id: String,
    pub labels: Value,
    pub created_by: String,
    pub created_at: DateTime<Utc>,
}

impl ReadTx {
    /// A project's objects by id, of one type or of all, one more than the page has if there
    /// are more.
    ///
    /// # Errors
    ///
    /// `Unavailable`.
    pub async fn resources(
        &mut self,
        of: ProjectId,
        kind: Option<&str>,
        page: &PageRequest,
    ) -> Result<Vec<ResourceView>> {
        resources(&mut self.0, of, kind, None, page).await
    }

    /// One object of a project.
    ///
    /// # Errors
    ///
    /// `NotFound`.
    pub async fn resource(&mut self, of: ProjectId, id: ResourceId) -> Result<ResourceView> {
        one(&mut self.0, of, id).await
    }
}

impl ApiTx {
    /// One object of a project, as it will stay until the change is made.
    ///
    /// # Errors
    ///
    /// `NotFound`.
    pub async fn resource(&mut self, of: ProjectId, id: ResourceId) -> Result<ResourceView> {
        one(self.connection(), of, id).await
    }

    /// Gives it these labels and no others (`resource.labelled`).
    ///
    /// # Errors
    ///
    /// `Refused` for too many.
    pub async fn label_resource(
        &mut self,
        (tenant, project): (&Tenant, &Project),
        resource: &ResourceView,
        labels: &BTreeMap<String, String>,
    ) -> Result<(ResourceView, Done)> {
        let labels = serde_json::to_value(labels).map_err(StoreError::corrupt)?;
        sqlx::query!(
            "UPDATE resources SET labels = $3 WHERE id = $1 AND project_id = $2",
            resource.id,
            project.id.0,
            labels,
        )
        .execute(self.connection())
        .await?;
        let done = done("resource.labelled", tenant, project, resource)
            .detail("from", resource.labels.clone())
            .detail("to", labels);
        let changed = self.resource(project.id, ResourceId(resource.id)).await?;
        Ok((changed, done))
    }

    /// Gives it to another project of the tenant (`resource.moved`). Bindings on it do not
    /// follow: `details.unbound` of them.
    ///
    /// # Errors
    ///
    /// `Unavailable`.
    pub async fn move_resource(
        &mut self,
        (tenant, project): (&Tenant, &Project),
        resource: &ResourceView,
        to: &Project,
    ) -> Result<(ResourceView, Done)> {
        let unbound = self.unbind(resource).await?;
        sqlx::query!(
            "UPDATE resources SET project_id = $3 WHERE id = $1 AND project_id = $2",
            resource.id,
            project.id.0,
            to.id.0,
        )
        .execute(self.connection())
        .await?;
        let done = done("resource.moved", tenant, project, resource)
            .detail("to_project", to.slug.as_str())
            .detail("to_project_id", to.id.to_string())
            .detail("unbound", unbound);
        Ok((self.resource(to.id, ResourceId(resource.id)).await?, done))
    }

    /// Forgets whose it is (`resource.released`): from then on nobody reaches it, until
    /// somebody adopts it.
    ///
    /// # Errors
    ///
    /// `Unavailable`.
    pub async fn release_resource(
        &mut self,
        (tenant, project): (&Tenant, &Project),
        resource: &ResourceView,
    ) -> Result<Done> {
        let unbound = self.unbind(resource).await?;
        sqlx::query!(
            "DELETE FROM resources WHERE id = $1 AND project_id = $2",
            resource.id,
            project.id.0
        )
        .execute(self.connection())
        .await?;
        let done = done("resource.released", tenant, project, resource);
        Ok(done.detail("unbound", unbound))
    }

    async fn unbind(&mut self, resource: &ResourceView) -> Result<u64> {
        let done = sqlx::query!("DELETE FROM bindings WHERE resource_id = $1", resource.id)
            .execute(self.connection())
            .await?;
        Ok(done.rows_affected())
    }

    pub(super) async fn owns_resources(&mut self, project: ProjectId) -> Result<bool> {
        let owns = sqlx::query_scalar!(
            r#"SELECT EXISTS (SELECT FROM resources WHERE project_id = $1) AS "owns!""#,
            project.0,
        )
        .fetch_one(self.connection())
        .await?;
        Ok(owns)
    }
}

fn done(event: &'static str, tenant: &Tenant, project: &Project, resource: &ResourceView) -> Done {
    Done::new(event, "resource", &resource.id)
        .tenant(tenant.id, &tenant.slug)
        .project(project.id, &project.slug)
        .detail("upstream", resource.upstream.as_str())
        .detail("type", resource.kind.as_str())
        .detail("external_id", resource.external_id.as_str())
}

async fn one(connection: &mut PgConnection, of: ProjectId, id: ResourceId) -> Result<ResourceView> {
    let page = PageRequest {
        after: None,
        limit: 1,
    };
    let found = resources(connection, of, None, Some(id), &page).await?;
    let found = found.into_iter().next();
    found.ok_or_else(|| StoreError::not_found("resource", &id))
}

async fn resources(
    connection: &mut PgConnection,
    of: ProjectId,
    kind: Option<&str>,
    only: Option<ResourceId>,
    page: &PageRequest,
) -> Result<Vec<ResourceView>> {
    // Compared as ids, so that the primary key serves.
    let after: Option<Uuid> = page.after.as_deref().and_then(|text| text.parse().ok());
    let rows = sqlx::query_as!(
        ResourceView,
        r#"SELECT id, upstream, type AS kind, external_id, labels, created_by, created_at
           FROM resources
           WHERE project_id = $1 AND ($2::text IS NULL OR type = $2)
               AND ($3::uuid IS NULL OR id = $3) AND ($4::uuid IS NULL OR id > $4)
           ORDER BY id LIMIT $5"#,
        of.0,
        kind,
        only.map(|ResourceId(id)| id),
        after,
        page.probe(),
    )
    .fetch_all(connection)
    .await?;
    Ok(rows)
}
