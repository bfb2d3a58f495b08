//! `portcullis serve`.

use clap::Args;

use super::{CliError, Global, check};
use crate::config::{ConfigFile, Loaded};
use crate::serve::{self, Start};
use crate::telemetry;

/// Run the gateway until SIGTERM or SIGINT
///
/// Without `database:` in the configuration a private PostgreSQL is started under
/// `data_dir`. Logs go to standard error. On a signal the listener closes, requests
/// that were accepted get `shutdown.deadline` to end, and the audit spool is drained;
/// a second signal ends at once. On SIGHUP, and when a file of the configuration changes,
/// it is taken anew.
#[derive(Args, Debug)]
pub struct ServeArgs {}

impl ServeArgs {
    #[expect(clippy::unused_self, reason = "every subcommand runs alike")]
    pub(super) fn run(self, global: &Global) -> Result<(), CliError> {
        let config = ConfigFile {
            path: global.config().to_owned(),
            environment: check::environment,
        };
        let Loaded { settings, files } = config.load();
        let settings =
            settings.map_err(|diagnostics| check::refuse(&diagnostics, global.json()))?;
        let level = telemetry::init_logging(settings.log.format, settings.log.level);
        let start = Start {
            settings,
            files,
            config,
            level,
        };
        serve::run(start).map_err(CliError::failed)
    }
}
