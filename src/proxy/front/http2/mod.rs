//! HTTP/2: many requests at once.

mod conversation;
mod requests;
mod unheard;

use std::sync::Arc;

use pingora::protocols::http::v2::server::{H2Options, default_h2_options, handshake};
use pingora::server::ShutdownWatch;
use tokio::time::{Instant, timeout, timeout_at};

use self::conversation::Conversation;
use super::abuse::Abuse;
use super::accept::Front;
use super::frames::{FrameLimits, Frames};
use super::gate::Gate;
use super::span::Span;
use crate::config::Limits;

/// What a client that knows sends first (RFC 9113 §3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

impl Front {
    /// Whether a client, of which something has come, speaks HTTP/2 without having been
    /// asked.
    pub(super) async fn begins_http2(&self, gate: &mut Gate) -> bool {
        let due = Instant::now() + self.limits().header_timeout;
        loop {
            let come = gate.ahead();
            if !PREFACE.starts_with(&come[..come.len().min(PREFACE.len())]) {
                return false;
            }
            if come.len() >= PREFACE.len() {
                return true;
            }
            if !matches!(timeout_at(due, gate.fill()).await, Ok(Ok(true))) {
                return false;
            }
        }
    }

    /// Serves requests until the client or the gateway has enough.
    pub(super) async fn serve_http2(&self, gate: Box<Gate>, shutdown: ShutdownWatch) {
        let connection = Arc::clone(gate.connection());
        let ended = self.converse(gate, shutdown).await;
        if let Some(abuse) = connection.abuse().or(ended.err()) {
            self.gateway.end_for(&connection, abuse).await;
        }
    }

    async fn converse(&self, mut gate: Box<Gate>, shutdown: ShutdownWatch) -> Result<(), Abuse> {
        let connection = Arc::clone(gate.connection());
        let swaps = self.gateway.rules.swaps();
        let limits = self.limits();
        let frames = Frames::new(frame_limits(&limits), self.gateway.clock.clone());
        if gate.open(Span::Frames(Box::new(frames))).is_err() {
            return Ok(());
        }
        let handshake = handshake(gate, Some(h2_options(&limits)));
        let streams = match timeout(limits.header_timeout, handshake).await {
            Ok(Ok(streams)) => streams,
            Ok(Err(error)) => return Abuse::found_by_parser(&error),
            Err(_) => {
                self.gateway.metrics.transport.failed("timeout").inc();
                return Ok(());
            }
        };
        let conversation = Conversation::new(self, connection, streams, limits);
        conversation.hold(shutdown, swaps).await
    }
}

fn frame_limits(limits: &Limits) -> FrameLimits {
    FrameLimits {
        resets: limits.resets,
        header_timeout: limits.header_timeout,
    }
}

fn h2_options(limits: &Limits) -> H2Options {
    let mut options = default_h2_options();
    let bytes = u32::try_from(limits.head.bytes).unwrap_or(u32::MAX);
    options
        .max_concurrent_streams(limits.streams)
        // By default it hangs up after 20 that come at once: the frames are counted here.
        .max_pending_accept_reset_streams(limits.resets as usize)
        .max_header_list_size(bytes);
    options
}
