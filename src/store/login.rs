//! Whether a login is one that row-level security holds.

use sqlx::PgConnection;

use super::{Result, StoreError};

/// Refuses a session whose login could get around row-level security: as a superuser, by
/// BYPASSRLS, as the owner of the tables, or by making itself any of these. The role that
/// the session has taken is one of those that its login is a member of, so it is covered.
pub(super) async fn check(connection: &mut PgConnection) -> Result<()> {
    let found = sqlx::query!(
        r#"SELECT session_user::text AS "login!", CASE
               WHEN me.rolsuper THEN 'is a superuser'
               WHEN me.rolbypassrls THEN 'has BYPASSRLS'
               WHEN me.rolcreaterole THEN 'has CREATEROLE'
               WHEN EXISTS (
                   SELECT FROM pg_class c
                   WHERE c.relnamespace = to_regnamespace('public') AND c.relkind IN ('r', 'p')
                       AND c.relname IN ('tenants', 'projects', 'principals', 'roles', 'bindings',
                           'api_keys', 'api_key_usage', 'resources', 'audit_events')
                       AND pg_has_role(session_user, c.relowner, 'MEMBER')
               ) THEN 'owns the tables, or is a member of the role that does'
               WHEN EXISTS (
                   SELECT FROM pg_roles r WHERE (r.rolsuper OR r.rolbypassrls)
                       AND pg_has_role(session_user, r.oid, 'MEMBER')
               ) THEN 'is a member of a role that is a superuser or has BYPASSRLS'
           END AS why
           FROM pg_roles me WHERE me.rolname = session_user"#
    )
    .fetch_one(connection)
    .await?;
    match found.why {
        None => Ok(()),
        Some(why) => Err(StoreError::UnfitLogin(format!(
            "the database login `{login}` {why}, so row-level security does not hold it. Connect \
             as one that is a member of `portcullis_gateway` and of nothing else (as a \
             superuser: CREATE ROLE portcullis LOGIN IN ROLE portcullis_gateway), and keep the \
             owner of the tables for `portcullis migrate` (`database.migrate_url`)",
            login = found.login
        ))),
    }
}
