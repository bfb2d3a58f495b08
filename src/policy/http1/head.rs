//! The head of a request: its first line and its fields.

use super::super::Malformed;
use super::framing::{Framing, FramingFields};
use super::{field, is_token};

/// Bounds on a head, in bytes and lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeadLimits {
    /// The request line.
    pub request_line: usize,
    /// All of it, with its line ends.
    pub bytes: usize,
    /// Field lines.
    pub fields: usize,
}

/// A head that is complete and has one meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// Where it begins: empty lines before it are allowed (RFC 9112 §2.2).
    pub start: usize,
    /// Where it ends, and the body begins.
    pub end: usize,
    /// Where the body ends.
    pub framing: Framing,
    /// Whether the client speaks HTTP/1.0.
    pub http_10: bool,
}

/// Reads a head as it arrives; no byte is looked at twice.
#[derive(Debug, Default)]
pub struct HeadReader {
    /// Begin of the line that is not complete yet.
    line: usize,
    /// What was searched for a line end.
    seen: usize,
    start: usize,
    /// Empty lines ahead of it.
    blank: u32,
    request_line: Option<RequestLine>,
    fields: usize,
    framing: FramingFields,
}

#[derive(Debug)]
struct RequestLine {
    http_10: bool,
}

impl HeadReader {
    /// Whether anything of a head has come. One empty line ahead of it is none of it
    /// (RFC 9112 §2.2); with more of them, somebody could begin for ever.
    #[must_use]
    pub const fn has_begun(&self) -> bool {
        self.request_line.is_some() || self.seen > self.start || self.blank > 1
    }

    /// Goes on with all bytes that have come so far. `None`: more are needed.
    ///
    /// # Errors
    ///
    /// [`Malformed`]: the connection is to be closed, since nobody knows where the next
    /// request begins.
    pub fn read(&mut self, bytes: &[u8], limits: &HeadLimits) -> Result<Option<Head>, Malformed> {
        while let Some(at) = memchr::memchr(b'\n', &bytes[self.seen..]) {
            let end = self.seen + at + 1;
            let line = &bytes[self.line..end];
            self.seen = end;
            self.line = end;
            let head = self.line(line, end, limits)?;
            bounded(end, limits)?;
            if head.is_some() {
                return Ok(head);
            }
        }
        self.seen = bytes.len();
        if self.request_line.is_none() {
            first_byte(&bytes[self.line..])?;
        }
        self.bounded_line(&bytes[self.line..], limits)?;
        bounded(bytes.len(), limits)?;
        Ok(None)
    }

    /// A line with its end.
    fn line(
        &mut self,
        line: &[u8],
        end: usize,
        limits: &HeadLimits,
    ) -> Result<Option<Head>, Malformed> {
        if self.request_line.is_none() {
            first_byte(line)?;
        }
        let line = line.strip_suffix(b"\r\n").ok_or(Malformed::LineEnd)?;
        let Some(request_line) = &self.request_line else {
            if line.is_empty() {
                self.start = end;
                self.blank += 1;
                return Ok(None);
            }
            if line.len() > limits.request_line {
                return Err(Malformed::RequestLineLength);
            }
            self.request_line = Some(RequestLine::parse(line)?);
            return Ok(None);
        };
        if line.is_empty() {
            let http_10 = request_line.http_10;
            return Ok(Some(Head {
                start: self.start,
                end,
                framing: self.framing.conclude(http_10)?,
                http_10,
            }));
        }
        let (name, value) = field(line).ok_or(Malformed::Field)?;
        self.fields += 1;
        if self.fields > limits.fields {
            return Err(Malformed::HeadSize);
        }
        self.framing.see(name, value)?;
        Ok(None)
    }

    /// Bounds a request line that is not complete. Its carriage return may have come without
    /// its line feed.
    fn bounded_line(&self, line: &[u8], limits: &HeadLimits) -> Result<(), Malformed> {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if self.request_line.is_none() && line.len() > limits.request_line {
            return Err(Malformed::RequestLineLength);
        }
        Ok(())
    }
}

