//! The request target as it came over the wire.
//!
//! Pingora keeps it as a URI, and a URI loses its fragment: `/a#b` would be judged as
//! `/a`, although the next hop might read it whole.

/// The target in the raw head of an HTTP/1 request; empty if there is none.
pub(super) fn as_sent(head: &[u8]) -> &[u8] {
    let mut lines = head.split(|b| matches!(b, b'\r' | b'\n'));
    // Empty lines before the request line are allowed (RFC 9112 §2.2).
    let line = lines.find(|line| !line.is_empty()).unwrap_or_default();
    line.split(|b| *b == b' ').nth(1).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_target_stands_between_the_first_two_blanks() {
        for (head, target) in [
            ("GET /a#b HTTP/1.1\r\nHost: h\r\n\r\n", "/a#b"),
            ("\r\n\r\nGET /a HTTP/1.1\r\n\r\n", "/a"),
            ("GET http://h/a?b HTTP/1.1\r\n\r\n", "http://h/a?b"),
            ("GET\r\n\r\n", ""),
            ("", ""),
        ] {
            assert_eq!(as_sent(head.as_bytes()), target.as_bytes(), "{head}");
        }
    }
}
