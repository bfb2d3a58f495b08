//! Who holds which role where: binding and unbinding.

use sqlx::PgConnection;

use super::author::{ChangeTx, Done};
use super::projects::{project, project_by_id};
use super::resources::resource;
use super::tenants::tenant;
use super::{Author, Db, ListedResource, Result, StoreError, roles};
use crate::domain::{
    BindingId, Effect, Principal, PrincipalId, PrincipalName, Project, ResourceKey, Role,
    RoleScope, ScopePath, Tenant,
};

/// Where a binding hangs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BindingPlace {
    /// On the platform, a tenant or a project.
    Scope(ScopePath),
    /// On one object.
    Resource(ResourceKey),
}

/// A binding, as it is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewBinding {
    /// Where.
    pub place: BindingPlace,
    /// Who.
    pub principal: PrincipalName,
    /// Which role: one of a project also on an object.
    pub role: String,
    /// What becomes of the role's permissions.
    pub effect: Effect,
    /// Counts only while this holds, in CEL; who asks has checked it.
    pub condition: Option<String>,
}

impl NewBinding {
    /// A role granted without more ado.
    #[must_use]
    pub fn plain(scope: &ScopePath, who: &PrincipalName, role: &str) -> Self {
        Self {
            place: BindingPlace::Scope(scope.clone()),
            principal: who.clone(),
            role: role.to_owned(),
            effect: Effect::Allow,
            condition: None,
        }
    }
}

/// A place with the rows that name it.
pub(super) struct Place {
    pub(super) tenant: Option<Tenant>,
    pub(super) project: Option<Project>,
    pub(super) resource: Option<ListedResource>,
}

impl Db {
    /// Binds a role to a principal at a scope (`member.added`).
    ///
    /// # Errors
    ///
    /// As [`Db::bind`].
    pub async fn add_member(
        &self,
        author: &mut Author,
        scope: &ScopePath,
        who: &PrincipalName,
        role: &str,
    ) -> Result<()> {
        let new = NewBinding::plain(scope, who, role);
        self.bind(author, &new).await.map(drop)
    }

    /// Takes a role away again (`member.removed`).
    ///
    /// # Errors
    ///
    /// As [`Db::unbind`].
    pub async fn remove_member(
        &self,
        author: &mut Author,
        scope: &ScopePath,
        who: &PrincipalName,
        role: &str,
    ) -> Result<()> {
        let old = NewBinding::plain(scope, who, role);
        self.unbind(author, &old).await
    }

    /// Makes a binding (`member.added`).
    ///
    /// # Errors
    ///
    /// `NotFound`, `Conflict` if it is there already, `Refused` when role and place do not
    /// fit, a service account would leave its tenant, or no superadmin would be left.
    pub async fn bind(&self, author: &mut Author, new: &NewBinding) -> Result<BindingId> {
        let member = self.anyone(&new.principal).await?;
        let mut change = self.change(author).await?;
        let (place, role) = resolve(&mut change, new).await?;
        let id = change.author.id();
        sqlx::query!(
            "INSERT INTO bindings (id, principal_id, role_id, scope, tenant_id, project_id,
                 resource_id, effect, condition, created_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
            id,
            member.id.0,
            role.id.0,
            place.kind(),
            place.tenant.as_ref().map(|tenant| tenant.id.0),
            place.project.as_ref().map(|project| project.id.0),
            place.resource.as_ref().map(|resource| resource.id.0),
            new.effect.as_str(),
            new.condition,
            change.author.now(),
        )
        .execute(&mut *change.tx)
        .await?;
        if new.effect == Effect::Deny && place.tenant.is_none() {
            superadmin_remains(&mut change.tx).await?;
        }
        let done = place.done("member.added", &member, &role, new);
        change.commit(done).await?;
        Ok(BindingId(id))
    }

    /// Removes a binding (`member.removed`).
    ///
    /// # Errors
    ///
    /// `NotFound` if there is none like it, `Refused` for the last superadmin.
    pub async fn unbind(&self, author: &mut Author, old: &NewBinding) -> Result<()> {
        let member = self.anyone(&old.principal).await?;
        let mut change = self.change(author).await?;
        let (place, role) = resolve(&mut change, old).await?;
        let removed = sqlx::query!(
            "DELETE FROM bindings WHERE principal_id = $1 AND role_id = $2
             AND tenant_id IS NOT DISTINCT FROM $3 AND project_id IS NOT DISTINCT FROM $4
             AND resource_id IS NOT DISTINCT FROM $5 AND effect = $6
             AND condition IS NOT DISTINCT FROM $7",
            member.id.0,
            role.id.0,
            place.tenant.as_ref().map(|tenant| tenant.id.0),
            place.project.as_ref().map(|project| project.id.0),
            place.resource.as_ref().map(|resource| resource.id.0),
            old.effect.as_str(),
            old.condition,
        )
        .execute(&mut *change.tx)
        .await?;
        if removed.rows_affected() == 0 {
            let (who, role) = (&old.principal, &role.name);
            let name = format!("{who} as {role} on {}", old.place);
            return Err(StoreError::not_found("member", &name));
        }
        if role.name == SUPERADMIN {
            superadmin_remains(&mut change.tx).await?;
        }
        let done = place.done("member.removed", &member, &role, old);
        change.commit(done).await
    }
}

