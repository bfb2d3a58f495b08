//! How the server on a socket directory is addressed.

use std::path::{Path, PathBuf};

use percent_encoding::{AsciiSet, CONTROLS, percent_encode};

pub(crate) const DATABASE: &str = "portcullis";
pub(crate) const OWNER: &str = "portcullis_owner";
pub(crate) const GATEWAY: &str = "portcullis";
pub(crate) const SUPERUSER: &str = "postgres";

/// Only part of the socket's file name, but `$PGPORT` would change what clients look for.
pub(crate) const PORT: u16 = 5432;

const QUERY: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'%')
    .add(b'&')
    .add(b'+')
    .add(b'?');

/// The URLs of a private Postgres.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Urls {
    socket_dir: PathBuf,
}

impl Urls {
    /// Of the server whose socket is in this directory.
    #[must_use]
    pub fn new(socket_dir: &Path) -> Self {
        Self {
            socket_dir: socket_dir.to_owned(),
        }
    }

    /// As the owner of the schema, for migrations.
    #[must_use]
    pub fn owner(&self) -> String {
        self.of(OWNER, DATABASE)
    }

    /// As the gateway, with the grants of `portcullis_gateway` only.
    #[must_use]
    pub fn gateway(&self) -> String {
        self.of(GATEWAY, DATABASE)
    }

    /// As the superuser, on the database that always exists.
    #[must_use]
    pub fn superuser(&self) -> String {
        self.of(SUPERUSER, "postgres")
    }

    fn of(&self, user: &str, database: &str) -> String {
        use std::os::unix::ffi::OsStrExt;
        let host = percent_encode(self.socket_dir.as_os_str().as_bytes(), QUERY);
        format!("postgresql:///{database}?host={host}&port={PORT}&user={user}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_with_odd_characters_survives_the_url() {
        let urls = Urls::new(Path::new("/srv/a b&c?d%e+f"));
        assert_eq!(
            urls.gateway(),
            "postgresql:///portcullis?host=/srv/a%20b%26c%3Fd%25e%2Bf&port=5432&user=portcullis"
        );
    }
}
