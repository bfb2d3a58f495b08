//! `portcullis sessions`.

use clap::Subcommand;
use serde_json::json;

use super::CliError;
use super::output::{Column, moment};
use super::session::{Run, Session};
use crate::domain::{Email, Session as SignedIn, SessionId};

#[derive(Debug, Subcommand)]
pub(super) enum SessionsCommand {
    /// List where a user is signed in
    List {
        /// E-mail address
        email: Email,
    },
    /// End a session, at every gateway at once
    Revoke {
        /// Id of the session, from the list or the audit trail
        id: SessionId,
    },
    /// End all sessions of a user
    #[command(after_help = "Example: portcullis sessions revoke-all ann@example.com")]
    RevokeAll {
        /// E-mail address
        email: Email,
    },
}

impl Run for SessionsCommand {
    async fn run(self, session: &mut Session) -> Result<(), CliError> {
        let (db, author) = (&session.db, &mut session.author);
        match self {
            Self::List { email } => {
                let sessions = db.sessions_of_user(author, &email).await?;
                Ok(session.output.list(&sessions, COLUMNS)?)
            }
            Self::Revoke { id } => {
                db.revoke_session(author, id).await?;
                let text = format!("ended session {id}");
                Ok(session.output.done(&json!({ "id": id }), &text)?)
            }
            Self::RevokeAll { email } => {
                let ended = db.revoke_sessions(author, &email).await?;
                let text = format!("ended {ended} sessions of {email}");
                let done = json!({ "email": email.as_str(), "ended": ended });
                Ok(session.output.done(&done, &text)?)
            }
        }
    }
}

const COLUMNS: &[Column<SignedIn>] = &[
    ("BEGAN", |session| moment(Some(session.created_at))),
    ("LAST ACTIVE", |session| {
        moment(Some(session.last_active_at))
    }),
    ("ADDRESS", |session| {
        session
            .address
            .map_or_else(String::new, |ip| ip.to_string())
    }),
    ("DEVICE", |session| session.user_agent.clone()),
    ("ID", |session| session.id.to_string()),
];
