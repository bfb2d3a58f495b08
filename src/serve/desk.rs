//! What is told and counted, and the private listener that tells it.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use super::ServeError;
use super::doors::Doors;
use super::listener::{Bound, ListenError};
use super::upgrade::Goods;
use crate::audit::Spool;
use crate::clock::Clock;
use crate::control::{self, Health};
use crate::telemetry::Metrics;

/// What every part of the gateway reports to.
#[derive(Clone)]
pub(super) struct Desk {
    pub(super) spool: Spool,
    pub(super) health: Arc<Health>,
    pub(super) metrics: Arc<Metrics>,
    pub(super) clock: Clock,
}

/// The private listener, open, and the public ones, still to be opened.
pub(super) struct Entrance {
    public: Vec<Bound>,
    pub(super) close_private: oneshot::Sender<()>,
    /// Copies of what is open.
    pub(super) goods: Goods,
}

impl Desk {
    pub(super) fn new(spool: Spool) -> Self {
        Self {
            spool,
            health: Arc::default(),
            metrics: Arc::default(),
            clock: Clock::system(),
        }
    }

    /// Opens the private listener: whoever waits for the gateway is told so.
    pub(super) fn open(
        &self,
        doors: Doors,
        tasks: &mut JoinSet<io::Result<()>>,
    ) -> Result<Entrance, ServeError> {
        let Doors { public, private } = doors;
        let mut goods = Goods::default();
        let private = open(private, "private", &mut goods)?;
        let (close_private, closed) = oneshot::channel();
        tasks.spawn(control::serve(
            TcpListener::from_std(private)?,
            Arc::clone(&self.health),
            Arc::clone(&self.metrics),
            self.spool.clone(),
            self.clock.clone(),
            async {
                if closed.await.is_err() {
                    // Nobody can close it any more.
                    std::future::pending::<()>().await;
                }
            },
        ));
        Ok(Entrance {
            public,
            close_private,
            goods,
        })
    }
}

impl Entrance {
    /// Opens the public listeners.
    pub(super) fn open_public(&mut self) -> Result<Vec<std::net::TcpListener>, ServeError> {
        let public = std::mem::take(&mut self.public).into_iter();
        public
            .map(|bound| open(bound, "public", &mut self.goods))
            .collect()
    }
}

/// Opens a socket and keeps a copy to be handed over.
fn open(
    bound: Bound,
    role: &'static str,
    goods: &mut Goods,
) -> Result<std::net::TcpListener, ServeError> {
    let address: SocketAddr = bound.address();
    let socket = bound.listen(role)?;
    let copy = socket.try_clone();
    goods.socket(
        role,
        address,
        copy.map_err(|source| ListenError { address, source })?,
    );
    Ok(socket)
}
