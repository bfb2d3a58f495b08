//! `portcullis keys`.

use chrono::{DateTime, Utc};
use clap::{Args, Subcommand};
use ipnet::IpNet;
use secrecy::ExposeSecret;
use serde_json::json;

use super::CliError;
use super::output::{Column, moment};
use super::session::{Run, Session};
use super::when::When;
use crate::domain::{ApiKey, KeyId, KeyState, KeyToken, PrincipalName, ProjectPath, Quota, Slug};
use crate::store::{ListedKey, NewKey};

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
    /// List keys that could be used and have not been for so long
    Unused {
        /// For how long: `90d`
        #[arg(long, default_value = "90d")]
        since: When,
        /// Only those of this holder
        #[arg(long)]
        principal: Option<PrincipalName>,
    },
    /// Make a key that takes another one's place, and print it; both work for a while
    #[command(after_help = "Example: portcullis keys rotate 3fW8kQpZ0aXb --overlap 12h")]
    Rotate {
        /// The 12 characters after `pcl_live_`
        id: KeyId,
        /// For how long, or until when, the former one goes on
        #[arg(long, default_value = "24h")]
        overlap: When,
    },
    /// Approve a key for a tenant that asks for that
    Approve {
        /// The 12 characters after `pcl_live_`
        id: KeyId,
        /// For which tenant
        #[arg(long)]
        tenant: Slug,
    },
    /// Revoke a key, for good
    Revoke {
        /// The 12 characters after `pcl_live_`
        id: KeyId,
    },
    /// Revoke all keys of one holder, or of one tenant, for good
    ///
    /// Of a tenant: those of its service accounts, and those that are for its projects only; what
    /// else was made before opens nothing in it any more.
    #[command(group = clap::ArgGroup::new("whose").required(true))]
    RevokeAll {
        /// The holder: an e-mail address, TENANT/NAME of a service account, or an id
        #[arg(long, group = "whose")]
        principal: Option<PrincipalName>,
        /// The tenant
        #[arg(long, group = "whose")]
        tenant: Option<Slug>,
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
    /// Let it be used from this network only: `10.0.0.0/8` (may be given several times)
    #[arg(long = "network", value_name = "CIDR")]
    networks: Vec<IpNet>,
    /// How many requests it may send, beside what others are limited to: `100/m`
    #[arg(long)]
    rate: Option<Quota>,
    /// When it ends by itself: `30d`, or a moment like `2027-01-31T00:00:00Z`
    /// [default: as the rules of its tenants have it]
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
            Self::List { principal } => list(session, principal.as_ref(), None).await,
            Self::Unused { since, principal } => {
                let since = since.before(session.clock.now());
                list(session, principal.as_ref(), Some(since)).await
            }
            Self::Rotate { id, overlap } => {
                let until = overlap.after(session.clock.now());
                let (db, author) = (&session.db, &mut session.author);
                let (token, key) = db.rotate_key(author, &id, until).await?;
                let until = moment(Some(until));
                eprintln!("`{id}` goes on until {until}");
                print(session, &token, &key)
            }
            Self::Approve { id, tenant } => {
                let (db, author) = (&session.db, &mut session.author);
                db.approve_key(author, &tenant, &id).await?;
                let done = json!({ "id": id, "tenant": tenant });
                let text = format!("approved key {id} for {tenant}");
                Ok(session.output.done(&done, &text)?)
            }
            Self::RevokeAll { principal, tenant } => {
                let (db, author) = (&session.db, &mut session.author);
                let revoked = match (principal, tenant) {
                    (Some(principal), _) => db.revoke_keys_of(author, &principal).await?,
                    (None, Some(tenant)) => db.revoke_keys_in(author, &tenant).await?,
                    (None, None) => 0,
                };
                let done = json!({ "revoked": revoked });
                let text = format!("revoked keys: {revoked}");
                Ok(session.output.done(&done, &text)?)
            }
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
            networks: self.networks.iter().map(IpNet::trunc).collect(),
            rate: self.rate,
            expires_at: self.expires.map(|when| when.after(now)),
        };
        let (db, author) = (&session.db, &mut session.author);
        let created = db.create_key(author, &new, &catalogue).await?;
        for path in &created.out_of_reach {
            let holder = &new.principal;
            eprintln!("warning: {holder} has no role in {path}: the key opens nothing there");
        }
        print(session, &created.token, &created.key)
    }
}

fn print(session: &Session, token: &KeyToken, key: &ApiKey) -> Result<(), CliError> {
    let whole = token.reveal();
    let mut object = json!(key);
    object["key"] = whole.expose_secret().into();
    Ok(session.output.done(&object, whole.expose_secret())?)
}

async fn list(
    session: &Session,
    of: Option<&PrincipalName>,
    unused_since: Option<DateTime<Utc>>,
) -> Result<(), CliError> {
    let now = session.clock.now();
    let keys = session.db.keys(of, unused_since).await?;
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
        let state = KeyState::of(key.revoked_at, key.expires_at, listed.is_pending, now);
        let state = state.as_str();
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
    ("FROM", |row| {
        let ip = row.listed.key.last_used_ip;
        ip.map(|ip| ip.to_string()).unwrap_or_default()
    }),
    ("FOR", |row| {
        let route = row.listed.key.last_used_route.clone();
        route.unwrap_or_default()
    }),
    ("DESCRIPTION", |row| row.listed.key.description.clone()),
];

fn limited(to: Option<&Vec<String>>) -> String {
    to.map_or_else(|| "all".to_owned(), |some| some.join(" "))
}
