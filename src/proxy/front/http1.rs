//! HTTP/1: one request after the other.

use std::sync::Arc;

use bytes::BytesMut;
use pingora::apps::HttpServerApp as _;
use pingora::protocols::http::ServerSession;
use pingora::server::ShutdownWatch;
use tokio::time::{Instant, timeout_at};

use super::accept::Front;
use super::gate::Gate;
use crate::config::Limits;
use crate::policy::{HeadReader, Malformed};

/// What came instead of a request.
enum End {
    /// Nothing, or nothing that wants an answer.
    Closed,
    /// Something that is no request.
    Refused(Malformed),
}

impl Front {
    /// Serves requests until the client or the gateway has enough.
    pub(super) async fn serve_http1(&self, mut gate: Box<Gate>, shutdown: ShutdownWatch) {
        loop {
            let (head, limits) = match self.next_head(&mut gate).await {
                Ok(next) => next,
                Err(End::Closed) => return,
                Err(End::Refused(malformed)) => return self.refuse(*gate, malformed).await,
            };
            let connection = Arc::clone(gate.connection());
            let before = connection.exchanges();
            let mut session = ServerSession::new_http1(gate);
            session.set_pipelined_prefix(head);
            session.set_read_timeout(Some(limits.idle));
            session.set_write_timeout(Some(limits.idle));
            let served = self.proxy.process_new_http(session, &shutdown).await;
            let Some(reused) = served else {
                if connection.exchanges() == before && !*shutdown.borrow() {
                    // Pingora understood less than the front, and has said so.
                    let refused = self.gateway.refuse_head(&connection, Malformed::Target);
                    drop(refused.await);
                }
                return;
            };
            match reused.consume().0.into_any().downcast::<Gate>() {
                Ok(next) if next.is_between_requests() => gate = next,
                _ => return,
            }
        }
    }

    /// Waits for a head and lets its body through. The limits are those that were in force
    /// when it began.
    async fn next_head(&self, gate: &mut Gate) -> Result<(BytesMut, Limits), End> {
        let mut reader = HeadReader::default();
        let mut begun = None;
        loop {
            let limits = match begun {
                Some((limits, _)) => limits,
                None => self.limits_of(gate.connection()).ok_or(End::Closed)?,
            };
            let read = reader.read(gate.ahead(), &limits.head);
            if let Some(head) = read.map_err(End::Refused)? {
                let bytes = gate.take(head.start, head.end);
                let opened = gate.open(head.framing);
                opened.map_err(|_| End::Refused(Malformed::Chunk))?;
                return Ok((bytes, limits));
            }
            if !reader.has_begun() {
                if self.begins(gate).await {
                    continue;
                }
                return Err(End::Closed);
            }
            let (_, deadline) =
                *begun.get_or_insert_with(|| (limits, Instant::now() + limits.header_timeout));
            match timeout_at(deadline, gate.fill()).await {
                Ok(Ok(true)) => {}
                Ok(_) => return Err(End::Closed),
                Err(_) => return Err(End::Refused(Malformed::HeadTimeout)),
            }
        }
    }
}
