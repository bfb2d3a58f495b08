//! Finding the installed Postgres programs.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::PrivatePostgresError;

/// What our SQL was written for.
const OLDEST: u32 = 15;

/// A directory of Postgres programs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Installation {
    bin: PathBuf,
    major: u32,
}

impl Installation {
    /// The newest installation, or the one of major version `wanted` (a cluster can only
    /// be run by the version that made it). `$PORTCULLIS_PG_BIN` goes before all others.
    ///
    /// # Errors
    ///
    /// When there is none.
    pub fn find(wanted: Option<u32>) -> Result<Self, PrivatePostgresError> {
        let fits = |major: u32| wanted.map_or(major >= OLDEST, |wanted| major == wanted);
        candidates()
            .iter()
            .filter_map(|bin| Self::at(bin))
            .filter(|installation| fits(installation.major))
            .max_by_key(|installation| installation.major)
            .ok_or_else(|| PrivatePostgresError::NotInstalled {
                wanted: wanted.map_or(format!("{OLDEST} or newer"), |major| major.to_string()),
            })
    }

    /// Its major version.
    #[must_use]
    pub const fn major(&self) -> u32 {
        self.major
    }

    /// One of its programs.
    #[must_use]
    pub fn program(&self, name: &str) -> PathBuf {
        self.bin.join(name)
    }

    fn at(bin: &Path) -> Option<Self> {
        if !bin.join("initdb").is_file() {
            return None;
        }
        let output = Command::new(bin.join("postgres"))
            .arg("--version")
            .output()
            .ok()?;
        Some(Self {
            bin: bin.to_owned(),
            major: major_of(&String::from_utf8_lossy(&output.stdout))?,
        })
    }
}

fn candidates() -> Vec<PathBuf> {
    if let Some(bin) = env::var_os("PORTCULLIS_PG_BIN") {
        return vec![bin.into()];
    }
    let path = env::var_os("PATH").unwrap_or_default();
    subdirectories("/usr/lib/postgresql", "")
        .chain(subdirectories("/usr", "pgsql-"))
        .map(|dir| dir.join("bin"))
        .chain(env::split_paths(&path))
        .collect()
}

fn subdirectories(parent: &str, prefix: &'static str) -> impl Iterator<Item = PathBuf> {
    fs::read_dir(parent)
        .into_iter()
        .flatten()
        .flatten()
        .filter(move |entry| entry.file_name().to_string_lossy().starts_with(prefix))
        .map(|entry| entry.path())
}

/// Of `postgres (PostgreSQL) 15.14 (Debian 15.14-0+deb12u1)`.
fn major_of(version: &str) -> Option<u32> {
    let number = version.split_whitespace().nth(2)?;
    number
        .split(|c: char| !c.is_ascii_digit())
        .next()?
        .parse()
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_major_version_is_read_from_released_and_beta_versions() {
        assert_eq!(
            major_of("postgres (PostgreSQL) 15.14 (Debian 15.14-0+deb12u1)\n"),
            Some(15)
        );
        assert_eq!(major_of("postgres (PostgreSQL) 18beta1\n"), Some(18));
        assert_eq!(major_of("command not found"), None);
    }
}
