//! `portcullis explain`.

use clap::Args;

use super::{CliError, Global};

/// Say whether a request would be permitted, and why, without sending anything
#[derive(Args, Debug)]
pub struct ExplainArgs {
    /// Who asks: an e-mail address, TENANT/NAME of a service account, or an id
    #[arg(long)]
    pub principal: crate::domain::PrincipalName,
    /// With which key
    #[arg(long, value_name = "ID")]
    pub key: Option<crate::domain::KeyId>,
    /// In which project
    #[arg(long, value_name = "TENANT/PROJECT")]
    pub project: Option<crate::domain::ProjectPath>,
    /// HTTP method
    pub method: String,
    /// URL, or a path with its query
    pub url: String,
}

impl ExplainArgs {
    /// Runs it.
    ///
    /// # Errors
    ///
    /// Always: this build has no such command yet.
    pub fn run(self, _: &Global) -> Result<(), CliError> {
        Err(CliError::failed("`explain` is not available in this build"))
    }
}
