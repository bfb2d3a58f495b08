//! Keeps the server running until told to stop.

use std::time::Duration;

use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::Cluster;
use super::server::Server;

const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

#[derive(Debug)]
pub(crate) struct Supervisor {
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Supervisor {
    pub(crate) fn spawn(cluster: Cluster, server: Server) -> Self {
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(supervise(cluster, server, stopped));
        Self { stop, task }
    }

    pub(crate) async fn stop(self) {
        // Both fail only if the task is gone, and the server with it.
        let _ = self.stop.send(());
        let _ = self.task.await;
    }
}

/// Ends when told to, or when the sender is dropped.
async fn supervise(cluster: Cluster, mut server: Server, mut stop: oneshot::Receiver<()>) {
    loop {
        tokio::select! {
            () = server.ended() => tracing::error!(
                log = %cluster.log().display(),
                "the private PostgreSQL ended, restarting it"
            ),
            _ = &mut stop => return server.shut_down().await,
        }
        server = tokio::select! {
            server = restart(&cluster) => server,
            _ = &mut stop => return,
        };
    }
}

async fn restart(cluster: &Cluster) -> Server {
    let mut pause = FIRST_PAUSE;
    loop {
        tokio::time::sleep(pause).await;
        match cluster.start_or_adopt().await {
            Ok(server) => {
                tracing::info!("the private PostgreSQL runs again");
                return server;
            }
            Err(error) => tracing::error!(%error, "the private PostgreSQL does not start"),
        }
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}