impl std::fmt::Display for BindingPlace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Scope(scope) => scope.fmt(f),
            Self::Resource(key) => key.fmt(f),
        }
    }
}

impl Place {
    pub(super) async fn find(connection: &mut PgConnection, place: &BindingPlace) -> Result<Self> {
        let mut found = Self {
            tenant: None,
            project: None,
            resource: None,
        };
        match place {
            BindingPlace::Scope(ScopePath::Platform) => {}
            BindingPlace::Scope(ScopePath::Tenant(slug)) => {
                found.tenant = Some(tenant(connection, slug).await?);
            }
            BindingPlace::Scope(ScopePath::Project(path)) => {
                let (tenant, project) = project(connection, path).await?;
                (found.tenant, found.project) = (Some(tenant), Some(project));
            }
            BindingPlace::Resource(key) => {
                let resource = resource(connection, key).await?;
                let (tenant, project) = project_by_id(connection, resource.project).await?;
                (found.tenant, found.project) = (Some(tenant), Some(project));
                found.resource = Some(resource);
            }
        }
        Ok(found)
    }

    /// The word used in SQL.
    pub(super) const fn kind(&self) -> &'static str {
        if self.resource.is_some() {
            "resource"
        } else {
            self.role_scope().as_str()
        }
    }

    /// The kind of role that can be bound here.
    const fn role_scope(&self) -> RoleScope {
        match (&self.tenant, &self.project) {
            (None, _) => RoleScope::Platform,
            (Some(_), None) => RoleScope::Tenant,
            (Some(_), Some(_)) => RoleScope::Project,
        }
    }

    fn done(
        &self,
        event: &'static str,
        member: &Principal,
        role: &Role,
        binding: &NewBinding,
    ) -> Done {
        let mut done = Done::new(event, member.kind.as_str(), &member.id)
            .detail("principal", member.label())
            .detail("role", role.name.as_str())
            .detail("scope", self.kind());
        if binding.effect == Effect::Deny {
            done = done.detail("effect", binding.effect.as_str());
        }
        if let Some(condition) = &binding.condition {
            done = done.detail("condition", condition.as_str());
        }
        if let Some(tenant) = &self.tenant {
            done = done.tenant(tenant.id, &tenant.slug);
        }
        if let Some(project) = &self.project {
            done = done.project(project.id, &project.slug);
        }
        if let Some(resource) = &self.resource {
            done = done.detail("resource", resource.id.to_string());
        }
        done
    }
}

async fn resolve(change: &mut ChangeTx<'_>, binding: &NewBinding) -> Result<(Place, Role)> {
    let place = Place::find(&mut change.tx, &binding.place).await?;
    let home = place.tenant.as_ref().map(|tenant| tenant.id);
    let name = &binding.role;
    let found = match roles::find(&mut change.tx, None, name).await? {
        None if home.is_some() => roles::find(&mut change.tx, home, name).await?,
        built_in => built_in,
    };
    let role = found.ok_or_else(|| StoreError::not_found("role", name))?;
    fits(&role, &place, &binding.place)?;
    Ok((place, role))
}

fn fits(role: &Role, place: &Place, named: &BindingPlace) -> Result<()> {
    let name = &role.name;
    if role.tenant.is_none() && name == "owner" {
        let hint = "a project has one owner: use `portcullis projects transfer`";
        return Err(StoreError::Refused(hint.to_owned()));
    }
    if role.scope != place.role_scope() {
        let (wanted, given) = (role.scope.as_str(), place.kind());
        return Err(StoreError::Refused(format!(
            "`{name}` is a role on a {wanted}, `{named}` is a {given}"
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
                   AND b.effect = 'allow' AND b.condition IS NULL
                   AND NOT EXISTS (
                       SELECT FROM bindings d
                       WHERE d.principal_id = p.id AND d.scope = 'platform' AND d.effect = 'deny')
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
                   AND b.effect = 'allow'
           ) AS "holds!""#,
        who.0,
        SUPERADMIN,
    )
    .fetch_one(connection)
    .await?;
    Ok(holds)
}