/// What is no HTTP, such as TLS, may never send the line end that would tell.
fn first_byte(line: &[u8]) -> Result<(), Malformed> {
    match line.first() {
        Some(b'\r' | b'\n') | None => Ok(()),
        Some(byte) if is_token(*byte) => Ok(()),
        Some(_) => Err(Malformed::RequestLine),
    }
}

/// Bounds what has come, complete or not.
const fn bounded(end: usize, limits: &HeadLimits) -> Result<(), Malformed> {
    if end > limits.bytes {
        return Err(Malformed::HeadSize);
    }
    Ok(())
}

impl RequestLine {
    /// Method, target and version with one blank between (RFC 9112 §3). What a target may
    /// mean is judged later; here it is a run of visible ASCII.
    fn parse(line: &[u8]) -> Result<Self, Malformed> {
        let mut parts = line.split(|byte| *byte == b' ');
        let (Some(method), Some(target), Some(version), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(Malformed::RequestLine);
        };
        let valid = !method.is_empty()
            && method.iter().copied().all(is_token)
            && !target.is_empty()
            && target
                .iter()
                .all(|byte| byte.is_ascii_graphic() && *byte != b'#');
        match version {
            b"HTTP/1.1" if valid => Ok(Self { http_10: false }),
            b"HTTP/1.0" if valid => Ok(Self { http_10: true }),
            _ => Err(Malformed::RequestLine),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: HeadLimits = HeadLimits {
        request_line: 64,
        bytes: 512,
        fields: 8,
    };

    /// The same whether it comes in one piece or byte by byte.
    fn read(bytes: &[u8]) -> Result<Option<Head>, Malformed> {
        let whole = HeadReader::default().read(bytes, &LIMITS);
        let mut reader = HeadReader::default();
        let dripped = (0..=bytes.len())
            .map(|end| reader.read(&bytes[..end], &LIMITS))
            .find(|read| !matches!(read, Ok(None)))
            .unwrap_or(Ok(None));
        assert_eq!(whole, dripped, "{}", bytes.escape_ascii());
        whole
    }

    fn refused(fields: &str) -> Malformed {
        let head = format!("POST /a HTTP/1.1\r\nHost: h\r\n{fields}\r\n\r\n");
        read(head.as_bytes()).unwrap_err()
    }

    fn framing(fields: &str) -> Framing {
        let head = format!("POST /a HTTP/1.1\r\nHost: h\r\n{fields}\r\n\r\n");
        read(head.as_bytes()).unwrap().unwrap().framing
    }

    #[test]
    fn what_is_no_http_is_refused_with_its_first_byte() {
        for start in ["\x16\x03\x01", "\x16\n", "\0", " GET", "\u{80}", "\r\n\x16"] {
            assert_eq!(read(start.as_bytes()), Err(Malformed::RequestLine));
        }
        for start in ["", "\r", "\r\n", "\r\n\r\nG", "get", "!"] {
            assert_eq!(read(start.as_bytes()), Ok(None));
        }
    }

    #[test]
    fn the_longest_request_line_may_come_in_any_pieces() {
        let line = |length: usize| {
            let target = "x".repeat(length - "GET / HTTP/1.1".len());
            read(format!("GET /{target} HTTP/1.1\r\n\r\n").as_bytes())
        };
        assert!(line(LIMITS.request_line).unwrap().is_some());
        assert_eq!(
            line(LIMITS.request_line + 1),
            Err(Malformed::RequestLineLength)
        );
    }

    #[test]
    fn a_head_ends_with_an_empty_line() {
        let head = read(b"GET /a HTTP/1.1\r\nHost: h\r\n\r\nrest").unwrap();
        assert_eq!(
            head,
            Some(Head {
                start: 0,
                end: 28,
                framing: Framing::Empty,
                http_10: false
            })
        );
        assert_eq!(read(b"GET /a HTTP/1.1\r\nHost: h\r\n"), Ok(None));
        assert_eq!(read(b""), Ok(None));
    }

    #[test]
    fn empty_lines_before_it_are_skipped() {
        let head = read(b"\r\n\r\nGET /a HTTP/1.0\r\n\r\n").unwrap().unwrap();
        assert_eq!((head.start, head.end, head.http_10), (4, 23, true));
    }

    #[test]
    fn line_ends_are_carriage_return_and_line_feed() {
        for head in [
            &b"GET /a HTTP/1.1\nHost: h\n\n"[..],
            b"GET /a HTTP/1.1\r\nHost: h\n\r\n",
            b"GET /a HTTP/1.1\r\nHost: h\r\n\n",
            b"\nGET /a HTTP/1.1\r\n\r\n",
        ] {
            assert_eq!(read(head), Err(Malformed::LineEnd));
        }
    }

    #[test]
    fn a_request_line_has_three_parts() {
        for line in [
            "GET /a",
            "GET  /a HTTP/1.1",
            "GET /a HTTP/1.1 ",
            " GET /a HTTP/1.1",
            "GET /a b HTTP/1.1",
            "GET\t/a HTTP/1.1",
            "GET /a#b HTTP/1.1",
            "GET /\u{e9} HTTP/1.1",
            "GET /\x7f HTTP/1.1",
            "GET /a\r HTTP/1.1",
            "G{T /a HTTP/1.1",
            "GET /a HTTP/2.0",
            "GET /a HTTP/1.10",
            "GET /a http/1.1",
        ] {
            let head = format!("{line}\r\nHost: h\r\n\r\n");
            assert_eq!(read(head.as_bytes()), Err(Malformed::RequestLine), "{line}");
        }
    }

    #[test]
    fn fields_are_a_token_a_colon_and_visible_text() {
        for line in [
            " folded",
            "\tfolded",
            "Name : a",
            "Na me: a",
            ": a",
            "Name",
            "N\u{e9}: a",
            "A: b\rc",
            "A: b\0c",
            "A: \x1b[2J",
            "A: \x7f",
        ] {
            assert_eq!(refused(line), Malformed::Field, "{line:?}");
        }
        assert_eq!(framing("A: \u{e9}\tb \r\nB:\r\nC_d.e:x"), Framing::Empty);
    }

    #[test]
    fn a_body_has_one_length() {
        for fields in [
            "Content-Length: +3",
            "Content-Length: 3,3",
            "Content-Length: 0x3",
            "Content-Length: ",
            "Content-Length: -1",
            "Content-Length: 3 3",
            "Content-Length: 99999999999999999999",
            "Content-Length: 3\r\nContent-Length: 4",
            "Content-Length: 3\r\ncontent-length: 3",
            "Content-Length: 3\r\nTransfer-Encoding: chunked",
            "Content-Length: 0\r\nTransfer-Encoding: chunked",
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
            "Transfer-Encoding: chunked, chunked",
            "Transfer-Encoding: gzip, chunked",
            "Transfer-Encoding: identity",
            "Transfer-Encoding: \"chunked\"",
            "Transfer-Encoding: xchunked",
            "Transfer-Encoding:",
        ] {
            assert_eq!(refused(fields), Malformed::Framing, "{fields}");
        }
        assert_eq!(framing("Content-Length: 3"), Framing::Length(3));
        assert_eq!(framing("content-length:003"), Framing::Length(3));
        assert_eq!(framing("Content-Length: 0"), Framing::Empty);
        assert_eq!(framing("Transfer-Encoding: Chunked"), Framing::Chunked);
        let old = b"POST /a HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n";
        assert_eq!(read(old), Err(Malformed::Framing));
    }

    #[test]
    fn size_is_bounded_before_the_end_is_seen() {
        let line = [b'a'; 65];
        assert_eq!(read(&line), Err(Malformed::RequestLineLength));
        let long = format!("GET /{} HTTP/1.1\r\n", "a".repeat(60));
        assert_eq!(read(long.as_bytes()), Err(Malformed::RequestLineLength));
        let many = "A: b\r\n".repeat(8);
        let most = format!("GET / HTTP/1.1\r\n{many}\r\n");
        assert!(read(most.as_bytes()).unwrap().is_some());
        let many = format!("GET / HTTP/1.1\r\n{many}A: b\r\n\r\n");
        assert_eq!(read(many.as_bytes()), Err(Malformed::HeadSize));
        let long = format!("GET / HTTP/1.1\r\nA: {}", "b".repeat(512));
        assert_eq!(read(long.as_bytes()), Err(Malformed::HeadSize));
        assert_eq!(read(&b"\r\n".repeat(300)), Err(Malformed::HeadSize));
    }
}
