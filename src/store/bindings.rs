//! Who holds which role where.

use serde::Serialize;
use sqlx::PgConnection;

use super::author::{ChangeTx, Done};
use super::principals::principal;
use super::projects::project;
use super::tenants::tenant;
use super::{Author, Db, Result, StoreError, roles};
use crate::domain::{
    Principal, PrincipalId, PrincipalName, Project, ProjectPath, Role, ScopePath, Tenant,
};

/// A member in a list: one role of one principal at one scope.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Member {
    /// Where.
    pub scope: ScopePath,
    /// Who: e-mail address, or `TENANT/NAME` of a service account.
    pub principal: String,
    /// Their id.
    pub principal_id: PrincipalId,
    /// Which role. A project's owner is listed with `owner`.
    pub role: String,
    /// Whether the principal is disabled: a disabled member may do nothing.
    pub disabled: bool,
}

/// Where a binding hangs, with the rows that name it.
struct Place {
    tenant: Option<Tenant>,
    project: Option<Project>,
}

impl Db {
    /// Binds a role to a principal at a scope (`member.added`).
    ///
    /// # Errors
    ///
    /// `NotFound`, `Conflict` if it is bound already, `Refused` when role and scope do
    /// not fit, or a service account would leave its tenant.
    pub async fn add_member(
        &self,
        author: &mut Author,
        scope: &ScopePath,
        who: &PrincipalName,
        role: &str,
    ) -> Result<()> {
        let mut change = self.change(author).await?;
        let (place, member, role) = resolve(&mut change, scope, who, role).await?;
        let id = change.author.id();
        sqlx::query!(
            "INSERT INTO bindings (id, principal_id, role_id, scope, tenant_id, project_id, created_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7)",
            id,
            member.id.0,
            role.id.0,
            role.scope.as_str(),
            place.tenant.as_ref().map(|tenant| tenant.id.0),
            place.project.as_ref().map(|project| project.id.0),
            change.author.now(),
        )
        .execute(&mut *change.tx)
        .await?;
        let done = place.done("member.added", &member, &role);
        change.commit(done).await
    }

    /// Takes a role away again (`member.removed`).
    ///
    /// # Errors
    ///
    /// `NotFound` if it is not bound, `Refused` for the last superadmin.
    pub async fn remove_member(
        &self,
        author: &mut Author,
        scope: &ScopePath,
        who: &PrincipalName,
        role: &str,
    ) -> Result<()> {
        let mut change = self.change(author).await?;
        let (place, member, role) = resolve(&mut change, scope, who, role).await?;
        let removed = sqlx::query!(
            "DELETE FROM bindings WHERE principal_id = $1 AND role_id = $2
             AND tenant_id IS NOT DISTINCT FROM $3 AND project_id IS NOT DISTINCT FROM $4",
            member.id.0,
            role.id.0,
            place.tenant.as_ref().map(|tenant| tenant.id.0),
            place.project.as_ref().map(|project| project.id.0),
        )
        .execute(&mut *change.tx)
        .await?;
        if removed.rows_affected() == 0 {
            let name = format!("{who} as {} on {scope}", role.name);
            return Err(StoreError::not_found("member", &name));
        }
        if role.name == SUPERADMIN {
            superadmin_remains(&mut change.tx).await?;
        }
        let done = place.done("member.removed", &member, &role);
        change.commit(done).await
    }

    /// The members of one scope, or of all; owners included.
    ///
    /// # Errors
    ///
    /// `NotFound` for the scope.
    pub async fn members(&self, of: Option<&ScopePath>) -> Result<Vec<Member>> {
        let (kind, place) = match of {
            Some(scope) => {
                let mut connection = self.pool.acquire().await?;
                let place = Place::find(&mut connection, scope).await?;
                (Some(scope.kind().as_str()), place)
            }
            None => (
                None,
                Place {
                    tenant: None,
                    project: None,
                },
            ),
        };
        let rows = sqlx::query_as!(
            MemberRow,
            r#"SELECT m.scope AS "scope!", t.slug AS "tenant?", p.slug AS "project?", m.role AS "role!",
                   w.id AS "principal_id!", w.disabled_at IS NOT NULL AS "disabled!",
                   coalesce(w.email, h.slug || '/' || w.name) AS "principal!"
               FROM (
                   SELECT b.scope, b.tenant_id, b.project_id, b.principal_id, r.name AS role
                   FROM bindings b JOIN roles r ON r.id = b.role_id
                   UNION ALL
                   SELECT 'project', tenant_id, id, owner_id, 'owner' FROM projects
               ) m
               JOIN principals w ON w.id = m.principal_id
               LEFT JOIN tenants h ON h.id = w.tenant_id
               LEFT JOIN tenants t ON t.id = m.tenant_id
               LEFT JOIN projects p ON p.id = m.project_id
               WHERE $1::text IS NULL OR (m.scope = $1
                   AND m.tenant_id IS NOT DISTINCT FROM $2 AND m.project_id IS NOT DISTINCT FROM $3)
               ORDER BY array_position('{platform,tenant,project}', m.scope), 2, 3, 7, 4"#,
            kind,
            place.tenant.map(|tenant| tenant.id.0),
            place.project.map(|project| project.id.0),
        )
        .fetch_all(&self.pool)
        .await?;
        rows.into_iter().map(Member::try_from).collect()
    }
}

