//! `portcullis check`.

use clap::Args;

use super::{CliError, Global};

/// Check the configuration and print every mistake with its place
#[derive(Args, Debug)]
pub struct CheckArgs {
    /// The configuration to check [default: as `--config`]
    pub file: Option<std::path::PathBuf>,
}

impl CheckArgs {
    /// Runs it.
    ///
    /// # Errors
    ///
    /// Always: this build has no such command yet.
    pub fn run(self, _: &Global) -> Result<(), CliError> {
        Err(CliError::failed("`check` is not available in this build"))
    }
}
