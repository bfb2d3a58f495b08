//! `portcullis postgres`: the private Postgres in the foreground.

use std::io::{self, Write};
use std::path::Path;

use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};

use crate::store::private_postgres::{PrivatePostgres, PrivatePostgresError, Urls};

/// Run the private PostgreSQL of the data directory in the foreground
///
/// Starts it (making it first if need be), prints the URLs of the schema's owner and of
/// the gateway, and stops it on SIGINT or SIGTERM. If `portcullis serve` already runs it,
/// this uses that one and does not stop it.
#[derive(clap::Args, Clone, Copy, Debug)]
pub struct PostgresArgs {}

/// Why it failed.
#[derive(Debug, thiserror::Error)]
pub enum PostgresError {
    /// It does not run.
    #[error(transparent)]
    Start(#[from] PrivatePostgresError),
    /// Signals or standard output.
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl PostgresArgs {
    /// Runs until a signal.
    ///
    /// # Errors
    ///
    /// When the server cannot be started.
    pub async fn run(self, data_dir: &Path, as_json: bool) -> Result<(), PostgresError> {
        // Before the start, so that a signal during it still ends in a clean stop.
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        let postgres = tokio::select! {
            postgres = PrivatePostgres::start(data_dir) => postgres?,
            _ = interrupt.recv() => return Ok(()),
            _ = terminate.recv() => return Ok(()),
        };
        let printed = print(postgres.urls(), as_json);
        if printed.is_ok() {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
        }
        postgres.stop().await;
        Ok(printed?)
    }
}

fn print(urls: &Urls, as_json: bool) -> io::Result<()> {
    let (owner, gateway) = (urls.owner(), urls.gateway());
    let mut out = io::stdout().lock();
    if as_json {
        writeln!(
            out,
            "{}",
            json!({ "owner_url": owner, "gateway_url": gateway })
        )?;
    } else {
        writeln!(out, "owner:   {owner}\ngateway: {gateway}")?;
    }
    out.flush()
}
