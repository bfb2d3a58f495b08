//! The names of the session cookie.

/// Which of the two, by how the browser came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SessionCookie {
    /// Over TLS. The prefix makes browsers take it from this very host only, and with `Secure`
    /// only (RFC 6265bis §4.1.3.2).
    Host,
    /// In cleartext from the same machine, for development: no browser takes the other there.
    Dev,
}

impl SessionCookie {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Host, Self::Dev];

    /// The names of all cookies that are ours.
    pub const NAMES: [&str; 8] = [
        Self::Host.name(),
        Self::Dev.name(),
        Self::Host.device(),
        Self::Dev.device(),
        Self::Host.project(),
        Self::Dev.project(),
        Self::Host.errand(),
        Self::Dev.errand(),
    ];

    /// The name of the one beside it, by which a browser shows that somebody has signed in with
    /// it before. It signs nobody in.
    #[must_use]
    pub const fn device(self) -> &'static str {
        match self {
            Self::Host => "__Host-portcullis-device",
            Self::Dev => "portcullis-dev-device",
        }
    }

    /// The name of the one that holds the project which somebody has chosen to work in: what
    /// `X-Portcullis-Project` says, by who cannot send it.
    #[must_use]
    pub const fn project(self) -> &'static str {
        match self {
            Self::Host => "__Host-portcullis-project",
            Self::Dev => "portcullis-dev-project",
        }
    }

    /// The name of the one that a browser has while it is away at another service: who comes
    /// back with an answer must be who left with the question.
    #[must_use]
    pub const fn errand(self) -> &'static str {
        match self {
            Self::Host => "__Host-portcullis-errand",
            Self::Dev => "portcullis-dev-errand",
        }
    }

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Host => "__Host-portcullis",
            Self::Dev => "portcullis-dev",
        }
    }
}
