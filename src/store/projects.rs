//! Projects and their one owner.

use serde::Serialize;
use sqlx::PgConnection;
use sqlx::types::{Json, Uuid};

use super::author::{ChangeTx, Done};
use super::tenants::{rules, tenant, tenant_by_id};
use super::{Author, Db, Result, StoreError};
use crate::domain::{
    Principal, PrincipalId, PrincipalName, Project, ProjectId, ProjectPath, SessionRules, Slug,
    Tenant, TenantId,
};

/// A project in a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ListedProject {
    /// Its id.
    pub id: ProjectId,
    /// `TENANT/PROJECT`.
    pub path: ProjectPath,
    /// Its display name.
    pub name: String,
    /// Id of the owner.
    pub owner_id: PrincipalId,
    /// E-mail address of the owner, or `TENANT/NAME` of a service account.
    pub owner: String,
}

pub(super) struct ProjectRow {
    pub(super) id: Uuid,
    pub(super) tenant_id: Uuid,
    pub(super) slug: String,
    pub(super) name: String,
    pub(super) owner_id: Uuid,
    pub(super) session_rules: Option<Json<SessionRules>>,
}

impl TryFrom<ProjectRow> for Project {
    type Error = StoreError;

    fn try_from(row: ProjectRow) -> Result<Self> {
        Ok(Self {
            id: ProjectId(row.id),
            tenant: TenantId(row.tenant_id),
            slug: row.slug.parse().map_err(StoreError::corrupt)?,
            name: row.name,
            owner: PrincipalId(row.owner_id),
            session_rules: rules(row.session_rules),
        })
    }
}

impl Db {
    /// Creates a project (`project.created`).
    ///
    /// # Errors
    ///
    /// `NotFound` for tenant or owner, `Conflict` if the slug is taken in the tenant,
    /// `Refused` if the owner is disabled or a service account of another tenant.
    pub async fn create_project(
        &self,
        author: &mut Author,
        path: &ProjectPath,
        name: &str,
        owner: &PrincipalName,
    ) -> Result<Project> {
        let owner = self.active(owner).await?;
        let mut change = self.change(author).await?;
        let home = tenant(&mut change.tx, &path.tenant).await?;
        let project = Project {
            id: ProjectId(change.author.id()),
            tenant: home.id,
            slug: path.project.clone(),
            name: name.to_owned(),
            owner: owner.id,
            session_rules: None,
        };
        sqlx::query!(
            "INSERT INTO projects (id, tenant_id, slug, name, owner_id, created_at)
             VALUES ($1, $2, $3, $4, $5, $6)",
            project.id.0,
            home.id.0,
            project.slug.as_str(),
            project.name,
            owner.id.0,
            change.author.now(),
        )
        .execute(&mut *change.tx)
        .await?;
        let done = Done::new("project.created", "project", &project.id)
            .tenant(home.id, &home.slug)
            .project(project.id, &project.slug)
            .detail("owner", owner.label());
        change.commit(done).await?;
        Ok(project)
    }

    /// Gives a project to another owner (`project.owner_transferred`). The old owner
    /// stays in the project as `editor`.
    ///
    /// # Errors
    ///
    /// `NotFound`, `Conflict` if it is the owner already, `Refused` as for a creation.
    pub async fn transfer_project(
        &self,
        author: &mut Author,
        path: &ProjectPath,
        to: &PrincipalName,
    ) -> Result<Project> {
        let new = self.active(to).await?;
        let mut change = self.change(author).await?;
        let (home, mut project) = locked(&mut change, path).await?;
        if new.id == project.owner {
            return Err(StoreError::Conflict(format!(
                "`{to}` owns `{path}` already"
            )));
        }
        let old = std::mem::replace(&mut project.owner, new.id);
        set_owner(&mut change, &project).await?;
        make_editor(&mut change, &project, old).await?;
        let done = Done::new("project.owner_transferred", "project", &project.id)
            .tenant(home.id, &home.slug)
            .project(project.id, &project.slug)
            .detail("from", old.to_string())
            .detail("to", new.id.to_string());
        change.commit(done).await?;
        Ok(project)
    }

    async fn active(&self, name: &PrincipalName) -> Result<Principal> {
        let found = self.anyone(name).await?;
        if found.disabled {
            return Err(StoreError::Refused(format!("`{name}` is disabled")));
        }
        Ok(found)
    }

