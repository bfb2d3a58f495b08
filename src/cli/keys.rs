//! `portcullis keys`.

use chrono::{DateTime, Utc};
use clap::{Args, Subcommand};
use secrecy::ExposeSecret;
use serde_json::json;

use super::CliError;
use super::output::{Column, moment};
use super::session::{Run, Session};
use super::when::When;
use crate::domain::{KeyId, PrincipalName, ProjectPath};
use crate::store::{CreatedKey, ListedKey, NewKey};

#[derive(Debug, Subcommand)]
pub(super) enum KeysCommand {
    /// Create a key and print it: the only time that it is shown
    ///
    /// A key can never do more than its holder can at that moment; `--project` and
    /// `--permission` limit it further. Only the key goes to standard output.
    ///
    /// Example:
    ///
    ///   portcullis keys create --principal acme/trainer --project acme/fraud \
    ///     --permission 'runs:*' --permission experiments:read --expires 90d
    #[command(verbatim_doc_comment)]
    Create(Create),
    /// List keys, the newest first
    List {
        /// Only those of this holder
        #[arg(long)]
        principal: Option<PrincipalName>,
    },
    /// Revoke a key, for good
    Revoke {
        /// The 12 characters after `pcl_live_`
        id: KeyId,
    },
}

#[derive(Args, Debug)]
pub(super) struct Create {
    /// The holder: an e-mail address, TENANT/NAME of a service account, or an id
    #[arg(long)]
    principal: PrincipalName,
    /// Limit it to this project (may be given several times)
    #[arg(long = "project", value_name = "TENANT/PROJECT")]
    projects: Vec<ProjectPath>,
    /// Limit it to this permission, or pattern like `runs:*` (may be given several times)
    #[arg(long = "permission", value_name = "PERMISSION", value_delimiter = ',')]
    permissions: Vec<String>,
    /// When it ends by itself: `30d`, or a moment like `2027-01-31T00:00:00Z`
    #[arg(long)]
    expires: Option<When>,
    /// What it is for
    #[arg(long, default_value = "")]
    description: String,
}

impl Run for KeysCommand {
    async fn run(self, session: &mut Session) -> Result<(), CliError> {
        match self {
            Self::Create(it) => it.run(session).await,
            Self::List { principal } => list(session, principal.as_ref()).await,
            Self::Revoke { id } => {
                session.db.revoke_key(&mut session.author, &id).await?;
                let text = format!("revoked key {id}");
                Ok(session.output.done(&json!({ "id": id }), &text)?)
            }
        }
    }
}

impl Create {
    async fn run(self, session: &mut Session) -> Result<(), CliError> {
        let catalogue = session.catalogue()?;
        let now = session.clock.now();
        let new = NewKey {
            principal: self.principal,
            projects: self.projects,
            permissions: self.permissions,
            description: self.description,
            expires_at: self.expires.map(|when| when.after(now)),
        };
        let (db, author) = (&session.db, &mut session.author);
        let created = db.create_key(author, &new, &catalogue).await?;
        for path in &created.out_of_reach {
            let holder = &new.principal;
            eprintln!("warning: {holder} has no role in {path}: the key opens nothing there");
        }
        print(session, &created)
    }
}

fn print(session: &Session, created: &CreatedKey) -> Result<(), CliError> {
    let whole = created.token.reveal();
    let mut object = json!(created.key);
    object["key"] = whole.expose_secret().into();
    Ok(session.output.done(&object, whole.expose_secret())?)
}

async fn list(session: &Session, of: Option<&PrincipalName>) -> Result<(), CliError> {
    let now = session.clock.now();
    let keys = session.db.keys(of).await?;
    let rows: Vec<Row> = keys.into_iter().map(|key| Row::new(key, now)).collect();
    Ok(session.output.list(&rows, COLUMNS)?)
}

#[derive(serde::Serialize)]
struct Row {
    #[serde(flatten)]
    listed: ListedKey,
    state: &'static str,
}

impl Row {
    fn new(listed: ListedKey, now: DateTime<Utc>) -> Self {
        let key = &listed.key;
        let state = if key.revoked_at.is_some() {
            "revoked"
        } else if key.expires_at.is_some_and(|at| at <= now) {
            "expired"
        } else {
            "active"
        };
        Self { listed, state }
    }
}

const COLUMNS: &[Column<Row>] = &[
    ("KEY", |row| row.listed.key.id.to_string()),
    ("HOLDER", |row| row.listed.holder.clone()),
    ("STATE", |row| row.state.to_owned()),
    ("PROJECTS", |row| limited(row.listed.project_paths.as_ref())),
    ("PERMISSIONS", |row| {
        limited(row.listed.key.permissions.as_ref())
    }),
    ("EXPIRES", |row| moment(row.listed.key.expires_at)),
    ("LAST USED", |row| moment(row.listed.key.last_used_at)),
    ("DESCRIPTION", |row| row.listed.key.description.clone()),
];

fn limited(to: Option<&Vec<String>>) -> String {
    to.map_or_else(|| "all".to_owned(), |some| some.join(" "))
}
