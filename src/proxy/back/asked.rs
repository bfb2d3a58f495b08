//! The request as it is written to a backend.

use crate::policy::{BodySpan, HeadLimits, HeadReader};

/// What goes out was bounded when it came in.
const LIMITS: HeadLimits = HeadLimits {
    request_line: usize::MAX,
    bytes: usize::MAX,
    fields: usize::MAX,
};

/// Follows a request to its end.
#[derive(Debug)]
pub(super) struct Asked {
    is_head: bool,
    at: At,
}

#[derive(Debug)]
enum At {
    Head(HeadReader, Vec<u8>),
    Body(BodySpan),
    /// It is no single request: a tunnel, or something that nobody understands.
    Lost,
}

impl Asked {
    pub(super) fn nothing() -> Self {
        let at = At::Head(HeadReader::default(), Vec::new());
        Self { is_head: false, at }
    }

    /// Whether it asks for the head of an answer only.
    pub(super) const fn is_head(&self) -> bool {
        self.is_head
    }

    /// Whether all of one request was written, and no more.
    pub(super) const fn is_complete(&self) -> bool {
        matches!(&self.at, At::Body(body) if body.has_ended())
    }

    /// Takes note of what was written.
    pub(super) fn follow(&mut self, bytes: &[u8]) {
        match &mut self.at {
            At::Head(reader, head) => {
                head.extend_from_slice(bytes);
                match reader.read(head, &LIMITS) {
                    Ok(None) => {}
                    Ok(Some(read)) => {
                        self.is_head = head.starts_with(b"HEAD ");
                        let behind = head.split_off(read.end);
                        self.at = At::Body(read.framing.into());
                        self.follow(&behind);
                    }
                    Err(_) => self.at = At::Lost,
                }
            }
            At::Body(body) => {
                if body.follow(bytes) != Ok(bytes.len()) {
                    self.at = At::Lost;
                }
            }
            At::Lost => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(pieces: &[&str]) -> Asked {
        let mut asked = Asked::nothing();
        for piece in pieces {
            asked.follow(piece.as_bytes());
        }
        asked
    }

    #[test]
    fn a_request_is_complete_at_its_end_and_nowhere_else() {
        const HEAD: &str = "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\n";
        assert!(!asked(&[]).is_complete());
        assert!(!asked(&["GET / HTTP/1.1\r\nHost: h\r\n"]).is_complete());
        assert!(asked(&["GET / HT", "TP/1.1\r\nHost: h\r\n\r\n"]).is_complete());
        assert!(!asked(&["GET / HTTP/1.1\r\n\r\n", "x"]).is_complete());
        assert!(!asked(&[HEAD, "ab"]).is_complete());
        assert!(asked(&[HEAD, "ab", "c"]).is_complete());
        assert!(!asked(&[HEAD, "abcd"]).is_complete());
        let chunked = "PUT / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n";
        assert!(!asked(&[chunked, "a\r\n"]).is_complete());
        assert!(asked(&[chunked, "a\r\n0\r\n", "\r\n"]).is_complete());
        assert!(!asked(&["no request\r\n\r\n"]).is_complete());
    }

    #[test]
    fn head_is_told_from_the_rest() {
        assert!(asked(&["HEAD / HTTP/1.1\r\n\r\n"]).is_head());
        assert!(!asked(&["HEADS / HTTP/1.1\r\n\r\n"]).is_head());
    }
}
