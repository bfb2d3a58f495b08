//! Projects.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::super::author::Done;
use super::super::{Result, StoreError};
use super::page::PageRequest;
use super::tx::{ApiTx, ReadTx};
use crate::domain::{Principal, PrincipalId, Project, ProjectId, Role, Slug, Tenant, TenantId};

/// A project, as the API shows it.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the API's document describes the fields")]
pub struct ProjectView {
    pub id: uuid::Uuid,
    pub tenant: String,
    pub slug: String,
    pub name: String,
    pub owner_id: uuid::Uuid,
    pub owner: String,
    pub created_at: DateTime<Utc>,
}

/// A project to be made.
#[derive(Clone, Debug)]
pub struct NewProject {
    /// Its short name.
    pub slug: Slug,
    /// Its display name.
    pub name: String,
    /// Its owner.
    pub owner: Principal,
    /// Who else is in it, as what.
    pub members: Vec<(Principal, Role)>,
}

impl ReadTx {
    /// Projects of a tenant by short name, one more than the page has if there are more.
    ///
    /// # Errors
    ///
    /// `Unavailable`.
    pub async fn projects(&mut self, of: TenantId, page: &PageRequest) -> Result<Vec<ProjectView>> {
        let rows = sqlx::query_as!(
            ProjectView,
            r#"SELECT p.id, t.slug AS tenant, p.slug, p.name, p.owner_id, p.created_at,
                   coalesce(o.email, t.slug || '/' || o.name) AS "owner!"
               FROM projects p
               JOIN tenants t ON t.id = p.tenant_id
               JOIN principals o ON o.id = p.owner_id
               WHERE p.tenant_id = $1 AND ($2::text IS NULL OR p.slug > $2)
               ORDER BY p.slug LIMIT $3"#,
            of.0,
            page.after,
            page.probe(),
        )
        .fetch_all(&mut *self.0)
        .await?;
        Ok(rows)
    }

    /// One project.
    ///
    /// # Errors
    ///
    /// `NotFound`.
    pub async fn project(&mut self, id: ProjectId) -> Result<ProjectView> {
        one(&mut self.0, id).await
    }
}

impl ApiTx {
    /// One project, as it will stay until the change is made.
    ///
    /// # Errors
    ///
    /// `NotFound`.
    pub async fn project(&mut self, id: ProjectId) -> Result<ProjectView> {
        one(self.connection(), id).await
    }

    /// Makes a project and its members (`project.created`).
    ///
    /// # Errors
    ///
    /// `Conflict` if the short name is or was taken in the tenant, `Refused` for members who
    /// may not act there.
    pub async fn create_project(
        &mut self,
        tenant: &Tenant,
        new: &NewProject,
    ) -> Result<(ProjectView, Done)> {
        let (id, now) = (ProjectId(self.id()), self.now());
        sqlx::query!(
            "INSERT INTO projects (id, tenant_id, slug, name, owner_id, created_at)
             VALUES ($1, $2, $3, $4, $5, $6)",
            id.0,
            tenant.id.0,
            new.slug.as_str(),
            new.name,
            new.owner.id.0,
            now,
        )
        .execute(self.connection())
        .await?;
        let project = Project {
            id,
            tenant: tenant.id,
            slug: new.slug.clone(),
            name: new.name.clone(),
            owner: new.owner.id,
            session_rules: None,
        };
        for (member, role) in &new.members {
            self.bind_member(&project, member.id, role).await?;
        }
        let members: Vec<String> = new
            .members
            .iter()
            .map(|(member, role)| format!("{}: {}", member.label(), role.name))
            .collect();
        let done = done("project.created", tenant, &project)
            .detail("owner", new.owner.label())
            .detail("members", members);
        Ok((self.project(id).await?, done))
    }

    /// Gives it another display name (`project.updated`).
    ///
    /// # Errors
    ///
    /// `Refused` for a name that is too long.
    pub async fn rename_project(
        &mut self,
        tenant: &Tenant,
        project: &Project,
        name: &str,
    ) -> Result<(ProjectView, Done)> {
        sqlx::query!(
            "UPDATE projects SET name = $2 WHERE id = $1",
            project.id.0,
            name
        )
        .execute(self.connection())
        .await?;
        let done = done("project.updated", tenant, project).detail("name", name);
        Ok((self.project(project.id).await?, done))
    }

    /// Gives it another owner (`project.owner_transferred`); the former one stays in it with
    /// the role `as_what`.
    ///
    /// # Errors
    ///
    /// `Refused` if the new owner may not act in the tenant.
    pub async fn transfer(
        &mut self,
        tenant: &Tenant,
        project: &Project,
        to: &Principal,
        as_what: &Role,
    ) -> Result<(ProjectView, Done)> {
        let former = PrincipalId(self.project(project.id).await?.owner_id);
        sqlx::query!(
            "UPDATE projects SET owner_id = $2 WHERE id = $1",
            project.id.0,
            to.id.0
        )
        .execute(self.connection())
        .await?;
        self.keep_former(project, former, as_what).await?;
        let done = done("project.owner_transferred", tenant, project)
            .detail("from", former.to_string())
            .detail("to", to.id.to_string());
        Ok((self.project(project.id).await?, done))
    }

    /// Who has the role already keeps it. A refused INSERT would end the whole transaction: it is
    /// taken back by itself.
    async fn keep_former(
        &mut self,
        project: &Project,
        former: PrincipalId,
        as_what: &Role,
    ) -> Result<()> {
        sqlx::query("SAVEPOINT former")
            .execute(self.connection())
            .await?;
        match self.bind_member(project, former, as_what).await {
            Err(StoreError::Conflict(_)) => {
                sqlx::query("ROLLBACK TO SAVEPOINT former")
                    .execute(self.connection())
                    .await?;
                Ok(())
            }
            other => other,
        }
    }

    /// Deletes it with its memberships (`project.deleted`).
    ///
    /// # Errors
    ///
    /// `Conflict` while it owns resources, or keys in force are limited to it.
    pub async fn delete_project(&mut self, tenant: &Tenant, project: &Project) -> Result<Done> {
        if self.owns_resources(project.id).await? {
            let why = "the project owns resources: move or release them first";
            return Err(StoreError::Conflict(why.to_owned()));
        }
        sqlx::query!("DELETE FROM bindings WHERE project_id = $1", project.id.0)
            .execute(self.connection())
            .await?;
        sqlx::query!("DELETE FROM projects WHERE id = $1", project.id.0)
            .execute(self.connection())
            .await?;
        Ok(done("project.deleted", tenant, project))
    }
}

fn done(event: &'static str, tenant: &Tenant, project: &Project) -> Done {
    Done::new(event, "project", &project.id)
        .tenant(tenant.id, &tenant.slug)
        .project(project.id, &project.slug)
}

async fn one(connection: &mut PgConnection, id: ProjectId) -> Result<ProjectView> {
    sqlx::query_as!(
        ProjectView,
        r#"SELECT p.id, t.slug AS tenant, p.slug, p.name, p.owner_id, p.created_at,
               coalesce(o.email, t.slug || '/' || o.name) AS "owner!"
           FROM projects p
           JOIN tenants t ON t.id = p.tenant_id
           JOIN principals o ON o.id = p.owner_id
           WHERE p.id = $1"#,
        id.0,
    )
    .fetch_optional(connection)
    .await?
    .ok_or_else(|| StoreError::not_found("project", &id))
}
