//! `portcullis serve`.

use clap::Args;

use super::{CliError, Global};

/// Run the gateway
#[derive(Args, Debug)]
pub struct ServeArgs {}

impl ServeArgs {
    /// Runs it.
    ///
    /// # Errors
    ///
    /// Always: this build has no such command yet.
    pub fn run(self, _: &Global) -> Result<(), CliError> {
        Err(CliError::failed("`serve` is not available in this build"))
    }
}
