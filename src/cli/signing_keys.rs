//! `portcullis signing-keys`.

use chrono::{DateTime, Utc};
use clap::{Args, Subcommand};
use serde::Serialize;
use serde_json::json;

use super::CliError;
use super::output::moment;
use super::session::{Run, Session};
use crate::authn::{Seal, add_signing_key};
use crate::domain::{SigningKeyId, SigningTimes, Succession};

#[derive(Debug, Subcommand)]
pub(super) enum SigningKeysCommand {
    /// List what the gateway signs with, the newest first
    List,
    Rotate(Rotate),
}

/// Make a new key, which takes the place of the one that signs
///
/// It is shown at `/.well-known/portcullis/jwks.json` at once, and signs a quarter of an hour later,
/// when whoever verifies has fetched it; the one before is shown for another hour. The running
/// gateways hear of it.
#[derive(Args, Debug)]
pub(super) struct Rotate {
    /// Somebody else may have the keys there are: the new one signs at once, and nothing that they
    /// signed is good any more
    #[arg(long)]
    compromised: bool,
}

impl Run for SigningKeysCommand {
    async fn run(self, session: &mut Session) -> Result<(), CliError> {
        match self {
            Self::List => list(session).await,
            Self::Rotate(it) => it.run(session).await,
        }
    }
}

impl Rotate {
    async fn run(self, session: &mut Session) -> Result<(), CliError> {
        let succession = if self.compromised {
            Succession::Compromised
        } else {
            Succession::Planned
        };
        let seal = seal(session).await?;
        let (db, author) = (&session.db, &mut session.author);
        let added = add_signing_key(db, &seal, author, succession).await;
        let Some((id, times)) = added.map_err(CliError::failed)? else {
            return Err(CliError::Failed("there is no new key".to_owned()));
        };
        let from = moment(Some(times.signs_from));
        let done = json!({ "id": id, "signs_from": times.signs_from });
        let text = format!("made signing key {id}, which signs from {from}");
        Ok(session.output.done(&done, &text)?)
    }
}

/// As the gateways seal, which have the same configuration.
async fn seal(session: &Session) -> Result<Seal, CliError> {
    let keys = match session.settings_if_any()?.and_then(|it| it.sign_in) {
        Some(sign_in) => sign_in.secrets.keys,
        None => Vec::new(),
    };
    Ok(Seal::new(&keys, &session.db.pepper().await?))
}

#[derive(Serialize)]
struct Row {
    id: SigningKeyId,
    #[serde(flatten)]
    times: SigningTimes,
    state: &'static str,
}

async fn list(session: &Session) -> Result<(), CliError> {
    let now = session.clock.now();
    let keys = session.db.signing_keys().await?;
    let signing = keys.iter().find(|key| key.times.may_sign(now));
    let signing = signing.map(|key| key.id.clone());
    let rows: Vec<Row> = keys
        .into_iter()
        .map(|key| Row {
            state: state(&key.times, signing.as_ref() == Some(&key.id), now),
            id: key.id,
            times: key.times,
        })
        .collect();
    Ok(session.output.list(
        &rows,
        &[
            ("KEY", |row| row.id.to_string()),
            ("STATE", |row| row.state.to_owned()),
            ("CREATED", |row| moment(Some(row.times.created_at))),
            ("SIGNS FROM", |row| moment(Some(row.times.signs_from))),
            ("SHOWN UNTIL", |row| moment(row.times.served_until)),
        ],
    )?)
}

fn state(times: &SigningTimes, signs: bool, now: DateTime<Utc>) -> &'static str {
    if signs {
        "signs"
    } else if !times.is_served(now) {
        "over"
    } else if times.signs_from > now {
        "next"
    } else {
        "former"
    }
}
