//! `portcullis members`.

use clap::{Args, Subcommand};
use serde_json::json;

use super::CliError;
use super::output::Column;
use super::session::{Run, Session};
use crate::domain::{PrincipalName, ScopePath};
use crate::store::Member;

#[derive(Debug, Subcommand)]
pub(super) enum MembersCommand {
    /// Give a principal a role somewhere
    #[command(
        after_help = "Example: portcullis members add --scope acme/fraud --principal bob@example.com --role viewer"
    )]
    Add(Membership),
    /// Take a role away again
    Remove(Membership),
    /// List members; the owner of a project is listed with the role `owner`
    List {
        /// Only those of `platform`, TENANT or TENANT/PROJECT itself
        #[arg(long)]
        scope: Option<ScopePath>,
    },
}

#[derive(Args, Debug)]
pub(super) struct Membership {
    /// Where: `platform`, TENANT or TENANT/PROJECT
    #[arg(long)]
    scope: ScopePath,
    /// Who: an e-mail address, TENANT/NAME of a service account, or an id
    #[arg(long)]
    principal: PrincipalName,
    /// Which role (see `portcullis roles list`)
    #[arg(long)]
    role: String,
}

impl Run for MembersCommand {
    async fn run(self, session: &mut Session) -> Result<(), CliError> {
        let (db, author) = (&session.db, &mut session.author);
        match self {
            Self::Add(it) => {
                let Membership {
                    scope,
                    principal,
                    role,
                } = &it;
                db.add_member(author, scope, principal, role).await?;
                it.print(session, "is now")
            }
            Self::Remove(it) => {
                let Membership {
                    scope,
                    principal,
                    role,
                } = &it;
                db.remove_member(author, scope, principal, role).await?;
                it.print(session, "is no longer")
            }
            Self::List { scope } => {
                let members = db.members(scope.as_ref()).await?;
                Ok(session.output.list(&members, COLUMNS)?)
            }
        }
    }
}

impl Membership {
    fn print(&self, session: &Session, verb: &str) -> Result<(), CliError> {
        let Self {
            scope,
            principal,
            role,
        } = self;
        let object = json!({
            "scope": scope,
            "principal": principal.to_string(),
            "role": role,
        });
        let text = format!("{principal} {verb} {role} on {scope}");
        Ok(session.output.done(&object, &text)?)
    }
}

const COLUMNS: &[Column<Member>] = &[
    ("SCOPE", |member| member.scope.to_string()),
    ("PRINCIPAL", |member| member.principal.clone()),
    ("ROLE", |member| member.role.clone()),
    ("STATE", |member| {
        let state = if member.disabled {
            "disabled"
        } else {
            "active"
        };
        state.to_owned()
    }),
];
