//! The running gateway's side.

use std::fs::File;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::AsRawFd as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use pingora::server::Fds;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{UnixListener, UnixStream};

use super::place::Place;
use super::{POSTGRES_LOCK, SERVING, SPOOL_LOCK, TAKE_OVER, YOURS, name};

/// How long a successor may take to say what it wants.
const ASK: Duration = Duration::from_secs(10);

/// What a successor is given. Dropped, the sockets are closed as far as this goes.
#[derive(Default)]
pub(in crate::serve) struct Goods {
    sockets: Vec<(String, TcpListener)>,
    locks: Vec<(&'static str, File)>,
}

impl Goods {
    pub(in crate::serve) fn socket(&mut self, role: &str, at: SocketAddr, socket: TcpListener) {
        let alike = name(role, at, 0);
        let (alike, _) = alike.split_at(alike.len() - 1);
        let which = self
            .sockets
            .iter()
            .filter(|(name, _)| name.starts_with(alike));
        self.sockets.push((name(role, at, which.count()), socket));
    }

    pub(in crate::serve) fn spool_lock(&mut self, lock: Option<File>) {
        self.locks.extend(lock.map(|lock| (SPOOL_LOCK, lock)));
    }

    pub(in crate::serve) fn postgres_lock(&mut self, lock: Option<File>) {
        self.locks.extend(lock.map(|lock| (POSTGRES_LOCK, lock)));
    }

    fn fds(&self) -> Fds {
        let mut fds = Fds::new();
        for (name, socket) in &self.sockets {
            fds.add(name.clone(), socket.as_raw_fd());
        }
        for (name, lock) in &self.locks {
            fds.add((*name).to_owned(), lock.as_raw_fd());
        }
        fds
    }
}

/// Waits for a successor.
pub(in crate::serve) struct Offer {
    place: Arc<Place>,
    control: UnixListener,
    goods: Arc<Goods>,
}

/// A successor that serves. It waits for the rest.
pub(in crate::serve) struct Taken(UnixStream);

impl Offer {
    /// To be made by the holder of the spool's lock: there is one at any time.
    pub(in crate::serve) fn open(data_dir: &Path, goods: Goods) -> io::Result<Self> {
        let place = Place::open(data_dir)?;
        match std::fs::remove_file(place.control()) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        Ok(Self {
            control: UnixListener::bind(place.control())?,
            place: Arc::new(place),
            goods: Arc::new(goods),
        })
    }

    /// Returns when another process serves in our place. One that gives up changes
    /// nothing.
    pub(in crate::serve) async fn taken(&self) -> Taken {
        loop {
            let attempt = async {
                let (stream, _) = self.control.accept().await?;
                let peer = stream.peer_cred()?;
                tracing::info!(pid = peer.pid(), "another process wants to take over");
                // What it makes in `data_dir` must be open to those who come after it.
                if peer.uid() != rustix::process::geteuid().as_raw() {
                    return Err(io::Error::other("it runs as another user"));
                }
                self.hand_over(stream).await
            };
            match attempt.await {
                Ok(taken) => return taken,
                Err(error) => {
                    tracing::warn!(%error, "it did not take over: this process serves on");
                }
            }
        }
    }

    async fn hand_over(&self, stream: UnixStream) -> io::Result<Taken> {
        let mut stream = BufReader::new(stream);
        let asked = tokio::time::timeout(ASK, line(&mut stream)).await??;
        let socket = asked
            .strip_prefix(TAKE_OVER)
            .map(str::trim)
            .filter(|name| is_name(name))
            .ok_or_else(|| io::Error::other("it asks in words of another version"))?;
        let (path, goods) = (self.place.socket(socket), Arc::clone(&self.goods));
        tokio::task::spawn_blocking(move || goods.fds().send_to_sock(path.as_str())).await??;
        // For as long as it takes: a process that dies ends the connection.
        if line(&mut stream).await? == SERVING {
            return Ok(Taken(stream.into_inner()));
        }
        Err(io::Error::other("it ended before it served"))
    }
}

impl Taken {
    /// Nothing of what it was sent is used here any more.
    pub(in crate::serve) async fn yours(mut self) {
        // If it is gone by now, so be it.
        let _ = self.0.write_all(format!("{YOURS}\n").as_bytes()).await;
    }
}

/// Empty at the end of the stream.
async fn line(stream: &mut BufReader<UnixStream>) -> io::Result<String> {
    let mut line = String::new();
    stream.read_line(&mut line).await?;
    Ok(line.trim_end().to_owned())
}

/// A file name, and not a path.
fn is_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}
