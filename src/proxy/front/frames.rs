//! Bounds on what the frames of an HTTP/2 connection may cost.
//!
//! A client can make a server work with frames that ask for nothing: streams reset as soon
//! as they are opened (CVE-2023-44487), pings and settings that want an answer, empty data,
//! a header that never ends. What the protocol's own parser bounds, it bounds; the rest is
//! bounded here, by counting frames as they come.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use tokio::time::Sleep;

use crate::clock::Clock;

/// Length of the client's preface (RFC 9113 §3.4).
const PREFACE: usize = 24;
/// Length of a frame's header (RFC 9113 §4.1).
const HEADER: usize = 9;
/// Frames are counted for so long, then anew.
const WINDOW: Duration = Duration::from_secs(10);
/// Frames of a window that ask for nothing: pings, settings, priorities, empty data.
const MAX_IDLE_FRAMES: u32 = 1_000;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const PRIORITY: u8 = 2;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const CONTINUATION: u8 = 9;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

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
    limits: FrameLimits,
    clock: Clock,
    /// Bytes of the preface or of a payload still to come.
    skip: usize,
    header: [u8; HEADER],
    header_len: usize,
    window: Instant,
    resets: u32,
    idle: u32,
    /// A header block has begun, and its last frame has not.
    in_block: bool,
    /// What is skipped belongs to the preface or to a header block.
    in_header: bool,
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
            limits,
            window: clock.instant(),
            clock,
            skip: PREFACE,
            header: [0; HEADER],
            header_len: 0,
            resets: 0,
            idle: 0,
            in_block: false,
            in_header: true,
            deadline: None,
        }
    }

    /// Counts what comes.
    pub(super) fn follow(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            if self.skip > 0 {
                let skipped = self.skip.min(bytes.len());
                self.skip -= skipped;
                bytes = &bytes[skipped..];
                continue;
            }
            let wanted = (HEADER - self.header_len).min(bytes.len());
            let (part, rest) = bytes.split_at(wanted);
            self.header[self.header_len..self.header_len + wanted].copy_from_slice(part);
            self.header_len += wanted;
            bytes = rest;
            if self.header_len == HEADER {
                self.header_len = 0;
                self.frame()?;
            }
        }
        self.watch();
        Ok(())
    }

    fn frame(&mut self) -> io::Result<()> {
        let [a, b, c, kind, flags, ..] = self.header;
        self.skip = usize::from(a) << 16 | usize::from(b) << 8 | usize::from(c);
        self.in_header = matches!(kind, HEADERS | CONTINUATION);
        if !self.in_block {
            // What took its time was another frame.
            self.deadline = None;
        }
        let now = self.clock.instant();
        if now.saturating_duration_since(self.window) >= WINDOW {
            self.window = now;
            self.resets = 0;
            self.idle = 0;
        }
        match kind {
            RST_STREAM => self.resets += 1,
            HEADERS | CONTINUATION => self.in_block = flags & END_HEADERS == 0,
            SETTINGS | PING | PRIORITY => self.idle += 1,
            DATA if self.skip == 0 && flags & END_STREAM == 0 => self.idle += 1,
            _ => {}
        }
        if self.resets > self.limits.resets {
            return Err(too_much("too many streams were reset"));
        }
        if self.idle > MAX_IDLE_FRAMES {
            return Err(too_much("too many frames that ask for nothing"));
        }
        Ok(())
    }

    /// Sets the deadline of what has begun, once, and forgets it when it ended. A payload
    /// of data may take its time: the stream's own time-outs see to that.
    fn watch(&mut self) {
        let unfinished = self.in_block || self.header_len > 0 || self.in_header && self.skip > 0;
        if !unfinished {
            self.deadline = None;
        } else if self.deadline.is_none() {
            self.deadline = Some(Box::pin(tokio::time::sleep(self.limits.header_timeout)));
        }
    }

    /// Whether a header took too long.
    pub(super) fn poll_deadline(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        match self.deadline.as_mut().map(|sleep| sleep.as_mut().poll(cx)) {
            Some(Poll::Ready(())) => Err(io::ErrorKind::TimedOut.into()),
            _ => Ok(()),
        }
    }
}

fn too_much(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::QuotaExceeded, what)
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;

    fn frames(clock: &Clock) -> Frames {
        let limits = FrameLimits {
            resets: 2,
            header_timeout: Duration::from_secs(1),
        };
        let mut frames = Frames::new(limits, clock.clone());
        frames.follow(&[0; PREFACE]).unwrap();
        frames
    }

    fn frame(kind: u8, flags: u8, payload: &[u8]) -> Vec<u8> {
        let length = u8::try_from(payload.len()).unwrap();
        let mut frame = vec![0, 0, length, kind, flags, 0, 0, 0, 1];
        frame.extend_from_slice(payload);
        frame
    }

    fn clock() -> Clock {
        Clock::manual(DateTime::UNIX_EPOCH)
    }

    #[tokio::test]
    async fn resets_are_counted_by_the_window() {
        let clock = clock();
        let mut frames = frames(&clock);
        let reset = frame(RST_STREAM, 0, &[0; 4]);
        frames.follow(&reset.repeat(2)).unwrap();
        clock.advance(WINDOW);
        // Byte by byte it is the same frame.
        for byte in reset.repeat(2) {
            frames.follow(&[byte]).unwrap();
        }
        assert!(frames.follow(&reset).is_err());
    }

    #[test]
    fn data_of_any_amount_passes() {
        let mut frames = frames(&clock());
        let data = frame(DATA, 0, &[RST_STREAM; 200]);
        frames.follow(&data.repeat(10_000)).unwrap();
    }

    #[test]
    fn frames_that_ask_for_nothing_are_bounded() {
        for idle in [
            frame(PING, 0, &[0; 8]),
            frame(SETTINGS, 0, &[]),
            frame(PRIORITY, 0, &[0; 5]),
            frame(DATA, 0, &[]),
        ] {
            let mut frames = frames(&clock());
            let most = MAX_IDLE_FRAMES as usize;
            frames.follow(&idle.repeat(most)).unwrap();
            assert!(frames.follow(&idle).is_err());
        }
    }

    #[tokio::test]
    async fn a_header_that_does_not_end_has_a_deadline() {
        let mut frames = frames(&clock());
        frames.follow(&frame(HEADERS, 0, b"x")).unwrap();
        assert!(frames.deadline.is_some());
        let last = frame(CONTINUATION, END_HEADERS, b"xy");
        let (most, end) = last.split_at(last.len() - 1);
        frames.follow(most).unwrap();
        assert!(frames.deadline.is_some());
        frames.follow(end).unwrap();
        assert!(frames.deadline.is_none());
        frames.follow(&[0]).unwrap();
        assert!(frames.deadline.is_some());
    }
}
