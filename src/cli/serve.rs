//! `portcullis serve`.

use clap::Args;

use super::{CliError, Global, check};
use crate::{serve, telemetry};

/// Run the gateway until SIGTERM or SIGINT
///
/// Without `database:` in the configuration a private PostgreSQL is started under
/// `data_dir`. Logs go to standard error. On a signal the listener closes, requests
/// that were accepted get `shutdown.deadline` to end, and the audit spool is drained;
/// a second signal ends at once.
#[derive(Args, Debug)]
pub struct ServeArgs {}

impl ServeArgs {
    #[expect(clippy::unused_self, reason = "every subcommand runs alike")]
    pub(super) fn run(self, global: &Global) -> Result<(), CliError> {
        let settings = check::load(global.config(), global.json())?;
        telemetry::init_logging(settings.log.format, settings.log.level);
        serve::run(settings).map_err(CliError::failed)
    }
}
