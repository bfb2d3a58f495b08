//! A gateway that serves, until it is stopped or relieved.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::oneshot;
use tokio::task::{AbortHandle, JoinSet};

use super::ServeError;
use super::data_plane::DataPlane;
use super::database::Database;
use super::desk::Desk;
use super::stop::Stop;
use super::upgrade::{Offer, Taken};
use crate::audit::AuditWriter;
use crate::config::Shutdown;

/// How long the audit writer may take at the end; what is left goes with the next start.
const DRAIN: Duration = Duration::from_secs(5);

/// What serves, and what it takes to end it.
pub(super) struct Running {
    pub(super) desk: Desk,
    pub(super) plane: DataPlane,
    pub(super) writer: AuditWriter,
    pub(super) shutdown: Arc<ArcSwap<Shutdown>>,
    pub(super) close_private: oneshot::Sender<()>,
    pub(super) reloading: AbortHandle,
    /// `None` if no other process can take over.
    pub(super) offer: Option<Offer>,
}

/// Why it ends.
enum End {
    /// A signal.
    Asked,
    /// A background task is gone.
    Broken,
    /// Another process serves in our place.
    Relieved(Taken),
}

impl Running {
    /// Serves until there is a reason not to, and ends what was begun.
    pub(super) async fn until_end(
        mut self,
        database: &mut Database,
        stop: &mut Stop,
        tasks: &mut JoinSet<io::Result<()>>,
    ) -> Result<(), ServeError> {
        let end = tokio::select! {
            () = stop.requested() => End::Asked,
            () = first_to_end(tasks) => End::Broken,
            taken = taken(self.offer.as_ref()) => End::Relieved(taken),
        };
        // Its copies of the sockets would keep them open.
        self.offer = None;
        let Self {
            desk,
            plane,
            writer,
            shutdown,
            close_private,
            reloading,
            ..
        } = self;
        let (usage, shutdown) = (plane.usage(), shutdown.load());
        let broken = matches!(end, End::Broken);
        if let End::Relieved(taken) = end {
            plane.close_doors().await;
            // A change from here on is for the other one only.
            reloading.abort();
            // Fails only if it is closed.
            let _ = close_private.send(());
            desk.spool.release();
            database.leave().await;
            taken.yours().await;
            tracing::info!("another process has taken over: ending what was begun here");
            plane.see_off(shutdown.deadline, stop).await;
        } else {
            desk.health.draining();
            plane.stop(&shutdown, stop).await;
        }
        usage.flush(&database.db).await;
        let left = writer.drain(DRAIN, &desk.clock).await;
        if left.depth_events > 0 {
            tracing::warn!(
                events = left.depth_events,
                "audit events stay in the spool for the next process"
            );
        }
        if broken {
            Err(ServeError::Background)
        } else {
            Ok(())
        }
    }
}

async fn taken(offer: Option<&Offer>) -> Taken {
    match offer {
        Some(offer) => offer.taken().await,
        None => std::future::pending().await,
    }
}

/// Waits for a background task to end, which none does by itself: without it the
/// gateway would go on with caches that nobody keeps true, so it stops.
async fn first_to_end(tasks: &mut JoinSet<io::Result<()>>) {
    match tasks.join_next().await {
        Some(Err(error)) => tracing::error!(%error, "a background task failed: stopping"),
        Some(Ok(Err(error))) => tracing::error!(%error, "the private listener failed: stopping"),
        Some(Ok(Ok(()))) => tracing::error!("a background task ended: stopping"),
        None => std::future::pending().await,
    }
}
