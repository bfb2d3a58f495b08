//! The files of a private Postgres and the programs run on them.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use sha2::{Digest, Sha256};

use super::server::Server;
use super::urls::{PORT, SUPERUSER};
use super::{Installation, PrivatePostgresError, RunAs, io_error};

/// Of `sockaddr_un`, without the closing NUL.
const SOCKET_PATH_MAX: usize = 107;

/// A log longer than this is put aside at the next start; one old log is kept.
const LOG_MAX: u64 = 16 << 20;

/// Settings of a small database that shares its machine with the gateway. They are
/// arguments, not a file, so that an upgrade of Portcullis brings its own.
const SETTINGS: &[&str] = &[
    "listen_addresses=",
    "unix_socket_permissions=0700",
    "cluster_name=portcullis",
    "shared_buffers=64MB",
    "effective_cache_size=256MB",
    "max_connections=60",
    "max_wal_size=512MB",
    "huge_pages=off",
    "jit=off",
    "timezone=UTC",
    "log_timezone=UTC",
    "logging_collector=off",
    "log_checkpoints=off",
    // What clients sent must not reach the log by way of a failed statement.
    "log_min_error_statement=panic",
    "log_error_verbosity=terse",
];

/// A private cluster and what runs it.
#[derive(Clone, Debug)]
pub struct Cluster {
    root: PathBuf,
    installation: Installation,
    run_as: RunAs,
}

/// A server that runs on the cluster.
pub(crate) struct Running {
    pub(crate) pid: i32,
    pub(crate) socket_dir: PathBuf,
}

impl Cluster {
    /// The cluster under `data_dir`, which need not exist yet.
    ///
    /// # Errors
    ///
    /// When no installed Postgres can run it.
    pub fn locate(data_dir: &Path) -> Result<Self, PrivatePostgresError> {
        fs::create_dir_all(data_dir).map_err(io_error(data_dir))?;
        let root = root(data_dir);
        let data = root.join("data");
        let made_by = fs::read_to_string(data.join("PG_VERSION")).ok();
        let wanted = made_by.and_then(|text| text.trim().parse().ok());
        Ok(Self {
            installation: Installation::find(wanted)?,
            run_as: RunAs::for_cluster(&data),
            root,
        })
    }

    /// The file whose lock the supervisor holds.
    pub(crate) fn lock_file(&self) -> Result<File, PrivatePostgresError> {
        self.run_as.private_directory(&self.root)?;
        let path = self.root.join("lock");
        File::create(&path).map_err(io_error(&path))
    }

    /// Makes the cluster unless it exists. A half-made one of a killed process is
    /// thrown away: only the rename at the end makes it count.
    ///
    /// # Errors
    ///
    /// When `initdb` fails.
    pub fn initialise(&self) -> Result<(), PrivatePostgresError> {
        if self.data().exists() {
            return Ok(());
        }
        tracing::info!(directory = %self.data().display(), "making a private PostgreSQL");
        let fresh = self.root.join("data.new");
        self.run_as.private_directory(&self.root)?;
        remove_if_there(fs::remove_dir_all(&fresh), &fresh)?;
        self.run_as.private_directory(&fresh)?;
        let mut initdb = self.command("initdb");
        initdb
            .args(["--encoding=UTF8", "--no-locale", "--username", SUPERUSER])
            .args(["--auth-local=trust", "--auth-host=reject", "-D"])
            .arg(&fresh);
        run(initdb, "initdb")?;
        fs::rename(&fresh, self.data()).map_err(io_error(&fresh))
    }

    /// The server that still runs on the cluster, else a new one; ready for connections.
    pub(crate) async fn start_or_adopt(&self) -> Result<Server, PrivatePostgresError> {
        let server = match running(&self.data()) {
            Some(running) => {
                tracing::info!(pid = running.pid, "adopting the PostgreSQL that still runs");
                Server::adopt(running).map_err(io_error(&self.data()))?
            }
            None => self.spawn()?,
        };
        server.ready(&self.log()).await
    }

    fn spawn(&self) -> Result<Server, PrivatePostgresError> {
        let stale = self.data().join("postmaster.pid");
        remove_if_there(fs::remove_file(&stale), &stale)?;
        let socket_dir = self.socket_dir()?;
        let mut postgres = self.postgres(&socket_dir);
        let log = self.open_log()?;
        let errors = log.try_clone().map_err(io_error(&self.log()))?;
        postgres.stdout(log).stderr(errors);
        Server::spawn(postgres, socket_dir).map_err(io_error(&self.data()))
    }

