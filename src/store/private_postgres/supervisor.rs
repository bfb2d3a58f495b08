//! Keeps the server running until told to stop.

use std::time::Duration;

use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::Cluster;
use super::server::Server;

const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// How supervision ends.
#[derive(Debug)]
enum End {
    /// The server is stopped.
    Stop,
    /// It runs on.
    Leave,
}

#[derive(Debug)]
pub(crate) struct Supervisor {
    end: oneshot::Sender<End>,
    task: JoinHandle<()>,
}

impl Supervisor {
    pub(crate) fn spawn(cluster: Cluster, server: Server) -> Self {
        let (end, ended) = oneshot::channel();
        let task = tokio::spawn(supervise(cluster, server, ended));
        Self { end, task }
    }

    pub(crate) async fn stop(self) {
        self.end(End::Stop).await;
    }

    pub(crate) async fn leave(self) {
        self.end(End::Leave).await;
    }

    async fn end(self, how: End) {
        // Both fail only if the task is gone, and the server with it.
        let _ = self.end.send(how);
        let _ = self.task.await;
    }
}

/// Ends when told to, or when the sender is dropped.
async fn supervise(cluster: Cluster, mut server: Server, mut end: oneshot::Receiver<End>) {
    loop {
        tokio::select! {
            () = server.ended() => tracing::error!(
                log = %cluster.log().display(),
                "the private PostgreSQL ended, restarting it"
            ),
            how = &mut end => return match how {
                Ok(End::Leave) => server.leave(),
                Ok(End::Stop) | Err(_) => server.shut_down().await,
            },
        }
        server = tokio::select! {
            server = restart(&cluster) => server,
            _ = &mut end => return,
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
