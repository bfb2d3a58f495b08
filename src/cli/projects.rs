//! `portcullis projects`.

use clap::Subcommand;
use serde_json::json;

use super::CliError;
use super::session::{Run, Session};
use crate::domain::{PrincipalName, Project, ProjectPath, Slug};
use crate::proxy::{LiveRules, Provisioner, Rules};
use crate::telemetry::Metrics;

#[derive(Debug, Subcommand)]
pub(super) enum ProjectsCommand {
    /// Create a project in a tenant
    #[command(
        after_help = "Example: portcullis projects create acme/fraud --owner ann@example.com"
    )]
    Create {
        /// TENANT/PROJECT
        path: ProjectPath,
        /// Its one owner: an e-mail address, TENANT/NAME of a service account, or an id
        #[arg(long)]
        owner: PrincipalName,
        /// Display name [default: the short name]
        #[arg(long)]
        name: Option<String>,
    },
    /// List projects
    List {
        /// Only those of this tenant
        #[arg(long)]
        tenant: Option<Slug>,
    },
    /// Give a project to another owner; the old one stays as `editor`
    #[command(after_help = "Example: portcullis projects transfer acme/fraud --to bob@example.com")]
    Transfer {
        /// TENANT/PROJECT
        path: ProjectPath,
        /// The new owner
        #[arg(long)]
        to: PrincipalName,
    },
}

impl Run for ProjectsCommand {
    async fn run(self, session: &mut Session) -> Result<(), CliError> {
        match self {
            Self::Create { path, owner, name } => create(session, &path, &owner, name).await,
            Self::List { tenant } => list(session, tenant.as_ref()).await,
            Self::Transfer { path, to } => {
                let (db, author) = (&session.db, &mut session.author);
                let project = db.transfer_project(author, &path, &to).await?;
                let text = format!("{path} now belongs to {to}");
                Ok(session.output.done(&object(&path, &project), &text)?)
            }
        }
    }
}

async fn create(
    session: &mut Session,
    path: &ProjectPath,
    owner: &PrincipalName,
    name: Option<String>,
) -> Result<(), CliError> {
    let name = name.unwrap_or_else(|| path.project.to_string());
    let (db, author) = (&session.db, &mut session.author);
    let project = db.create_project(author, path, &name, owner).await?;
    provision(session, path).await?;
    let text = format!("created project {path}, owned by {owner}");
    Ok(session.output.done(&object(path, &project), &text)?)
}

/// Makes the project known to the backends at once, if a configuration says how. What
/// fails here the gateway makes good when it runs.
async fn provision(session: &Session, path: &ProjectPath) -> Result<(), CliError> {
    let Some(mut config) = session.configuration() else {
        return Ok(());
    };
    // It runs for a moment: nobody reads its metrics.
    let rules = Rules::new(&mut config, None, &session.clock, &Metrics::new()).await;
    let rules = LiveRules::new(rules.map_err(CliError::failed)?);
    let provisioner = Provisioner::new(rules);
    let (tenant, project) = session.db.project(path).await?;
    if !provisioner.provision(&tenant, &project).await {
        eprintln!(
            "note: a backend is not ready for {path} yet; the gateway sees to it when it runs"
        );
    }
    Ok(())
}

async fn list(session: &Session, tenant: Option<&Slug>) -> Result<(), CliError> {
    let projects = session.db.projects(tenant).await?;
    Ok(session.output.list(
        &projects,
        &[
            ("PROJECT", |project| project.path.to_string()),
            ("OWNER", |project| project.owner.clone()),
            ("NAME", |project| project.name.clone()),
            ("ID", |project| project.id.to_string()),
        ],
    )?)
}

fn object(path: &ProjectPath, project: &Project) -> serde_json::Value {
    json!({
        "id": project.id,
        "path": path,
        "name": project.name,
        "owner_id": project.owner,
    })
}
