//! The new process's side.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, IoSliceMut};
use std::mem::MaybeUninit;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::Duration;

use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, Interest};
use tokio::net::{UnixListener, UnixStream};

use super::place::Place;
use super::{POSTGRES_LOCK, SERVING, SPOOL_LOCK, TAKE_OVER, YOURS, name};
use crate::audit::{Spool, SpoolError, SpoolLock};

/// How long the running gateway may take to hand over.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often it is looked for.
const LOOK: Duration = Duration::from_millis(50);
/// How long something that it has sent may be on its way when it has ended.
const LAST_WORDS: Duration = Duration::from_millis(200);
/// How long it may take to let go.
const LET_GO: Duration = Duration::from_secs(10);
/// What Pingora sends at most.
const MAX_NAMES: usize = 2048;
/// What the kernel lets through at once.
const MAX_FDS: usize = 253;

/// Why this process does not take over.
#[derive(Debug, thiserror::Error)]
pub enum UpgradeError {
    /// The directory or the sockets in it.
    #[error("meeting the running gateway: {0}")]
    Io(#[from] io::Error),
    /// It is there, and does not answer.
    #[error(
        "a gateway runs here and does not hand over within 30 s: is it of a version that cannot? \
         then stop it and start this one"
    )]
    Refused,
    /// The database did not answer.
    #[error("the database does not answer within 30 s")]
    Database,
    /// Nobody ran, and the spool cannot be taken.
    #[error(transparent)]
    Spool(#[from] SpoolError),
}

/// What the former process listened on.
#[derive(Default)]
pub(in crate::serve) struct Inherited {
    fds: HashMap<String, OwnedFd>,
    /// How often an address was asked for.
    asked: HashMap<(&'static str, SocketAddr), usize>,
}

impl Inherited {
    /// The next socket of this address, if it was handed over.
    pub(in crate::serve) fn socket(
        &mut self,
        role: &'static str,
        at: SocketAddr,
    ) -> Option<TcpListener> {
        let asked = self.asked.entry((role, at)).or_default();
        let name = name(role, at, *asked);
        *asked += 1;
        self.fds.remove(&name).map(TcpListener::from)
    }

    fn lock(&mut self, name: &str) -> Option<File> {
        self.fds.remove(name).map(File::from)
    }
}

/// The former process, which waits to be told that this one serves.
pub(in crate::serve) struct Predecessor {
    stream: UnixStream,
    postgres_lock: Option<File>,
}

impl Predecessor {
    /// Tells it, and waits until it has let go; returns the lock of the Postgres that it
    /// ran. `None` as well if it cannot be known whether it still does.
    pub(in crate::serve) async fn relieve(mut self) -> Option<File> {
        let let_go = async {
            // Should it be gone by now, then it has let go.
            let _ = self
                .stream
                .write_all(format!("{SERVING}\n").as_bytes())
                .await;
            let mut word = Vec::new();
            let _ = (&mut self.stream)
                .take(YOURS.len() as u64)
                .read_to_end(&mut word)
                .await;
        };
        if tokio::time::timeout(LET_GO, let_go).await.is_err() {
            tracing::error!("the former process does not let go of what is ours now");
            return None;
        }
        self.postgres_lock
    }
}

/// Takes over from the gateway that runs, or takes its place if none does.
pub(in crate::serve) async fn take_over(
    data_dir: &Path,
    spool: &Spool,
) -> Result<(Inherited, Option<Predecessor>), UpgradeError> {
    let place = Place::open(data_dir)?;
    let taken = tokio::time::timeout(PATIENCE, async {
        loop {
            if let Ok(stream) = UnixStream::connect(place.control()).await {
                if let Some((inherited, predecessor)) = ask(&place, stream, spool).await? {
                    return Ok((inherited, Some(predecessor)));
                }
            } else {
                match spool.take() {
                    Ok(()) => {
                        tracing::info!("no gateway runs here: starting as the first");
                        return Ok((Inherited::default(), None));
                    }
                    // It is on its way up or down.
                    Err(SpoolError::InUse(_)) => {}
                    Err(error) => return Err(error.into()),
                }
            }
            tokio::time::sleep(LOOK).await;
        }
    });
    taken.await.unwrap_or(Err(UpgradeError::Refused))
}

/// `None` if it ended before it sent anything.
async fn ask(
    place: &Place,
    mut stream: UnixStream,
    spool: &Spool,
) -> Result<Option<(Inherited, Predecessor)>, UpgradeError> {
    let name = format!("to-{}", std::process::id());
    let path = place.socket(&name);
    let _ = std::fs::remove_file(&path);
    let listener = UnixListener::bind(&path)?;
    let mut inherited = Inherited::default();
    let sent = async {
        let asked = format!("{TAKE_OVER} {name}\n");
        if stream.write_all(asked.as_bytes()).await.is_err() {
            return Ok(None);
        }
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            // It says nothing before: this is its end. It may have sent all the same.
            _ = stream.readable() => match tokio::time::timeout(LAST_WORDS, listener.accept()).await {
                Ok(accepted) => accepted,
                Err(_) => return Ok(None),
            },
        };
        receive(accepted?.0).await.map(Some)
    };
    let sent = sent.await;
    let _ = std::fs::remove_file(&path);
    match sent {
        Ok(Some(fds)) => inherited.fds = fds,
        Ok(None) => return Ok(None),
        Err(error) => return Err(error.into()),
    }
    let Some(lock) = inherited.lock(SPOOL_LOCK) else {
        return Err(UpgradeError::Refused);
    };
    spool.hold(SpoolLock::inherited(lock));
    let postgres_lock = inherited.lock(POSTGRES_LOCK);
    let predecessor = Predecessor {
        stream,
        postgres_lock,
    };
    Ok(Some((inherited, predecessor)))
}

/// Names and descriptors, as Pingora's `Fds::send_to_sock` sends them: the names in one
/// text, separated by spaces, in the order of the descriptors.
async fn receive(stream: UnixStream) -> io::Result<HashMap<String, OwnedFd>> {
    loop {
        stream.readable().await?;
        match stream.try_io(Interest::READABLE, || receive_now(&stream)) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            received => return received,
        }
    }
}

fn receive_now(stream: &UnixStream) -> io::Result<HashMap<String, OwnedFd>> {
    let mut names = [0; MAX_NAMES];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_FDS))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let mut buffers = [IoSliceMut::new(&mut names)];
    let received = recvmsg(stream, &mut buffers, &mut control, RecvFlags::CMSG_CLOEXEC)?;
    let mut fds = Vec::new();
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(sent) = message {
            fds.extend(sent);
        }
    }
    let names = String::from_utf8_lossy(&names[..received.bytes]);
    let names: Vec<_> = names.split_ascii_whitespace().map(str::to_owned).collect();
    if names.is_empty() || names.len() != fds.len() {
        return Err(io::ErrorKind::InvalidData.into());
    }
    Ok(names.into_iter().zip(fds).collect())
}
