//! The answer to a head that is none.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::timeout;

use super::accept::Front;
use super::gate::Gate;
use crate::policy::Malformed;

/// How long the client may take to send the rest and read the answer.
const LINGER: Duration = Duration::from_secs(2);
/// How much of the rest is read.
const MAX_REST: usize = 256 * 1024;

impl Front {
    /// Answers and hangs up. What follows on the stream is never parsed.
    pub(super) async fn refuse(&self, gate: Gate, malformed: Malformed) {
        let refused = self.gateway.refuse_head(gate.connection(), malformed);
        let answer = refused.await;
        let mut stream = gate.into_stream();
        let farewell = async {
            stream.write_all(&answer).await?;
            stream.flush().await?;
            stream.shutdown().await?;
            // Closing with unread bytes would take the answer back.
            let mut rest = [0; 4096];
            let mut read = 0;
            while read < MAX_REST {
                match stream.read(&mut rest).await? {
                    0 => break,
                    more => read += more,
                }
            }
            std::io::Result::Ok(())
        };
        if !matches!(timeout(LINGER, farewell).await, Ok(Ok(()))) {
            tracing::debug!("the client did not take the answer");
        }
    }
}
