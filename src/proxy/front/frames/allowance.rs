//! How many frames a client may send that ask for nothing.
//!
//! Some are part of the protocol: a window is opened for what was received, a ping measures
//! the way, a priority goes with a request. So each request and each piece of an answer
//! allows a few more, and an honest client has them before it needs them.

use std::time::{Duration, Instant};

use crate::proxy::front::abuse::Abuse;

/// Frames are counted for so long, then anew.
pub(super) const WINDOW: Duration = Duration::from_secs(10);
/// Frames of a window that ask for nothing and that nothing accounts for.
pub(super) const MAX_IDLE: u32 = 1_000;
/// What a request or a frame of data allows: a window for its stream, one for the
/// connection, and a ping.
pub(super) const EACH: u32 = 3;
/// Most that can be laid by.
pub(super) const MAX_EARNED: u32 = 100_000;
/// Data in smaller pieces may be what the backend sends, or what a window opened by single
/// bytes lets through (CVE-2019-9511) …
pub(super) const SMALL: usize = 64;
/// … so only so many of them a window allow anything.
pub(super) const MAX_SMALL: u32 = 5_000;

/// What a connection has sent in this window.
#[derive(Debug)]
pub(super) struct Allowance {
    max_resets: u32,
    since: Instant,
    resets: u32,
    idle: u32,
    small: u32,
    /// Frames that something sent accounts for; these outlast a window, since their answer
    /// may come in the next.
    earned: u32,
}

impl Allowance {
    pub(super) const fn new(max_resets: u32, since: Instant) -> Self {
        Self {
            max_resets,
            since,
            resets: 0,
            idle: 0,
            small: 0,
            earned: 0,
        }
    }

    /// Begins another window if it is time.
    pub(super) fn at(&mut self, now: Instant) {
        if now.saturating_duration_since(self.since) >= WINDOW {
            *self = Self {
                earned: self.earned,
                ..Self::new(self.max_resets, now)
            };
        }
    }

    /// A stream was reset.
    pub(super) const fn reset(&mut self) -> Result<(), Abuse> {
        self.resets += 1;
        if self.resets > self.max_resets {
            return Err(Abuse::Resets);
        }
        Ok(())
    }

    /// A frame came that asks for nothing.
    pub(super) const fn idle(&mut self) -> Result<(), Abuse> {
        if self.earned > 0 {
            self.earned -= 1;
            return Ok(());
        }
        self.idle += 1;
        if self.idle > MAX_IDLE {
            return Err(Abuse::IdleFrames);
        }
        Ok(())
    }

    /// A request has begun.
    pub(super) fn earn(&mut self) {
        self.earned = (self.earned + EACH).min(MAX_EARNED);
    }

    /// So much data was sent in one frame.
    pub(super) fn sent(&mut self, length: usize) {
        if length < SMALL {
            self.small += 1;
            if self.small > MAX_SMALL {
                self.small = MAX_SMALL;
                return;
            }
        }
        self.earn();
    }
}
