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

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Host => "__Host-portcullis",
            Self::Dev => "portcullis-dev",
        }
    }
}
