//! `portcullis users`.

use clap::Subcommand;
use serde_json::json;

use super::output::{Column, moment};
use super::session::{Run, Session};
use super::{CliError, links, password};
use crate::domain::{Email, LinkPurpose, PrincipalName};
use crate::store::{ListedPrincipal, StoreError};

#[derive(Debug, Subcommand)]
pub(super) enum UsersCommand {
    /// Create a user
    #[command(after_help = "Example: portcullis users create ann@example.com --name \"Ann Lee\"")]
    Create {
        /// E-mail address, in any case
        email: Email,
        /// Display name [default: the address]
        #[arg(long)]
        name: Option<String>,
    },
    /// List all users
    List,
    /// Give a user a password, and end their sessions
    ///
    /// Asks for it, twice; or reads one line from standard input if that is no terminal.
    SetPassword {
        /// E-mail address
        email: Email,
    },
    /// Send or print a link by which somebody new chooses their password; makes the user if there is none
    ///
    /// It works once, for seven days. Whoever has it can sign in as them.
    #[command(after_help = "Example: portcullis users invite ann@example.com --name \"Ann Lee\"")]
    Invite {
        /// E-mail address, in any case
        email: Email,
        /// Display name of a user that is made [default: the address]
        #[arg(long)]
        name: Option<String>,
        /// Print the link where it would be sent by mail
        #[arg(long)]
        print: bool,
    },
    /// Send or print a link by which somebody who forgot their password chooses another
    ///
    /// It works once, for an hour. Whoever has it can sign in as them.
    ResetPassword {
        /// E-mail address
        email: Email,
        /// Print the link where it would be sent by mail
        #[arg(long)]
        print: bool,
    },
    /// Take a user's second factors away, for who has lost them, and end their sessions
    ResetFactors {
        /// E-mail address
        email: Email,
    },
    /// Disable a user: keys and sessions stop working at once, nothing is lost
    Disable {
        /// E-mail address or id
        user: PrincipalName,
    },
    /// Enable a disabled user again
    Enable {
        /// E-mail address or id
        user: PrincipalName,
    },
}

impl Run for UsersCommand {
    async fn run(self, session: &mut Session) -> Result<(), CliError> {
        match self {
            Self::Create { email, name } => {
                let name = name.unwrap_or_else(|| email.to_string());
                let (db, author) = (&session.db, &mut session.author);
                let user = db.create_user(author, &email, &name).await?;
                Ok(session
                    .output
                    .done(&user, &format!("created user {email}"))?)
            }
            Self::List => {
                let users = session.db.users().await?;
                Ok(session.output.list(&users, USER_COLUMNS)?)
            }
            Self::SetPassword { email } => {
                let new = password::ask()?;
                let sign_in = session.configuration().and_then(|all| all.sign_in);
                let list = sign_in.and_then(|sign_in| sign_in.breached_passwords);
                password::refuse_breached(list, &new).await?;
                let hash = password::hash(&new).await?;
                let (db, author) = (&session.db, &mut session.author);
                db.set_password(author, &email, &hash).await?;
                let done = json!({ "email": email.as_str() });
                let text = format!("{email} has a new password");
                Ok(session.output.done(&done, &text)?)
            }
            Self::Invite { email, name, print } => {
                let name = name.unwrap_or_else(|| email.to_string());
                let (db, author) = (&session.db, &mut session.author);
                match db.create_user(author, &email, &name).await {
                    Ok(_) | Err(StoreError::Conflict(_)) => {}
                    Err(error) => return Err(error.into()),
                }
                links::make(session, &email, LinkPurpose::Invitation, print).await
            }
            Self::ResetPassword { email, print } => {
                links::make(session, &email, LinkPurpose::Reset, print).await
            }
            Self::ResetFactors { email } => {
                let (db, author) = (&session.db, &mut session.author);
                let removed = db.reset_factors(author, &email).await?;
                let done = json!({ "email": email.as_str(), "removed": removed });
                let text = format!("{email} signs in by password alone ({removed} removed)");
                Ok(session.output.done(&done, &text)?)
            }
            Self::Disable { user } => set_disabled(session, &user, true).await,
            Self::Enable { user } => set_disabled(session, &user, false).await,
        }
    }
}

const USER_COLUMNS: &[Column<ListedPrincipal>] = &[
    ("USER", |user| user.principal.label().to_owned()),
    ("NAME", |user| user.principal.name.clone()),
    ("STATE", state),
    ("MFA", |user| {
        if user.mfa_enabled { "yes" } else { "no" }.to_owned()
    }),
    ("CREATED", |user| moment(Some(user.created_at))),
    ("ID", |user| user.principal.id.to_string()),
];

pub(super) fn state(listed: &ListedPrincipal) -> String {
    let state = if listed.principal.disabled {
        "disabled"
    } else {
        "active"
    };
    state.to_owned()
}

pub(super) async fn set_disabled(
    session: &mut Session,
    who: &PrincipalName,
    disabled: bool,
) -> Result<(), CliError> {
    let (db, author) = (&session.db, &mut session.author);
    let principal = db.set_disabled(author, who, disabled).await?;
    let done = if disabled { "disabled" } else { "enabled" };
    let text = format!("{done} {who}");
    Ok(session.output.done(&json!(principal), &text)?)
}
