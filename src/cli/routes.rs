//! `portcullis routes`.

use clap::Args;

use super::{CliError, Global};

/// Print the compiled route map
#[derive(Args, Debug)]
pub struct RoutesArgs {}

impl RoutesArgs {
    /// Runs it.
    ///
    /// # Errors
    ///
    /// Always: this build has no such command yet.
    pub fn run(self, _: &Global) -> Result<(), CliError> {
        Err(CliError::failed("`routes` is not available in this build"))
    }
}