struct MemberRow {
    scope: String,
    tenant: Option<String>,
    project: Option<String>,
    role: String,
    principal_id: sqlx::types::Uuid,
    disabled: bool,
    principal: String,
}

impl TryFrom<MemberRow> for Member {
    type Error = StoreError;

    fn try_from(row: MemberRow) -> Result<Self> {
        let slug = |text: String| text.parse().map_err(StoreError::corrupt);
        let scope = match (row.tenant, row.project) {
            (None, None) => ScopePath::Platform,
            (Some(tenant), None) => ScopePath::Tenant(slug(tenant)?),
            (Some(tenant), Some(project)) => ScopePath::Project(ProjectPath {
                tenant: slug(tenant)?,
                project: slug(project)?,
            }),
            (None, Some(_)) => return Err(StoreError::Corrupt(row.scope)),
        };
        Ok(Self {
            scope,
            principal: row.principal,
            principal_id: PrincipalId(row.principal_id),
            role: row.role,
            disabled: row.disabled,
        })
    }
}

impl Place {
    async fn find(connection: &mut PgConnection, scope: &ScopePath) -> Result<Self> {
        let (tenant, project) = match scope {
            ScopePath::Platform => (None, None),
            ScopePath::Tenant(slug) => (Some(tenant(connection, slug).await?), None),
            ScopePath::Project(path) => {
                let (tenant, project) = project(connection, path).await?;
                (Some(tenant), Some(project))
            }
        };
        Ok(Self { tenant, project })
    }

    fn done(&self, event: &'static str, member: &Principal, role: &Role) -> Done {
        let mut done = Done::new(event, member.kind.as_str(), &member.id)
            .detail("principal", member.label())
            .detail("role", role.name.as_str())
            .detail("scope", role.scope.as_str());
        if let Some(tenant) = &self.tenant {
            done = done.tenant(tenant.id, &tenant.slug);
        }
        if let Some(project) = &self.project {
            done = done.project(project.id, &project.slug);
        }
        done
    }
}

async fn resolve(
    change: &mut ChangeTx<'_>,
    scope: &ScopePath,
    who: &PrincipalName,
    role: &str,
) -> Result<(Place, Principal, Role)> {
    let place = Place::find(&mut change.tx, scope).await?;
    let member = principal(&mut change.tx, who).await?;
    let home = place.tenant.as_ref().map(|tenant| tenant.id);
    let found = match roles::find(&mut change.tx, None, role).await? {
        None if home.is_some() => roles::find(&mut change.tx, home, role).await?,
        built_in => built_in,
    };
    let role = found.ok_or_else(|| StoreError::not_found("role", role))?;
    fits(&role, scope)?;
    Ok((place, member, role))
}

fn fits(role: &Role, scope: &ScopePath) -> Result<()> {
    let name = &role.name;
    if role.tenant.is_none() && name == "owner" {
        let hint = "a project has one owner: use `portcullis projects transfer`";
        return Err(StoreError::Refused(hint.to_owned()));
    }
    if role.scope != scope.kind() {
        let (wanted, given) = (role.scope.as_str(), scope.kind().as_str());
        return Err(StoreError::Refused(format!(
            "`{name}` is a role on a {wanted}, `{scope}` is a {given}"
        )));
    }
    Ok(())
}

const SUPERADMIN: &str = "superadmin";

/// Refuses a change just made that leaves no superadmin who can act.
///
/// Asked after the change: its lock on the policy version makes concurrent changes
/// wait, so two superadmins cannot remove each other at once.
pub(super) async fn superadmin_remains(connection: &mut PgConnection) -> Result<()> {
    let remains = sqlx::query_scalar!(
        r#"SELECT EXISTS (
               SELECT FROM bindings b
               JOIN roles r ON r.id = b.role_id
               JOIN principals p ON p.id = b.principal_id
               WHERE r.name = $1 AND r.tenant_id IS NULL AND p.disabled_at IS NULL
           ) AS "remains!""#,
        SUPERADMIN,
    )
    .fetch_one(connection)
    .await?;
    if remains {
        return Ok(());
    }
    let hint = "this would leave no superadmin who can act: make another one first";
    Err(StoreError::Refused(hint.to_owned()))
}

/// Whether the principal is a superadmin, disabled or not.
pub(super) async fn is_superadmin(connection: &mut PgConnection, who: PrincipalId) -> Result<bool> {
    let holds = sqlx::query_scalar!(
        r#"SELECT EXISTS (
               SELECT FROM bindings b JOIN roles r ON r.id = b.role_id
               WHERE b.principal_id = $1 AND r.name = $2 AND r.tenant_id IS NULL
           ) AS "holds!""#,
        who.0,
        SUPERADMIN,
    )
    .fetch_one(connection)
    .await?;
    Ok(holds)
}
