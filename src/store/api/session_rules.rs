//! Session rules of tenants and projects.

use sqlx::types::Json;

use super::super::Result;
use super::super::author::Done;
use super::tx::{ApiTx, ReadTx};
use crate::domain::{Project, ProjectId, SessionRules, Tenant, TenantId};

impl ReadTx {
    /// Those of a tenant; none is as empty ones.
    ///
    /// # Errors
    ///
    /// `Unavailable`.
    pub async fn rules_of_tenant(&mut self, id: TenantId) -> Result<SessionRules> {
        of_tenant(&mut self.0, id).await
    }

    /// Those of a project; none is as empty ones.
    ///
    /// # Errors
    ///
    /// `Unavailable`.
    pub async fn rules_of_project(&mut self, id: ProjectId) -> Result<SessionRules> {
        of_project(&mut self.0, id).await
    }
}

impl ApiTx {
    /// Those of a tenant, as they will stay until the change is made.
    ///
    /// # Errors
    ///
    /// `Unavailable`.
    pub async fn rules_of_tenant(&mut self, id: TenantId) -> Result<SessionRules> {
        of_tenant(self.connection(), id).await
    }

    /// Those of a project, as they will stay until the change is made.
    ///
    /// # Errors
    ///
    /// `Unavailable`.
    pub async fn rules_of_project(&mut self, id: ProjectId) -> Result<SessionRules> {
        of_project(self.connection(), id).await
    }

    /// Gives a tenant other rules (`session_rules.updated`).
    ///
    /// # Errors
    ///
    /// `Unavailable`.
    pub async fn put_rules_of_tenant(&mut self, of: &Tenant, rules: &SessionRules) -> Result<Done> {
        sqlx::query!(
            "UPDATE tenants SET session_rules = $2 WHERE id = $1",
            of.id.0,
            Json(rules) as Json<&SessionRules>,
        )
        .execute(self.connection())
        .await?;
        let done = Done::new("session_rules.updated", "tenant", &of.id);
        Ok(told(done.tenant(of.id, &of.slug), rules))
    }

    /// Gives a project other rules (`session_rules.updated`).
    ///
    /// # Errors
    ///
    /// `Unavailable`.
    pub async fn put_rules_of_project(
        &mut self,
        (tenant, project): (&Tenant, &Project),
        rules: &SessionRules,
    ) -> Result<Done> {
        sqlx::query!(
            "UPDATE projects SET session_rules = $2 WHERE id = $1",
            project.id.0,
            Json(rules) as Json<&SessionRules>,
        )
        .execute(self.connection())
        .await?;
        let done = Done::new("session_rules.updated", "project", &project.id)
            .tenant(tenant.id, &tenant.slug)
            .project(project.id, &project.slug);
        Ok(told(done, rules))
    }
}

fn told(done: Done, rules: &SessionRules) -> Done {
    done.detail("rules", serde_json::json!(rules))
}

async fn of_tenant(connection: &mut sqlx::PgConnection, id: TenantId) -> Result<SessionRules> {
    let found = sqlx::query_scalar!(
        r#"SELECT session_rules AS "rules: Json<SessionRules>" FROM tenants WHERE id = $1"#,
        id.0,
    )
    .fetch_optional(connection)
    .await?;
    Ok(found.flatten().map(|Json(rules)| rules).unwrap_or_default())
}

async fn of_project(connection: &mut sqlx::PgConnection, id: ProjectId) -> Result<SessionRules> {
    let found = sqlx::query_scalar!(
        r#"SELECT session_rules AS "rules: Json<SessionRules>" FROM projects WHERE id = $1"#,
        id.0,
    )
    .fetch_optional(connection)
    .await?;
    Ok(found.flatten().map(|Json(rules)| rules).unwrap_or_default())
}
