//! Why a command failed, and with which exit code.

use std::io;

use crate::store::StoreError;

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    /// Anything without a code of its own.
    #[error("{0}")]
    Failed(String),
    /// The configuration is invalid; diagnostics were printed already if this is empty.
    #[error("{0}")]
    Config(String),
    /// No database was named, or none answers.
    #[error("{0}")]
    NoDatabase(String),
    /// The store did not do it.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The output could not be written.
    #[error("cannot write: {0}")]
    Io(#[from] io::Error),
    /// A file that would have been overwritten.
    #[error("{0}")]
    Exists(String),
    /// `routes --uncovered`: some operation is not covered, as was printed.
    #[error("")]
    Uncovered,
    /// `explain`: the request would be denied, as was printed.
    #[error("")]
    Denied,
}

impl CliError {
    /// A failure without a code of its own.
    pub fn failed(cause: impl Into<Box<dyn std::error::Error>>) -> Self {
        Self::Failed(cause.into().to_string())
    }

    /// The exit code, as listed in `portcullis --help`.
    #[must_use]
    pub const fn exit_code(&self) -> u8 {
        match self {
            Self::Failed(_) | Self::Io(_) | Self::Uncovered => 1,
            Self::Config(_) => 3,
            Self::NoDatabase(_) => 4,
            Self::Store(error) => match error {
                StoreError::Refused(_)
                | StoreError::Forbidden(_)
                | StoreError::Corrupt(_)
                | StoreError::UnfitLogin(_) => 1,
                StoreError::Unavailable(_) => 4,
                StoreError::NotFound { .. } => 5,
                StoreError::Conflict(_) => 6,
            },
            Self::Exists(_) => 6,
            Self::Denied => 7,
        }
    }

    /// Whether the reader of our output went away, as `head` does: no failure.
    #[must_use]
    pub fn is_broken_pipe(&self) -> bool {
        matches!(self, Self::Io(error) if error.kind() == io::ErrorKind::BrokenPipe)
    }

    /// Tells the person at the terminal.
    pub fn print(&self) {
        let text = self.to_string();
        if !text.is_empty() {
            eprintln!("error: {text}");
        }
    }
}
