//! Bounds on what the frames of an HTTP/2 connection may cost.
//!
//! A client can make a server work with frames that ask for nothing: streams reset as soon
//! as they are opened (CVE-2023-44487), pings and settings that want an answer, windows,
//! priorities and frames of unknown kinds, empty data, a header that never ends. What the
//! protocol's own parser bounds, it bounds; the rest is bounded here, by counting frames as
//! they come, and what is sent as it goes.

mod allowance;
mod cutter;
mod openings;
#[cfg(test)]
mod tests;

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::Sleep;

use self::allowance::Allowance;
use self::cutter::{
    CONTINUATION, Cutter, DATA, END_HEADERS, END_STREAM, Frame, GOAWAY, HEADERS, PADDED,
    REFUSED_STREAM, RST_STREAM,
};
use self::openings::Openings;
use super::abuse::Abuse;
use crate::clock::Clock;

/// Length of the client's preface (RFC 9113 §3.4).
const PREFACE: usize = 24;
/// Padding of a frame, and its length.
const MAX_PADDING: usize = 256;

/// Bounds on a connection's frames.
#[derive(Clone, Copy, Debug)]
pub(super) struct FrameLimits {
    /// Streams that a client may reset in ten seconds.
    pub(super) resets: u32,
    /// From the first byte of a frame or header to its last.
    pub(super) header_timeout: Duration,
}

/// Follows the frames of a connection.
pub(super) struct Frames {
    clock: Clock,
    received: Cutter,
    sent: Cutter,
    allowance: Allowance,
    header_timeout: Duration,
    /// A header block has begun, and its last frame has not.
    in_block: bool,
    /// The payload that comes belongs to the preface or to a header block.
    in_header: bool,
    openings: Openings,
    deadline: Option<Pin<Box<Sleep>>>,
}

impl std::fmt::Debug for Frames {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Frames")
    }
}

impl Frames {
    pub(super) fn new(limits: FrameLimits, clock: Clock) -> Self {
        Self {
            allowance: Allowance::new(limits.resets, clock.instant()),
            clock,
            received: Cutter::behind(PREFACE),
            sent: Cutter::behind(0),
            header_timeout: limits.header_timeout,
            in_block: false,
            in_header: true,
            openings: Openings::default(),
            deadline: None,
        }
    }

    /// Counts what comes.
    pub(super) fn follow(&mut self, mut bytes: &[u8]) -> Result<(), Abuse> {
        while let Some(frame) = self.received.next(&mut bytes) {
            self.frame(frame)?;
        }
        self.watch();
        Ok(())
    }

    /// Counts what goes. Returns how many streams it refuses because there are too many.
    pub(super) fn follow_sent(&mut self, mut bytes: &[u8]) -> u64 {
        let mut refused = 0;
        while let Some(frame) = self.sent.next(&mut bytes) {
            match frame.kind {
                DATA => self.allowance.sent(frame.length),
                RST_STREAM if bytes.starts_with(&REFUSED_STREAM) => refused += 1,
                GOAWAY => {
                    if let Some(last) = bytes.first_chunk() {
                        self.openings.end_with(u32::from_be_bytes(*last));
                    }
                }
                _ => {}
            }
        }
        refused
    }

    /// The requests whose header has come to its end.
    pub(super) fn requests(&self) -> u64 {
        self.openings.complete(self.received.is_in_payload())
    }

    fn frame(&mut self, frame: Frame) -> Result<(), Abuse> {
        self.in_header = matches!(frame.kind, HEADERS | CONTINUATION);
        self.openings.note(frame);
        if !self.in_block {
            // What took its time was another frame.
            self.deadline = None;
        }
        self.allowance.at(self.clock.instant());
        match frame.kind {
            RST_STREAM => return self.allowance.reset(),
            HEADERS => self.allowance.earn(),
            CONTINUATION => {}
            DATA if !is_empty(frame) => {}
            _ => self.allowance.idle()?,
        }
        if self.in_header {
            self.in_block = !frame.has(END_HEADERS);
        }
        Ok(())
    }

    /// Sets the deadline of what has begun, once, and forgets it when it ended. A payload
    /// of data may take its time: the stream's own time-outs see to that.
    fn watch(&mut self) {
        let in_header = self.received.is_in_header();
        let unfinished =
            self.in_block || in_header || self.in_header && self.received.is_in_payload();
        if !unfinished {
            self.deadline = None;
        } else if self.deadline.is_none() {
            self.deadline = Some(Box::pin(tokio::time::sleep(self.header_timeout)));
        }
    }

    /// Whether a header took too long.
    pub(super) fn poll_deadline(&mut self, cx: &mut Context<'_>) -> Result<(), Abuse> {
        match self.deadline.as_mut().map(|sleep| sleep.as_mut().poll(cx)) {
            Some(Poll::Ready(())) => Err(Abuse::HeaderTimeout),
            _ => Ok(()),
        }
    }
}

/// Data that is none, or may be padding alone; the last of a stream tells at least that.
const fn is_empty(frame: Frame) -> bool {
    let most = if frame.has(PADDED) { MAX_PADDING } else { 0 };
    frame.length <= most && !frame.has(END_STREAM)
}