    /// The command that runs the server, with its socket in `socket_dir`.
    #[must_use]
    pub fn postgres(&self, socket_dir: &Path) -> Command {
        let mut postgres = self.command("postgres");
        postgres.arg("-D").arg(self.data());
        postgres.arg("-k").arg(socket_dir);
        postgres.arg("-p").arg(PORT.to_string());
        for setting in SETTINGS {
            postgres.arg("-c").arg(setting);
        }
        postgres.stdin(Stdio::null());
        postgres
    }

    /// A private directory for the socket: `run/`, or one with a short name when the
    /// path would be longer than a socket's may be.
    ///
    /// # Errors
    ///
    /// When it cannot be made or somebody else could enter it.
    pub fn socket_dir(&self) -> Result<PathBuf, PrivatePostgresError> {
        let mut dir = self.root.join("run");
        let socket = dir.join(format!(".s.PGSQL.{PORT}"));
        if socket.as_os_str().len() > SOCKET_PATH_MAX {
            dir = std::env::temp_dir().join(short_name(&self.root));
        }
        self.run_as.private_directory(&dir)?;
        if self.run_as.is_private(&dir) {
            Ok(dir)
        } else {
            Err(PrivatePostgresError::UnsafeSocketDirectory(dir))
        }
    }

    /// Where the server logs.
    #[must_use]
    pub fn log(&self) -> PathBuf {
        self.root.join("postgres.log")
    }

    fn data(&self) -> PathBuf {
        self.root.join("data")
    }

    fn command(&self, program: &str) -> Command {
        self.run_as
            .command(&self.installation.program(program), &self.data())
    }

    fn open_log(&self) -> Result<File, PrivatePostgresError> {
        let path = self.log();
        if fs::metadata(&path).is_ok_and(|meta| meta.len() > LOG_MAX) {
            fs::rename(&path, path.with_extension("log.old")).map_err(io_error(&path))?;
        }
        File::options()
            .create(true)
            .append(true)
            .open(&path)
            .map_err(io_error(&path))
    }
}

/// The server that runs under `data_dir`, if one does.
pub(crate) fn running_under(data_dir: &Path) -> Option<Running> {
    running(&root(data_dir).join("data"))
}

pub(crate) fn log_path(data_dir: &Path) -> PathBuf {
    root(data_dir).join("postgres.log")
}

fn root(data_dir: &Path) -> PathBuf {
    let absolute = fs::canonicalize(data_dir).unwrap_or_else(|_| data_dir.to_owned());
    absolute.join("postgres")
}

/// Reads `postmaster.pid`. The process it names counts only if it works in this very
/// directory: after a crash the number may long be somebody else's.
fn running(data: &Path) -> Option<Running> {
    let text = fs::read_to_string(data.join("postmaster.pid")).ok()?;
    let lines: Vec<&str> = text.lines().collect();
    let pid: i32 = lines.first()?.trim().parse().ok()?;
    let socket_dir = lines.get(4).filter(|line| !line.is_empty())?;
    (works_in(pid)? == data).then(|| Running {
        pid,
        socket_dir: PathBuf::from(socket_dir),
    })
}

/// The working directory of a process; `None` once it has ended.
pub(crate) fn works_in(pid: i32) -> Option<PathBuf> {
    fs::read_link(format!("/proc/{pid}/cwd")).ok()
}

fn short_name(root: &Path) -> String {
    use std::fmt::Write;
    use std::os::unix::ffi::OsStrExt;
    let digest = Sha256::digest(root.as_os_str().as_bytes());
    digest[..8]
        .iter()
        .fold("portcullis-".to_owned(), |mut name, byte| {
            let _ = write!(name, "{byte:02x}");
            name
        })
}

fn run(mut command: Command, program: &str) -> Result<(), PrivatePostgresError> {
    let failed = |output: String| PrivatePostgresError::Program {
        program: program.to_owned(),
        output,
    };
    let output = command
        .output()
        .map_err(|error| failed(error.to_string()))?;
    if output.status.success() {
        Ok(())
    } else {
        Err(failed(
            String::from_utf8_lossy(&output.stderr).trim().to_owned(),
        ))
    }
}

fn remove_if_there(result: io::Result<()>, path: &Path) -> Result<(), PrivatePostgresError> {
    match result {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(io_error(path)(error)),
        _ => Ok(()),
    }
}
