//! How long a body is.

use super::super::Malformed;

/// Where a message ends (RFC 9112 §6.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// With its head.
    Empty,
    /// After this many bytes, more than none.
    Length(u64),
    /// After its last chunk and trailer.
    Chunked,
}

/// What the fields of a head say about its body.
#[derive(Debug, Default)]
pub(super) struct FramingFields {
    length: Option<u64>,
    chunked: bool,
}

impl FramingFields {
    /// Takes note of a field.
    pub(super) fn see(&mut self, name: &[u8], value: &[u8]) -> Result<(), Malformed> {
        if name.eq_ignore_ascii_case(b"content-length") {
            let length = decimal(value).ok_or(Malformed::Framing)?;
            // Two that agree are still two: the next parser may read one of them otherwise.
            if self.length.replace(length).is_some() {
                return Err(Malformed::Framing);
            }
        } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
            if self.chunked || !value.eq_ignore_ascii_case(b"chunked") {
                return Err(Malformed::Framing);
            }
            self.chunked = true;
        }
        Ok(())
    }

    /// Whether they say nothing of a body.
    pub(super) const fn is_silent(&self) -> bool {
        self.length.is_none() && !self.chunked
    }

    /// The one meaning of them. HTTP/1.0 knows no transfer encodings.
    pub(super) const fn conclude(&self, http_10: bool) -> Result<Framing, Malformed> {
        match (self.length, self.chunked) {
            (None, true) if !http_10 => Ok(Framing::Chunked),
            (_, true) => Err(Malformed::Framing),
            (None | Some(0), false) => Ok(Framing::Empty),
            (Some(length), false) => Ok(Framing::Length(length)),
        }
    }
}

/// Digits only: no sign, no list, no blank within.
fn decimal(value: &[u8]) -> Option<u64> {
    let digits = !value.is_empty() && value.iter().all(u8::is_ascii_digit);
    let text = digits.then(|| std::str::from_utf8(value).ok()).flatten()?;
    text.parse().ok()
}
