//! The roles and the database of a private Postgres.

use sqlx::{Connection, Executor, PgConnection};

use super::Urls;
use super::urls::DATABASE;

/// Whether the server takes connections.
pub(crate) async fn answers(urls: &Urls) -> bool {
    match PgConnection::connect(&urls.superuser()).await {
        Ok(connection) => connection.close().await.is_ok(),
        Err(_) => false,
    }
}

/// Whether [`bootstrap`] has finished: the database is the last thing it makes.
pub(crate) async fn is_bootstrapped(urls: &Urls) -> bool {
    match PgConnection::connect(&urls.gateway()).await {
        Ok(connection) => connection.close().await.is_ok(),
        Err(_) => false,
    }
}

/// Makes what is missing: the owner that migrates, the group role that holds the
/// gateway's grants, the gateway's login in that group, the database.
pub(crate) async fn bootstrap(urls: &Urls) -> Result<(), sqlx::Error> {
    let mut connection = PgConnection::connect(&urls.superuser()).await?;
    connection.execute(ROLES).await?;
    let exists: bool =
        sqlx::query_scalar("SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)")
            .bind(DATABASE)
            .fetch_one(&mut connection)
            .await?;
    if !exists {
        // Not inside a transaction: Postgres refuses that.
        connection.execute(CREATE_DATABASE).await?;
    }
    connection.close().await
}

const CREATE_DATABASE: &str = "CREATE DATABASE portcullis OWNER portcullis_owner";

const ROLES: &str = "
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'portcullis_owner') THEN
        CREATE ROLE portcullis_owner LOGIN CREATEROLE;
    END IF;
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'portcullis_gateway') THEN
        CREATE ROLE portcullis_gateway NOLOGIN;
    END IF;
    -- Or the migrations would try, which a mere CREATEROLE may not since version 16.
    GRANT portcullis_gateway TO portcullis_owner;
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'portcullis') THEN
        CREATE ROLE portcullis LOGIN IN ROLE portcullis_gateway;
    END IF;
END $$";

#[cfg(test)]
mod tests {
    use super::super::urls::{GATEWAY, OWNER};
    use super::*;

    #[test]
    fn the_statements_name_what_the_urls_name() {
        assert!(ROLES.contains(&format!("ROLE {OWNER} LOGIN")));
        assert!(ROLES.contains(&format!("ROLE {GATEWAY} LOGIN")));
        assert!(CREATE_DATABASE.contains(&format!("{DATABASE} OWNER {OWNER}")));
    }
}
