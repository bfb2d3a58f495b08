//! Members of a project: its owner, and whoever holds one of its roles without condition.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::super::author::Done;
use super::super::{Result, StoreError};
use super::page::PageRequest;
use super::tx::{ApiTx, ReadTx};
use crate::domain::{Principal, PrincipalId, Project, ProjectId, Role, Tenant};

/// A member, as the API shows it.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the API's document describes the fields")]
pub struct MemberView {
    pub id: uuid::Uuid,
    pub kind: String,
    pub email: Option<String>,
    pub name: String,
    pub roles: Vec<String>,
    pub joined_at: DateTime<Utc>,
    pub disabled: bool,
}

impl ReadTx {
    /// Members by id, one more than the page has if there are more.
    ///
    /// # Errors
    ///
    /// `Unavailable`.
    pub async fn members(&mut self, of: ProjectId, page: &PageRequest) -> Result<Vec<MemberView>> {
        members(&mut self.0, of, None, page).await
    }

    /// One member.
    ///
    /// # Errors
    ///
    /// `NotFound`.
    pub async fn member(&mut self, of: ProjectId, who: PrincipalId) -> Result<MemberView> {
        one(&mut self.0, of, who).await
    }
}

impl ApiTx {
    /// One member, as it will stay until the change is made.
    ///
    /// # Errors
    ///
    /// `NotFound`.
    pub async fn member(&mut self, of: ProjectId, who: PrincipalId) -> Result<MemberView> {
        one(self.connection(), of, who).await
    }

    /// Adds a member (`member.added`).
    ///
    /// # Errors
    ///
    /// `Conflict` for one who is in the project already, `Refused` for one who may not act
    /// there.
    pub async fn add_member_to(
        &mut self,
        (tenant, project): (&Tenant, &Project),
        who: &Principal,
        role: &Role,
    ) -> Result<(MemberView, Done)> {
        if self.member(project.id, who.id).await.is_ok() {
            let why = format!("`{}` is in the project already", who.label());
            return Err(StoreError::Conflict(why));
        }
        self.bind_member(project, who.id, role).await?;
        let member = self.member(project.id, who.id).await?;
        let done = done("member.added", tenant, project, &member);
        Ok((member, done.detail("role", role.name.as_str())))
    }

    /// Gives a member this role instead of those that it has (`member.updated`).
    ///
    /// # Errors
    ///
    /// `NotFound`, `Conflict` for the owner.
    pub async fn set_member_role(
        &mut self,
        (tenant, project): (&Tenant, &Project),
        member: &MemberView,
        role: &Role,
    ) -> Result<(MemberView, Done)> {
        let who = PrincipalId(member.id);
        refuse_owner(project, member)?;
        sqlx::query!(
            "DELETE FROM bindings WHERE project_id = $1 AND principal_id = $2
                 AND scope = 'project' AND effect = 'allow' AND condition IS NULL",
            project.id.0,
            who.0,
        )
        .execute(self.connection())
        .await?;
        // The day on which it joined stays.
        self.bind(project, who, role, member.joined_at).await?;
        let done = done("member.updated", tenant, project, member)
            .detail("from", member.roles.clone())
            .detail("to", role.name.as_str());
        Ok((self.member(project.id, who).await?, done))
    }

    /// Names of all roles that a member has in the project: under conditions and on single
    /// resources too.
    ///
    /// # Errors
    ///
    /// `Unavailable`.
    pub async fn roles_of_member(
        &mut self,
        project: ProjectId,
        who: PrincipalId,
    ) -> Result<Vec<String>> {
        let names = sqlx::query_scalar!(
            "SELECT DISTINCT r.name FROM bindings b JOIN roles r ON r.id = b.role_id
             WHERE b.project_id = $1 AND b.principal_id = $2 AND b.effect = 'allow'",
            project.0,
            who.0,
        )
        .fetch_all(self.connection())
        .await?;
        Ok(names)
    }

    /// Takes all roles of the project from a member (`member.removed`). What forbids it
    /// something stays.
    ///
    /// # Errors
    ///
    /// `NotFound`, `Conflict` for the owner.
    pub async fn remove_member_of(
        &mut self,
        (tenant, project): (&Tenant, &Project),
        member: &MemberView,
    ) -> Result<Done> {
        refuse_owner(project, member)?;
        sqlx::query!(
            "DELETE FROM bindings WHERE project_id = $1 AND principal_id = $2 AND effect = 'allow'",
            project.id.0,
            member.id,
        )
        .execute(self.connection())
        .await?;
        let done = done("member.removed", tenant, project, member);
        Ok(done.detail("roles", member.roles.clone()))
    }

    pub(super) async fn bind_member(
        &mut self,
        project: &Project,
        who: PrincipalId,
        role: &Role,
    ) -> Result<()> {
        self.bind(project, who, role, self.now()).await
    }

    async fn bind(
        &mut self,
        project: &Project,
        who: PrincipalId,
        role: &Role,
        since: DateTime<Utc>,
    ) -> Result<()> {
        let id = self.id();
        sqlx::query!(
            "INSERT INTO bindings (id, principal_id, role_id, scope, tenant_id, project_id, created_at)
             VALUES ($1, $2, $3, 'project', $4, $5, $6)",
            id,
            who.0,
            role.id.0,
            project.tenant.0,
            project.id.0,
            since,
        )
        .execute(self.connection())
        .await?;
        Ok(())
    }
}

fn refuse_owner(project: &Project, member: &MemberView) -> Result<()> {
    if member.id == project.owner.0 {
        let why = "the owner stays the owner: give the project to somebody else first";
        return Err(StoreError::Conflict(why.to_owned()));
    }
    Ok(())
}

fn done(event: &'static str, tenant: &Tenant, project: &Project, member: &MemberView) -> Done {
    let label = member.email.as_deref().unwrap_or(&member.name);
    Done::new(event, "principal", &member.id)
        .tenant(tenant.id, &tenant.slug)
        .project(project.id, &project.slug)
        .detail("principal", label)
}

async fn one(connection: &mut PgConnection, of: ProjectId, who: PrincipalId) -> Result<MemberView> {
    let page = PageRequest {
        after: None,
        limit: 1,
    };
    let found = members(connection, of, Some(who), &page).await?;
    let found = found.into_iter().next();
    found.ok_or_else(|| StoreError::not_found("member", &who))
}

async fn members(
    connection: &mut PgConnection,
    of: ProjectId,
    only: Option<PrincipalId>,
    page: &PageRequest,
) -> Result<Vec<MemberView>> {
    let rows = sqlx::query_as!(
        MemberView,
        r#"SELECT w.id, w.kind, w.email, w.name, w.disabled_at IS NOT NULL AS "disabled!",
               array_agg(m.role ORDER BY m.role) AS "roles!", min(m.at) AS "joined_at!"
           FROM (
               SELECT b.principal_id, r.name AS role, b.created_at AS at
               FROM bindings b JOIN roles r ON r.id = b.role_id
               WHERE b.project_id = $1 AND b.scope = 'project' AND b.effect = 'allow'
                   AND b.condition IS NULL
               UNION ALL
               SELECT owner_id, 'owner', created_at FROM projects WHERE id = $1
           ) m
           JOIN principals w ON w.id = m.principal_id
           WHERE ($2::uuid IS NULL OR w.id = $2) AND ($3::text IS NULL OR w.id::text > $3)
           GROUP BY w.id
           ORDER BY w.id::text LIMIT $4"#,
        of.0,
        only.map(|PrincipalId(id)| id),
        page.after,
        page.probe(),
    )
    .fetch_all(connection)
    .await?;
    Ok(rows)
}
