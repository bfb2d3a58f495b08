//! One server process: our child, or one that a killed process left behind.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use tokio::process::Child;

use super::cluster::{self, Running};
use super::{PrivatePostgresError, START_DEADLINE, Urls, bootstrap};

/// How often a starting server is asked whether it answers.
pub(crate) const POLL: Duration = Duration::from_millis(20);

/// What a fast shutdown (rollback, checkpoint) gets before an immediate one.
const FAST_SHUTDOWN: Duration = Duration::from_secs(30);

/// A running server.
#[derive(Debug)]
pub(crate) struct Server {
    /// Ours to reap; `None` if adopted.
    child: Option<Child>,
    /// Names this very process, however numbers are reused.
    pidfd: OwnedFd,
    pid: i32,
    socket_dir: PathBuf,
    /// It runs on without us.
    left: bool,
}

impl Server {
    pub(crate) fn spawn(mut command: Command, socket_dir: PathBuf) -> io::Result<Self> {
        command.process_group(0);
        let child = tokio::process::Command::from(command).spawn()?;
        let pid = child.id().and_then(|id| i32::try_from(id).ok());
        Self::new(pid.unwrap_or_default(), Some(child), socket_dir)
    }

    pub(crate) fn adopt(running: Running) -> io::Result<Self> {
        Self::new(running.pid, None, running.socket_dir)
    }

    fn new(pid: i32, child: Option<Child>, socket_dir: PathBuf) -> io::Result<Self> {
        let process = Pid::from_raw(pid).ok_or(io::ErrorKind::NotFound)?;
        Ok(Self {
            child,
            pidfd: pidfd_open(process, PidfdFlags::empty())?,
            pid,
            socket_dir,
            left: false,
        })
    }

    pub(crate) fn socket_dir(&self) -> &Path {
        &self.socket_dir
    }

    /// Waits until it takes connections.
    pub(crate) async fn ready(mut self, log: &Path) -> Result<Self, PrivatePostgresError> {
        let urls = Urls::new(&self.socket_dir);
        let answers = async {
            while !bootstrap::answers(&urls).await {
                tokio::time::sleep(POLL).await;
            }
        };
        let outcome = tokio::select! {
            answered = tokio::time::timeout(START_DEADLINE, answers) => {
                answered.map_err(|_| PrivatePostgresError::Slow(log.to_owned()))
            }
            () = self.ended() => Err(PrivatePostgresError::Ended(log.to_owned())),
        };
        if outcome.is_err() {
            self.shut_down().await;
        }
        outcome.map(|()| self)
    }

    /// Waits until the process has ended.
    pub(crate) async fn ended(&mut self) {
        match &mut self.child {
            Some(child) => drop(child.wait().await),
            // Not our child: nobody tells us.
            None => {
                while cluster::works_in(self.pid).is_some() {
                    tokio::time::sleep(POLL).await;
                }
            }
        }
    }

    /// Fast shutdown; immediate if that takes too long (the next start then replays the log).
    pub(crate) async fn shut_down(&mut self) {
        self.signal(Signal::INT);
        if tokio::time::timeout(FAST_SHUTDOWN, self.ended())
            .await
            .is_err()
        {
            tracing::warn!("PostgreSQL does not stop, ending it at once");
            self.signal(Signal::QUIT);
            self.ended().await;
        }
    }

    /// Lets it run on.
    pub(crate) fn leave(mut self) {
        self.left = true;
    }

    fn signal(&self, signal: Signal) {
        // Fails only if the process has ended already.
        let _ = pidfd_send_signal(&self.pidfd, signal);
    }
}

/// A start given up half-way, or a runtime that ends without a stop, leaves no server
/// behind: immediate shutdown, and the next start replays the log.
impl Drop for Server {
    fn drop(&mut self) {
        if !self.left {
            self.signal(Signal::QUIT);
        }
    }
}
