//! Counts the streams that a client opens, each of them a request.

use super::cutter::{CONTINUATION, END_HEADERS, Frame, HEADERS};

/// Streams of a connection so far.
#[derive(Debug, Default)]
pub(super) struct Openings {
    /// The last of them.
    newest: u32,
    at: At,
    count: u64,
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
    pub(super) const fn note(&mut self, frame: Frame) {
        let begins = frame.kind == HEADERS && frame.stream > self.newest;
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
