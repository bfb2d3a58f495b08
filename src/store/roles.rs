//! Built-in and custom roles.

use sqlx::{PgConnection, types::Uuid};

use super::author::Done;
use super::tenants::tenant;
use super::{Author, Db, Result, StoreError};
use crate::domain::{Catalogue, PermissionRule, Role, RoleId, RoleScope, Slug, TenantId};

/// A custom role to be created.
#[derive(Clone, Debug)]
pub struct NewRole {
    /// The tenant it belongs to.
    pub tenant: Slug,
    /// Its name.
    pub name: String,
    /// Where it can be bound: not on the platform.
    pub scope: RoleScope,
    /// Its lines ([`PermissionRule`]); who asks has checked their conditions.
    pub permissions: Vec<String>,
}

pub(super) struct RoleRow {
    pub(super) id: Uuid,
    pub(super) tenant_id: Option<Uuid>,
    pub(super) name: String,
    pub(super) scope: String,
    pub(super) permissions: Vec<String>,
}

impl TryFrom<RoleRow> for Role {
    type Error = StoreError;

    fn try_from(row: RoleRow) -> Result<Self> {
        Ok(Self {
            id: RoleId(row.id),
            tenant: row.tenant_id.map(TenantId),
            name: row.name,
            scope: scope(&row.scope)?,
            permissions: row.permissions,
        })
    }
}

fn scope(text: &str) -> Result<RoleScope> {
    match text {
        "platform" => Ok(RoleScope::Platform),
        "tenant" => Ok(RoleScope::Tenant),
        "project" => Ok(RoleScope::Project),
        other => Err(StoreError::Corrupt(format!("role scope `{other}`"))),
    }
}

impl Db {
    /// Creates a custom role in a tenant (`role.created`).
    ///
    /// # Errors
    ///
    /// `NotFound` for the tenant, `Conflict` if the tenant or Portcullis itself has a role
    /// of this name, `Refused` for an unknown permission or the scope platform.
    pub async fn create_role(
        &self,
        author: &mut Author,
        new: &NewRole,
        catalogue: &Catalogue,
    ) -> Result<Role> {
        check_patterns(&new.permissions, catalogue)?;
        let mut change = self.change(author).await?;
        let home = tenant(&mut change.tx, &new.tenant).await?;
        if find(&mut change.tx, None, &new.name).await?.is_some() {
            let clash = format!("a built-in role is called `{}`", new.name);
            return Err(StoreError::Conflict(clash));
        }
        let role = Role {
            id: RoleId(change.author.id()),
            tenant: Some(home.id),
            name: new.name.clone(),
            scope: new.scope,
            permissions: new.permissions.clone(),
        };
        sqlx::query!(
            "INSERT INTO roles (id, tenant_id, name, scope, permissions, created_at)
             VALUES ($1, $2, $3, $4, $5, $6)",
            role.id.0,
            home.id.0,
            role.name,
            role.scope.as_str(),
            &role.permissions,
            change.author.now(),
        )
        .execute(&mut *change.tx)
        .await?;
        let done = Done::new("role.created", "role", &role.id)
            .tenant(home.id, &home.slug)
            .detail("name", role.name.as_str())
            .detail("scope", role.scope.as_str())
            .detail("permissions", role.permissions.clone());
        change.commit(done).await?;
        Ok(role)
    }

    /// Deletes a custom role (`role.deleted`).
    ///
    /// # Errors
    ///
    /// `NotFound`, `Refused` while it is bound or for a built-in role.
    pub async fn delete_role(&self, author: &mut Author, of: &Slug, name: &str) -> Result<()> {
        let mut change = self.change(author).await?;
        let home = tenant(&mut change.tx, of).await?;
        let Some(role) = find(&mut change.tx, Some(home.id), name).await? else {
            return Err(no_custom_role(&mut change.tx, name).await?);
        };
        sqlx::query!("DELETE FROM roles WHERE id = $1", role.id.0)
            .execute(&mut *change.tx)
            .await?;
        let done = Done::new("role.deleted", "role", &role.id)
            .tenant(home.id, &home.slug)
            .detail("name", name);
        change.commit(done).await
    }

    /// The built-in roles and the custom ones, of one tenant or of all; built-in first.
    ///
    /// # Errors
    ///
    /// `NotFound` for the tenant.
    pub async fn roles(&self, of: Option<&Slug>) -> Result<Vec<Role>> {
        let only = match of {
            Some(slug) => Some(self.tenant(slug).await?.id.0),
            None => None,
        };
        let rows = sqlx::query_as!(
            RoleRow,
            "SELECT id, tenant_id, name, scope, permissions FROM roles
             WHERE tenant_id IS NULL OR $1::uuid IS NULL OR tenant_id = $1
             ORDER BY tenant_id NULLS FIRST, array_position('{platform,tenant,project}', scope), name",
            only,
        )
        .fetch_all(&mut *self.read().await?)
        .await?;
        rows.into_iter().map(Role::try_from).collect()
    }
}

/// The role of this name that a tenant (`None`: Portcullis itself) defines.
pub(super) async fn find(
    connection: &mut PgConnection,
    of: Option<TenantId>,
    name: &str,
) -> Result<Option<Role>> {
    let row = sqlx::query_as!(
        RoleRow,
        "SELECT id, tenant_id, name, scope, permissions FROM roles
         WHERE tenant_id IS NOT DISTINCT FROM $1 AND name = $2",
        of.map(|TenantId(id)| id),
        name,
    )
    .fetch_optional(connection)
    .await?;
    row.map(Role::try_from).transpose()
}

async fn no_custom_role(connection: &mut PgConnection, name: &str) -> Result<StoreError> {
    Ok(match find(connection, None, name).await? {
        Some(_) => StoreError::Refused(format!("`{name}` is built in")),
        None => StoreError::not_found("role", name),
    })
}

/// Whether every pattern stands for something.
pub(super) fn check_patterns(patterns: &[String], catalogue: &Catalogue) -> Result<()> {
    let (_, unknown) = catalogue.expand(PermissionRule::patterns(patterns));
    match unknown.as_slice() {
        [] if patterns.is_empty() => Err(StoreError::Refused("no permission given".to_owned())),
        [] => Ok(()),
        some => Err(StoreError::Refused(format!(
            "no such permission: {}",
            some.join(", ")
        ))),
    }
}
