//! `portcullis service-accounts`.

use clap::Subcommand;

use super::CliError;
use super::output::moment;
use super::session::{Run, Session};
use super::users::{set_disabled, state};
use crate::domain::{PrincipalName, ProjectPath, Slug};

#[derive(Debug, Subcommand)]
pub(super) enum ServiceAccountsCommand {
    /// Create a service account in a tenant, which it never leaves
    #[command(after_help = "Example: portcullis service-accounts create acme/trainer")]
    Create {
        /// TENANT/NAME
        #[arg(value_name = "TENANT/NAME")]
        path: ProjectPath,
    },
    /// List service accounts
    List {
        /// Only those of this tenant
        #[arg(long)]
        tenant: Option<Slug>,
    },
    /// Disable a service account: its keys stop working at once
    Disable {
        /// TENANT/NAME or id
        account: PrincipalName,
    },
    /// Enable a disabled service account again
    Enable {
        /// TENANT/NAME or id
        account: PrincipalName,
    },
}

impl Run for ServiceAccountsCommand {
    async fn run(self, session: &mut Session) -> Result<(), CliError> {
        match self {
            Self::Create { path } => {
                let ProjectPath { tenant, project } = &path;
                let (db, author) = (&session.db, &mut session.author);
                let account = db.create_service_account(author, tenant, project).await?;
                let text = format!("created service account {path}");
                Ok(session.output.done(&account, &text)?)
            }
            Self::List { tenant } => list(session, tenant.as_ref()).await,
            Self::Disable { account } => set_disabled(session, &account, true).await,
            Self::Enable { account } => set_disabled(session, &account, false).await,
        }
    }
}

async fn list(session: &Session, tenant: Option<&Slug>) -> Result<(), CliError> {
    let accounts = session.db.service_accounts(tenant).await?;
    Ok(session.output.list(
        &accounts,
        &[
            ("SERVICE ACCOUNT", |account| {
                let tenant = account.tenant_slug.as_deref().unwrap_or_default();
                format!("{tenant}/{}", account.principal.name)
            }),
            ("STATE", state),
            ("CREATED", |account| moment(Some(account.created_at))),
            ("ID", |account| account.principal.id.to_string()),
        ],
    )?)
}
