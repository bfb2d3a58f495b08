//! As whom Postgres runs.

use std::fs;
use std::os::unix::fs::{MetadataExt, chown};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use super::{PrivatePostgresError, io_error};

/// The user that Postgres runs as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunAs {
    /// We are not root: it runs as we do.
    Ourselves,
    /// We are root, which Postgres refuses to be.
    User {
        /// User id.
        uid: u32,
        /// Group id; all other groups are dropped.
        gid: u32,
    },
}

impl RunAs {
    /// The user for the cluster in `data`: its owner if it exists already, else
    /// `postgres`, else `nobody` (of `/etc/passwd`).
    #[must_use]
    pub fn for_cluster(data: &Path) -> Self {
        if !rustix::process::geteuid().is_root() {
            return Self::Ourselves;
        }
        match fs::metadata(data) {
            Ok(meta) if meta.uid() != 0 => Self::User {
                uid: meta.uid(),
                gid: meta.gid(),
            },
            _ => {
                let passwd = fs::read_to_string("/etc/passwd").unwrap_or_default();
                lookup(&passwd, "postgres")
                    .or_else(|| lookup(&passwd, "nobody"))
                    .unwrap_or(Self::User {
                        uid: 65534,
                        gid: 65534,
                    })
            }
        }
    }

    /// A command that runs `program` as this user, with nothing of our environment
    /// (which may hold secrets) and no terminal signals of ours.
    ///
    /// A data directory below one that the user may not enter (a checkout under `/root`)
    /// is reached by keeping the one capability that passes directory permissions.
    #[must_use]
    pub fn command(self, program: &Path, dir: &Path) -> Command {
        let mut command = match self {
            Self::User { uid, gid } if !self.can_reach(dir) => {
                let mut setpriv = Command::new("setpriv");
                setpriv
                    .arg(format!("--reuid={uid}"))
                    .arg(format!("--regid={gid}"))
                    .args(["--clear-groups", "--inh-caps=+dac_override"])
                    .args(["--ambient-caps=+dac_override", "--"])
                    .arg(program);
                setpriv
            }
            Self::User { uid, gid } => {
                let mut command = Command::new(program);
                command.uid(uid).gid(gid);
                command
            }
            Self::Ourselves => Command::new(program),
        };
        command
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .env("LC_ALL", "C")
            .current_dir("/");
        command
    }

    /// Makes a directory that only this user can enter.
    pub(crate) fn private_directory(self, dir: &Path) -> Result<(), PrivatePostgresError> {
        use std::os::unix::fs::DirBuilderExt;
        match fs::DirBuilder::new().mode(0o700).create(dir) {
            Ok(()) => self.own(dir),
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
            Err(error) => Err(io_error(dir)(error)),
        }
    }

    /// Whether only this user can enter `dir`, and it is no symbolic link.
    pub(crate) fn is_private(self, dir: &Path) -> bool {
        let uid = match self {
            Self::Ourselves => rustix::process::geteuid().as_raw(),
            Self::User { uid, .. } => uid,
        };
        fs::symlink_metadata(dir)
            .is_ok_and(|meta| meta.is_dir() && meta.uid() == uid && meta.mode() & 0o777 == 0o700)
    }

    fn own(self, path: &Path) -> Result<(), PrivatePostgresError> {
        match self {
            Self::Ourselves => Ok(()),
            Self::User { uid, gid } => chown(path, Some(uid), Some(gid)).map_err(io_error(path)),
        }
    }

    fn can_reach(self, dir: &Path) -> bool {
        let Self::User { uid, gid } = self else {
            return true;
        };
        dir.ancestors().skip(1).all(|parent| {
            fs::metadata(parent).is_ok_and(|meta| {
                let class = if meta.uid() == uid {
                    0o100
                } else if meta.gid() == gid {
                    0o010
                } else {
                    0o001
                };
                meta.mode() & class != 0
            })
        })
    }
}

fn lookup(passwd: &str, name: &str) -> Option<RunAs> {
    passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        if fields.next() != Some(name) {
            return None;
        }
        let uid = fields.nth(1)?.parse().ok()?;
        let gid = fields.next()?.parse().ok()?;
        Some(RunAs::User { uid, gid })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_are_found_by_their_whole_name() {
        let passwd = "postgres2:x:7:8:::\npostgres:x:101:104:Admin:/var:/bin/sh\n";
        assert_eq!(
            lookup(passwd, "postgres"),
            Some(RunAs::User { uid: 101, gid: 104 })
        );
        assert_eq!(lookup(passwd, "nobody"), None);
    }
}
