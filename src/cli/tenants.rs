//! `portcullis tenants`.

use clap::Subcommand;

use super::CliError;
use super::session::{Run, Session};
use crate::domain::Slug;

#[derive(Debug, Subcommand)]
pub(super) enum TenantsCommand {
    /// Create a tenant
    #[command(after_help = "Example: portcullis tenants create acme --name \"Acme Bank\"")]
    Create {
        /// Short name: lower-case letters, digits, single hyphens
        slug: Slug,
        /// Display name [default: the short name]
        #[arg(long)]
        name: Option<String>,
    },
    /// List all tenants
    List,
}

impl Run for TenantsCommand {
    async fn run(self, session: &mut Session) -> Result<(), CliError> {
        match self {
            Self::Create { slug, name } => {
                let name = name.unwrap_or_else(|| slug.to_string());
                let author = &mut session.author;
                let tenant = session.db.create_tenant(author, &slug, &name).await?;
                let text = format!("created tenant {slug}");
                Ok(session.output.done(&tenant, &text)?)
            }
            Self::List => {
                let tenants = session.db.tenants().await?;
                Ok(session.output.list(
                    &tenants,
                    &[
                        ("TENANT", |tenant| tenant.slug.to_string()),
                        ("NAME", |tenant| tenant.name.clone()),
                        ("ID", |tenant| tenant.id.to_string()),
                    ],
                )?)
            }
        }
    }
}
