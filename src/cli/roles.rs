//! `portcullis roles`.

use std::collections::HashMap;

use clap::{Args, Subcommand, ValueEnum};
use serde_json::json;

use super::CliError;
use super::session::{Run, Session};
use crate::domain::{Effect, PermissionRule, Role, RoleScope, Slug};
use crate::policy::{Condition, ConditionError};
use crate::store::NewRole;

#[derive(Debug, Subcommand)]
pub(super) enum RolesCommand {
    /// List built-in and custom roles
    List {
        /// Only the built-in ones and those of this tenant
        #[arg(long)]
        tenant: Option<Slug>,
    },
    /// Create a custom role in a tenant
    #[command(after_help = "\
Example: portcullis roles create --tenant acme labeller --permissions 'runs:read,datasets:*'")]
    Create(Create),
    /// Delete a custom role that nobody holds any more
    Delete {
        /// The tenant it belongs to
        #[arg(long)]
        tenant: Slug,
        /// Its name
        name: String,
    },
}

#[derive(Args, Debug)]
pub(super) struct Create {
    /// The tenant it belongs to
    #[arg(long)]
    tenant: Slug,
    /// Its name: lower-case letters, digits and `_`
    name: String,
    /// Where it can be given
    #[arg(long, value_enum, default_value = "project")]
    scope: CustomScope,
    /// Permissions, separated by commas: `models:read`, `models:*`, `*:read`
    #[arg(long, value_delimiter = ',', required = true)]
    permissions: Vec<String>,
    /// Count only while this holds, in CEL: `resource.environment != "production"`
    #[arg(long, value_name = "CEL", value_parser = condition)]
    when: Option<String>,
    /// Permissions that the role takes away, whoever grants them
    #[arg(long, value_delimiter = ',', value_name = "PERMISSIONS")]
    deny: Vec<String>,
}

/// A condition that can be read, as it is written.
pub(super) fn condition(text: &str) -> Result<String, ConditionError> {
    Condition::compile(text).map(|condition| condition.to_string())
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum CustomScope {
    Tenant,
    Project,
}

impl From<CustomScope> for RoleScope {
    fn from(scope: CustomScope) -> Self {
        match scope {
            CustomScope::Tenant => Self::Tenant,
            CustomScope::Project => Self::Project,
        }
    }
}

impl Run for RolesCommand {
    async fn run(self, session: &mut Session) -> Result<(), CliError> {
        match self {
            Self::List { tenant } => list(session, tenant.as_ref()).await,
            Self::Create(it) => it.run(session).await,
            Self::Delete { tenant, name } => {
                let (db, author) = (&session.db, &mut session.author);
                db.delete_role(author, &tenant, &name).await?;
                let object = json!({ "tenant": tenant, "name": name });
                let text = format!("deleted role {name} of {tenant}");
                Ok(session.output.done(&object, &text)?)
            }
        }
    }
}

impl Create {
    async fn run(self, session: &mut Session) -> Result<(), CliError> {
        let catalogue = session.catalogue()?;
        let given = self.permissions.iter().map(|pattern| PermissionRule {
            effect: Effect::Allow,
            pattern,
            condition: self.when.as_deref(),
        });
        let taken = self.deny.iter().map(|pattern| PermissionRule {
            effect: Effect::Deny,
            pattern,
            condition: None,
        });
        let lines = given.chain(taken).map(|rule| rule.to_string());
        let new = NewRole {
            tenant: self.tenant,
            name: self.name,
            scope: self.scope.into(),
            permissions: lines.collect(),
        };
        let (db, author) = (&session.db, &mut session.author);
        let role = db.create_role(author, &new, &catalogue).await?;
        let text = format!("created role {} in {}", role.name, new.tenant);
        Ok(session.output.done(&role, &text)?)
    }
}

async fn list(session: &Session, tenant: Option<&Slug>) -> Result<(), CliError> {
    let roles = session.db.roles(tenant).await?;
    let tenants = session.db.tenants().await?;
    let slugs: HashMap<_, _> = tenants.iter().map(|each| (each.id, &each.slug)).collect();
    let origin = |role: &Role| match role.tenant.and_then(|id| slugs.get(&id)) {
        Some(slug) => slug.to_string(),
        None => "built in".to_owned(),
    };
    let rows: Vec<_> = roles
        .into_iter()
        .map(|role| {
            json!({
                "id": role.id,
                "name": role.name,
                "scope": role.scope,
                "origin": origin(&role),
                "permissions": role.permissions,
            })
        })
        .collect();
    Ok(session.output.list(
        &rows,
        &[
            ("ROLE", |row| text(&row["name"])),
            ("SCOPE", |row| text(&row["scope"])),
            ("ORIGIN", |row| text(&row["origin"])),
            ("PERMISSIONS", |row| {
                let all = row["permissions"].as_array().into_iter().flatten();
                all.map(text).collect::<Vec<_>>().join(", ")
            }),
        ],
    )?)
}

fn text(value: &serde_json::Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
