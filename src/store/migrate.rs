//! Migrations and built-in roles, by the owner of the database.

use serde::Serialize;
use sqlx::migrate::{Migrate, Migrator};
use sqlx::{Connection, PgConnection};

use super::author::{Done, write_event};
use super::{Author, DatabaseUrl, Result, StoreError};
use crate::domain::BuiltInRole;

static MIGRATIONS: Migrator = sqlx::migrate!();

/// What a migration changed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Migrated {
    /// Migrations applied, as `0001 gateway role`.
    pub applied: Vec<String>,
    /// Built-in roles that are new or differ from before.
    pub roles_written: Vec<String>,
    /// Built-in roles that are no more.
    pub roles_removed: Vec<String>,
}

/// Brings the schema and the built-in roles up to date. Several at once take turns.
///
/// # Errors
///
/// `Unavailable`; `Refused` when a migration was edited after it was applied, a custom
/// role bears a built-in name, or a role that is no more is still bound.
pub async fn migrate(
    url: &DatabaseUrl,
    author: &mut Author,
    roles: &[BuiltInRole],
) -> Result<Migrated> {
    let mut connection = url.connect_as_owner().await?;
    // Held until this session ends; sqlx takes it a second time.
    connection.lock().await?;
    // Row-level security holds the owner too.
    sqlx::query!("SELECT set_config('request.jwt.claim.role', 'gateway', false) AS role")
        .fetch_one(&mut connection)
        .await?;
    let before = applied(&mut connection).await?;
    MIGRATIONS.run(&mut connection).await?;
    let mut migrated = seed(&mut connection, author, roles).await?;
    migrated.applied = MIGRATIONS
        .iter()
        .filter(|migration| !before.contains(&migration.version))
        .map(|migration| format!("{:04} {}", migration.version, migration.description))
        .collect();
    connection.close().await?;
    Ok(migrated)
}

async fn applied(connection: &mut PgConnection) -> Result<Vec<i64>> {
    connection
        .ensure_migrations_table(&MIGRATIONS.table_name)
        .await?;
    let list = connection
        .list_applied_migrations(&MIGRATIONS.table_name)
        .await?;
    Ok(list.into_iter().map(|each| each.version).collect())
}

/// Writes the built-in roles in one transaction, with one event (`roles.seeded`) if
/// anything changed.
async fn seed(
    connection: &mut PgConnection,
    author: &mut Author,
    roles: &[BuiltInRole],
) -> Result<Migrated> {
    let mut tx = connection.begin().await?;
    refuse_clashes(&mut tx, roles).await?;
    let mut migrated = Migrated::default();
    for role in roles {
        if write(&mut tx, role).await? {
            migrated.roles_written.push(role.name.clone());
        }
    }
    migrated.roles_removed = remove_others(&mut tx, roles).await?;
    if !migrated.roles_written.is_empty() || !migrated.roles_removed.is_empty() {
        let done = Done::new("roles.seeded", "role", "built-in")
            .detail("written", migrated.roles_written.clone())
            .detail("removed", migrated.roles_removed.clone());
        write_event(&mut tx, author, done).await?;
    }
    tx.commit().await?;
    Ok(migrated)
}

async fn refuse_clashes(connection: &mut PgConnection, roles: &[BuiltInRole]) -> Result<()> {
    let clash = sqlx::query!(
        "SELECT r.name, t.slug FROM roles r JOIN tenants t ON t.id = r.tenant_id
         WHERE r.name = ANY ($1) LIMIT 1",
        &names(roles),
    )
    .fetch_optional(connection)
    .await?;
    match clash {
        None => Ok(()),
        Some(clash) => Err(StoreError::Refused(format!(
            "tenant `{}` has a custom role `{}`, which is now the name of a built-in one",
            clash.slug, clash.name
        ))),
    }
}

/// Whether the role was new or different.
async fn write(connection: &mut PgConnection, role: &BuiltInRole) -> Result<bool> {
    let written = sqlx::query!(
        "INSERT INTO roles AS r (id, tenant_id, name, scope, permissions)
         VALUES (gen_random_uuid(), NULL, $1, $2, $3)
         ON CONFLICT (name) WHERE tenant_id IS NULL
         DO UPDATE SET scope = excluded.scope, permissions = excluded.permissions
         WHERE (r.scope, r.permissions) IS DISTINCT FROM (excluded.scope, excluded.permissions)",
        role.name,
        role.scope.as_str(),
        &role.permissions,
    )
    .execute(connection)
    .await?;
    Ok(written.rows_affected() > 0)
}

async fn remove_others(
    connection: &mut PgConnection,
    roles: &[BuiltInRole],
) -> Result<Vec<String>> {
    let removed = sqlx::query_scalar!(
        "DELETE FROM roles WHERE tenant_id IS NULL AND name <> ALL ($1) RETURNING name",
        &names(roles),
    )
    .fetch_all(connection)
    .await?;
    Ok(removed)
}

fn names(roles: &[BuiltInRole]) -> Vec<String> {
    roles.iter().map(|role| role.name.clone()).collect()
}
