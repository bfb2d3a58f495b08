//! The control plane's own listener: a Unix socket in a directory that nobody else may enter,
//! which takes connections of this very process only. So whoever speaks here is the data
//! plane, and what it says of a caller was decided.

use std::fs::{DirBuilder, Permissions};
use std::io;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::Path;

use axum::Router;
use axum::serve::{Listener, serve};
use rustix::fs::{Mode, OFlags};
use tokio::net::unix::SocketAddr;
use tokio::net::{UnixListener, UnixStream};

/// The socket, open.
#[derive(Debug)]
pub struct OwnSocket {
    listener: UnixListener,
    name: String,
    /// So that the path is short, wherever the directory is.
    directory: OwnedFd,
}

impl OwnSocket {
    /// Opens it under `data_dir`, beside that of a process which is being relieved.
    ///
    /// # Errors
    ///
    /// When the directory cannot be made or closed to others.
    pub fn open(data_dir: &Path) -> io::Result<Self> {
        let path = data_dir.join("control");
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&path)?;
        std::fs::set_permissions(&path, Permissions::from_mode(0o700))?;
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let directory = rustix::fs::open(&path, flags, Mode::empty())?;
        forget_the_dead(&path)?;
        let name = format!("{}.sock", std::process::id());
        match std::fs::remove_file(path.join(&name)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let socket = format!("/proc/self/fd/{}/{name}", directory.as_raw_fd());
        Ok(Self {
            listener: UnixListener::bind(&socket)?,
            name,
            directory,
        })
    }

    /// Its path, as this process may write it.
    #[must_use]
    pub fn path(&self) -> String {
        format!("/proc/self/fd/{}/{}", self.directory.as_raw_fd(), self.name)
    }

    /// Serves requests for ever.
    ///
    /// # Errors
    ///
    /// When the socket breaks.
    pub async fn serve(self, router: Router) -> io::Result<()> {
        serve(self, router).await
    }
}

/// Sockets that processes which were killed have left.
fn forget_the_dead(directory: &Path) -> io::Result<()> {
    for entry in std::fs::read_dir(directory)? {
        let path = entry?.path();
        let refused = std::os::unix::net::UnixStream::connect(&path);
        if refused.is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused) {
            std::fs::remove_file(path)?;
        }
    }
    Ok(())
}

impl Drop for OwnSocket {
    fn drop(&mut self) {
        // Whoever comes next removes what is left.
        let _ = std::fs::remove_file(self.path());
    }
}

impl Listener for OwnSocket {
    type Io = UnixStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (UnixStream, SocketAddr) {
        loop {
            let (stream, address) = Listener::accept(&mut self.listener).await;
            if is_own(&stream) {
                return (stream, address);
            }
            tracing::warn!("another process has connected to the control plane: refused");
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// Whether this process is at the other end, as the kernel tells.
fn is_own(stream: &UnixStream) -> bool {
    let peer = stream.peer_cred().ok().and_then(|peer| peer.pid());
    peer.is_some_and(|pid| u32::try_from(pid).is_ok_and(|pid| pid == std::process::id()))
}