    /// Projects, of one tenant or of all, by path.
    ///
    /// # Errors
    ///
    /// `NotFound` for the tenant.
    pub async fn projects(&self, of: Option<&Slug>) -> Result<Vec<ListedProject>> {
        if let Some(slug) = of {
            self.tenant(slug).await?;
        }
        let rows = sqlx::query!(
            r#"SELECT p.id, t.slug AS tenant, p.slug AS project, p.name, p.owner_id,
                   coalesce(o.email, t.slug || '/' || o.name) AS "owner!"
               FROM projects p
               JOIN tenants t ON t.id = p.tenant_id
               JOIN principals o ON o.id = p.owner_id
               WHERE $1::text IS NULL OR t.slug = $1
               ORDER BY t.slug, p.slug"#,
            of.map(Slug::as_str),
        )
        .fetch_all(&mut *self.read().await?)
        .await?;
        let listed = rows.into_iter().map(|row| {
            Ok(ListedProject {
                id: ProjectId(row.id),
                path: ProjectPath {
                    tenant: row.tenant.parse().map_err(StoreError::corrupt)?,
                    project: row.project.parse().map_err(StoreError::corrupt)?,
                },
                name: row.name,
                owner_id: PrincipalId(row.owner_id),
                owner: row.owner,
            })
        });
        listed.collect()
    }

    /// One project with its tenant.
    ///
    /// # Errors
    ///
    /// `NotFound`.
    pub async fn project(&self, path: &ProjectPath) -> Result<(Tenant, Project)> {
        project(&mut *self.read().await?, path).await
    }
}

pub(super) async fn project(
    connection: &mut PgConnection,
    path: &ProjectPath,
) -> Result<(Tenant, Project)> {
    let home = tenant(connection, &path.tenant).await?;
    let row = sqlx::query_as!(
        ProjectRow,
        r#"SELECT id, tenant_id, slug, name, owner_id,
               session_rules AS "session_rules: Json<SessionRules>" FROM projects WHERE tenant_id = $1 AND slug = $2"#,
        home.id.0,
        path.project.as_str(),
    )
    .fetch_optional(connection)
    .await?
    .ok_or_else(|| StoreError::not_found("project", path))?;
    Ok((home, row.try_into()?))
}

pub(super) async fn project_by_id(
    connection: &mut PgConnection,
    id: ProjectId,
) -> Result<(Tenant, Project)> {
    let project = sqlx::query_as!(
        ProjectRow,
        r#"SELECT id, tenant_id, slug, name, owner_id,
               session_rules AS "session_rules: Json<SessionRules>" FROM projects WHERE id = $1"#,
        id.0,
    )
    .fetch_optional(&mut *connection)
    .await?
    .ok_or_else(|| StoreError::not_found("project", &id))?;
    let home = tenant_by_id(connection, TenantId(project.tenant_id)).await?;
    Ok((home, project.try_into()?))
}

/// As [`project`], held until the transaction ends, so that two transfers take turns.
async fn locked(change: &mut ChangeTx<'_>, path: &ProjectPath) -> Result<(Tenant, Project)> {
    let (home, found) = project(&mut change.tx, path).await?;
    let row = sqlx::query_as!(
        ProjectRow,
        r#"SELECT id, tenant_id, slug, name, owner_id,
               session_rules AS "session_rules: Json<SessionRules>" FROM projects WHERE id = $1 FOR UPDATE"#,
        found.id.0,
    )
    .fetch_one(&mut *change.tx)
    .await?;
    Ok((home, row.try_into()?))
}

async fn set_owner(change: &mut ChangeTx<'_>, project: &Project) -> Result<()> {
    sqlx::query!(
        "UPDATE projects SET owner_id = $2 WHERE id = $1",
        project.id.0,
        project.owner.0,
    )
    .execute(&mut *change.tx)
    .await?;
    Ok(())
}

async fn make_editor(change: &mut ChangeTx<'_>, project: &Project, who: PrincipalId) -> Result<()> {
    let id = change.author.id();
    sqlx::query!(
        "INSERT INTO bindings (id, principal_id, role_id, scope, tenant_id, project_id, created_at)
         SELECT $1, $2, id, scope, $3, $4, $5 FROM roles WHERE tenant_id IS NULL AND name = 'editor'
         ON CONFLICT DO NOTHING",
        id,
        who.0,
        project.tenant.0,
        project.id.0,
        change.author.now(),
    )
    .execute(&mut *change.tx)
    .await?;
    Ok(())
}
