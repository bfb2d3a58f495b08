//! A real, unmodified MLflow.

use std::fs::File;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::support::from_environment;
use crate::support::gateway::until;
use crate::support::raw::Connection;

/// Who keeps tenants apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tenancy {
    /// MLflow, by workspaces.
    Workspaces,
    /// The gateway alone.
    Gateway,
}

impl Tenancy {
    /// The preset that it needs.
    pub fn preset(self) -> &'static str {
        match self {
            Self::Workspaces => "mlflow-workspaces",
            Self::Gateway => "mlflow",
        }
    }

    fn arguments(self) -> &'static [&'static str] {
        match self {
            Self::Workspaces => &["--enable-workspaces"],
            Self::Gateway => &[],
        }
    }
}

/// Where an MLflow will be: known before it starts, so that a gateway can be there first.
pub struct Place {
    dir: TempDir,
    address: SocketAddr,
}

/// One that runs. It stays in the test's process group, for the runner to end if the
/// test itself hangs.
pub struct Mlflow {
    place: Place,
    child: Child,
}

impl Place {
    /// MLflow cannot be told to choose a port itself: one that was free a moment ago.
    pub fn choose() -> Self {
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        Self {
            dir: TempDir::new().unwrap(),
            address: free.local_addr().unwrap(),
        }
    }

    /// `127.0.0.1:port`.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    fn log(&self) -> PathBuf {
        self.dir.path().join("log")
    }
}

impl Mlflow {
    /// Starts one; it answers many seconds later.
    pub fn start(place: Place, tenancy: Tenancy) -> Self {
        let log = File::create(place.log()).unwrap();
        let child = command(place.dir.path(), place.address, tenancy)
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap_or_else(|error| panic!("{}: {error}", executable().display()));
        Self { place, child }
    }

    /// `127.0.0.1:port`.
    pub fn address(&self) -> SocketAddr {
        self.place.address
    }

    /// Waits until it answers.
    pub fn wait(&mut self) {
        until("MLflow to answer", || {
            if let Some(status) = self.child.try_wait().unwrap() {
                panic!("MLflow ended with {status}");
            }
            is_healthy(self.place.address)
        });
    }
}

impl Drop for Mlflow {
    /// MLflow hands the signal on to the server that it started.
    fn drop(&mut self) {
        let _ = kill_process(Pid::from_child(&self.child), Signal::TERM);
        let _ = self.child.wait();
        if std::thread::panicking() {
            let log = std::fs::read_to_string(self.place.log()).unwrap_or_default();
            eprintln!("--- log of MLflow ---\n{log}");
        }
    }
}

fn command(dir: &Path, address: SocketAddr, tenancy: Tenancy) -> Command {
    let mut command = Command::new(executable());
    command
        .args(["server", "--workers", "1"])
        .args(tenancy.arguments())
        .args(["--host", "127.0.0.1", "--port"])
        .arg(address.port().to_string())
        .arg("--backend-store-uri")
        .arg(format!("sqlite:///{}", dir.join("mlflow.db").display()))
        .arg("--artifacts-destination")
        .arg(dir.join("artifacts"))
        .current_dir(dir)
        .env("MLFLOW_DISABLE_TELEMETRY", "true")
        .env("MLFLOW_SERVER_ENABLE_JOB_EXECUTION", "false");
    command
}

/// The Python of MLflow's venv.
pub fn python() -> PathBuf {
    executable().with_file_name("python")
}

fn executable() -> PathBuf {
    from_environment("PORTCULLIS_TEST_MLFLOW")
}

fn is_healthy(address: SocketAddr) -> bool {
    if TcpStream::connect(address).is_err() {
        return false;
    }
    let mut connection = Connection::open(address);
    connection.send(format!("GET /health HTTP/1.1\r\nHost: {address}\r\n\r\n"));
    connection
        .answer()
        .is_some_and(|answer| answer.status == 200)
}
