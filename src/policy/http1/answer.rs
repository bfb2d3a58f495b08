//! The head of an answer: its status line and its fields.

use super::field;
use super::framing::{Framing, FramingFields};

/// All of a head, with its line ends.
const MAX_BYTES: usize = 64 * 1024;
/// Field lines: Pingora reads no more.
const MAX_FIELDS: usize = 256;
/// What every answer of HTTP/1 begins with.
const BEGIN: &[u8] = b"HTTP/1.";

/// The answer of a backend has no single meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MalformedAnswer {
    /// No `HTTP/1.0` or `HTTP/1.1` with a status from 100 to 599.
    #[error("no status line")]
    StatusLine,
    /// A line that ends otherwise than with CR LF.
    #[error("a bare line feed")]
    LineEnd,
    /// A line that is no field: folded, a name that is no token, a control character.
    #[error("a line that is no field")]
    Field,
    /// Two lengths, or a length where there can be no body.
    #[error("a body without a single length")]
    Framing,
    /// Too many bytes or fields.
    #[error("too large a head")]
    HeadSize,
}

/// A head that is complete and has one meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AnswerHead {
    /// Where it ends.
    pub end: usize,
    /// What comes behind it.
    pub body: AnswerBody,
}

/// What follows the head of an answer (RFC 9112 §6.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AnswerBody {
    /// Another head: this was an interim answer.
    Interim,
    /// A body, or none.
    Framed(Framing),
    /// All that comes until the connection ends, whether a body or another protocol.
    ToTheEnd,
}

/// Reads a head as it arrives; no byte is looked at twice.
#[derive(Debug, Default)]
pub struct AnswerReader {
    /// Begin of the line that is not complete yet.
    line: usize,
    /// What was searched for a line end.
    seen: usize,
    status: Option<StatusLine>,
    fields: usize,
    framing: FramingFields,
}

#[derive(Clone, Copy, Debug)]
struct StatusLine {
    http_10: bool,
    code: u16,
}

impl AnswerReader {
    /// Goes on with all bytes that have come so far; `to_head` says that the request was
    /// HEAD. `None`: more are needed.
    ///
    /// # Errors
    ///
    /// [`MalformedAnswer`]: nothing of the connection can be made sense of any more.
    pub fn read(
        &mut self,
        bytes: &[u8],
        to_head: bool,
    ) -> Result<Option<AnswerHead>, MalformedAnswer> {
        while let Some(at) = memchr::memchr(b'\n', &bytes[self.seen..]) {
            let end = self.seen + at + 1;
            bounded(end)?;
            let line = &bytes[self.line..end];
            self.seen = end;
            self.line = end;
            if let Some(body) = self.line(line, to_head)? {
                return Ok(Some(AnswerHead { end, body }));
            }
        }
        self.seen = bytes.len();
        bounded(bytes.len())?;
        // What is no HTTP may never send the line end that would tell.
        if self.status.is_none() && !BEGIN.iter().zip(bytes).all(|(want, got)| want == got) {
            return Err(MalformedAnswer::StatusLine);
        }
        Ok(None)
    }

    /// A line with its end.
    fn line(&mut self, line: &[u8], to_head: bool) -> Result<Option<AnswerBody>, MalformedAnswer> {
        let Some(status) = self.status else {
            self.status = Some(StatusLine::parse(line)?);
            return Ok(None);
        };
        let line = crlf(line)?;
        if line.is_empty() {
            return self.body(status, to_head).map(Some);
        }
        let (name, value) = field(line).ok_or(MalformedAnswer::Field)?;
        self.fields += 1;
        if self.fields > MAX_FIELDS {
            return Err(MalformedAnswer::HeadSize);
        }
        let seen = self.framing.see(name, value);
        seen.map_err(|_| MalformedAnswer::Framing)?;
        Ok(None)
    }

    fn body(&self, status: StatusLine, to_head: bool) -> Result<AnswerBody, MalformedAnswer> {
        let framing = self.framing.conclude(status.http_10);
        let framing = framing.map_err(|_| MalformedAnswer::Framing)?;
        match (status.code, framing) {
            (101, Framing::Empty) => Ok(AnswerBody::ToTheEnd),
            (100..=199, Framing::Empty) => Ok(AnswerBody::Interim),
            (204, Framing::Empty) | (304, _) => Ok(AnswerBody::Framed(Framing::Empty)),
            // A body is announced where none can be: one reader takes it for the next answer.
            (100..=199 | 204, _) => Err(MalformedAnswer::Framing),
            _ if to_head => Ok(AnswerBody::Framed(Framing::Empty)),
            (_, Framing::Empty) if self.framing.is_silent() => Ok(AnswerBody::ToTheEnd),
            (_, framing) => Ok(AnswerBody::Framed(framing)),
        }
    }
}

impl StatusLine {
    /// Version, status and reason with one blank between (RFC 9112 §4). The blank before a
    /// reason that is missing is often missing as well, and nobody reads that otherwise.
    fn parse(line: &[u8]) -> Result<Self, MalformedAnswer> {
        let rest = line
            .strip_prefix(BEGIN)
            .ok_or(MalformedAnswer::StatusLine)?;
        let rest = crlf(rest)?;
        let (minor, rest) = rest
            .split_at_checked(2)
            .ok_or(MalformedAnswer::StatusLine)?;
        let (digits, reason) = rest
            .split_at_checked(3)
            .ok_or(MalformedAnswer::StatusLine)?;
        let valid = matches!(digits, [b'1'..=b'5', b'0'..=b'9', b'0'..=b'9'])
            && matches!(reason, [] | [b' ', ..])
            && reason.iter().copied().all(super::is_value);
        let code = digits.iter().fold(0, |code, digit| {
            code * 10 + u16::from(digit.wrapping_sub(b'0'))
        });
        match minor {
            b"1 " if valid => Ok(Self {
                http_10: false,
                code,
            }),
            b"0 " if valid => Ok(Self {
                http_10: true,
                code,
            }),
            _ => Err(MalformedAnswer::StatusLine),
        }
    }
}

fn crlf(line: &[u8]) -> Result<&[u8], MalformedAnswer> {
    line.strip_suffix(b"\r\n").ok_or(MalformedAnswer::LineEnd)
}

/// Bounds what has come, complete or not.
const fn bounded(bytes: usize) -> Result<(), MalformedAnswer> {
    if bytes > MAX_BYTES {
        return Err(MalformedAnswer::HeadSize);
    }
    Ok(())
}

#[cfg(test)]
mod tests;
