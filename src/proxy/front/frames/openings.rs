//! Counts the streams that a client opens, each of them a request.

use std::collections::VecDeque;

use super::cutter::{CONTINUATION, END_HEADERS, Frame, HEADERS};

/// Streams of a connection so far.
#[derive(Debug)]
pub(super) struct Openings {
    /// The newest of them.
    newest: u32,
    /// The last that the client was told will be served: what is behind it, the client sends
    /// again elsewhere.
    last: u32,
    at: At,
    count: u64,
    /// The newest few, for those of them that turn out to be behind the last.
    lately: VecDeque<u32>,
}

/// Streams that may come between the end of a connection being told and the client's hearing it,
/// as far as they can be taken back.
const LATELY: usize = 1_000;

impl Default for Openings {
    fn default() -> Self {
        Self {
            newest: 0,
            last: u32::MAX,
            at: At::default(),
            count: 0,
            lately: VecDeque::new(),
        }
    }
}

/// What the frame that comes is.
#[derive(Clone, Copy, Debug, Default)]
enum At {
    /// No part of a header that opens a stream; trailers open none.
    #[default]
    Other,
    /// A part of one, but not its end.
    Header,
    /// Its end.
    End,
}

impl Openings {
    /// The next frame begins.
    pub(super) fn note(&mut self, frame: Frame) {
        let begins = frame.kind == HEADERS && (self.newest + 1..=self.last).contains(&frame.stream);
        if begins {
            self.newest = frame.stream;
        }
        let goes_on = matches!(self.at, At::Header) && frame.kind == CONTINUATION;
        self.at = match (begins || goes_on, frame.has(END_HEADERS)) {
            (false, _) => At::Other,
            (true, false) => At::Header,
            (true, true) => At::End,
        };
        if matches!(self.at, At::End) {
            self.count += 1;
            if self.lately.len() == LATELY {
                self.lately.pop_front();
            }
            self.lately.push_back(self.newest);
        }
    }

    /// The client is told that this is the last that is served (RFC 9113 §6.8). It may hear first
    /// that there will be one, with the highest number there is.
    pub(super) fn end_with(&mut self, last: u32) {
        self.last = last & 0x7fff_ffff;
        while self.lately.back().is_some_and(|stream| *stream > self.last) {
            self.lately.pop_back();
            self.count -= 1;
        }
    }

    /// Those whose header has come to its end; the last may not have, if a payload is still
    /// to come.
    pub(super) const fn complete(&self, in_payload: bool) -> u64 {
        match self.at {
            At::End if in_payload => self.count - 1,
            _ => self.count,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn frame(kind: u8, flags: u8, stream: u32) -> Frame {
        Frame {
            kind,
            flags,
            stream,
            length: 1,
        }
    }

    #[test]
    fn what_is_behind_the_last_does_not_count() {
        let mut openings = Openings::default();
        let open = |openings: &mut Openings, stream| {
            openings.note(frame(HEADERS, END_HEADERS, stream));
            openings.complete(false)
        };
        assert_eq!(open(&mut openings, 1), 1);
        // It is about to be told.
        openings.end_with(0x7fff_ffff);
        assert_eq!(open(&mut openings, 3), 2);
        assert_eq!(open(&mut openings, 7), 3);
        openings.end_with(0x8000_0003);
        assert_eq!(openings.complete(false), 2);
        assert_eq!(open(&mut openings, 9), 2);
    }

    #[test]
    fn a_header_counts_once_at_its_end() {
        let mut openings = Openings::default();
        for (frame, in_payload, complete) in [
            (frame(0, 0, 0), false, 0),
            (frame(HEADERS, END_HEADERS, 1), true, 0),
            (frame(HEADERS, END_HEADERS, 3), false, 2),
            (frame(HEADERS, 0, 5), false, 2),
            (frame(CONTINUATION, 0, 5), false, 2),
            (frame(CONTINUATION, END_HEADERS, 5), true, 2),
            (frame(0, 0, 5), true, 3),
            // Trailers.
            (frame(HEADERS, END_HEADERS, 3), false, 3),
            (frame(HEADERS, 0, 5), false, 3),
            (frame(CONTINUATION, END_HEADERS, 5), false, 3),
        ] {
            openings.note(frame);
            assert_eq!(openings.complete(in_payload), complete, "{frame:?}");
        }
    }
}
