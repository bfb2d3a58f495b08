//! Paths: decoded segment by segment, refused when ambiguous, encoded afresh.

use std::ops::Range;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use smallvec::SmallVec;

use super::Malformed;

/// All but RFC 3986 `pchar`; `;` is encoded too, but a path with one is refused anyway.
const ENCODE: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b'!')
    .remove(b'$')
    .remove(b'&')
    .remove(b'\'')
    .remove(b'(')
    .remove(b')')
    .remove(b'*')
    .remove(b'+')
    .remove(b',')
    .remove(b'=')
    .remove(b':')
    .remove(b'@');

/// A path whose segments no decoder can read differently.
#[derive(Debug, PartialEq, Eq)]
pub struct CanonicalPath {
    encoded: String,
    /// The decoded path, where it differs from `encoded`.
    decoded: Option<String>,
    /// The segments' places in the decoded path.
    segments: SmallVec<[Range<usize>; 12]>,
    trailing_slash: bool,
}

impl CanonicalPath {
    pub(super) fn parse(raw: &[u8]) -> Result<Self, Malformed> {
        let text = std::str::from_utf8(raw).map_err(|_| Malformed::Path)?;
        let body = text.strip_prefix('/').ok_or(Malformed::Target)?;
        if !raw.iter().all(|b| is_path_byte(*b)) {
            return Err(Malformed::Path);
        }
        if text.contains('%') {
            Self::decode(body)
        } else {
            let segments = split(text)?;
            Ok(Self {
                encoded: text.to_owned(),
                decoded: None,
                segments,
                trailing_slash: text.ends_with('/'),
            })
        }
    }

    fn decode(body: &str) -> Result<Self, Malformed> {
        let mut encoded = String::with_capacity(body.len() + 1);
        let mut decoded = String::with_capacity(body.len() + 1);
        for segment in body.split('/') {
            let text = decode_segment(segment)?;
            decoded.push('/');
            decoded.push_str(&text);
            encoded.push('/');
            encoded.extend(utf8_percent_encode(&text, ENCODE));
        }
        let segments = split(&decoded)?;
        let trailing_slash = decoded.ends_with('/');
        Ok(Self {
            encoded,
            decoded: Some(decoded),
            segments,
            trailing_slash,
        })
    }

    /// The path as it is sent upstream.
    #[must_use]
    pub fn encoded(&self) -> &str {
        &self.encoded
    }

    /// The decoded segments; none for `/`.
    #[must_use]
    pub fn segments(&self) -> SmallVec<[&str; 12]> {
        let text = self.decoded.as_deref().unwrap_or(&self.encoded);
        self.segments.iter().map(|at| &text[at.clone()]).collect()
    }

    /// Whether it ends in `/`; true for `/` itself.
    #[must_use]
    pub const fn trailing_slash(&self) -> bool {
        self.trailing_slash
    }
}

/// RFC 3986 `pchar` and `/`, less `;`, whose parameters some servers strip before routing.
const fn is_path_byte(b: u8) -> bool {
    b.is_ascii_alphanumeric()
        || matches!(
            b,
            b'-' | b'.'
                | b'_'
                | b'~'
                | b'!'
                | b'$'
                | b'&'
                | b'\''
                | b'('
                | b')'
                | b'*'
                | b'+'
                | b','
                | b'='
                | b':'
                | b'@'
                | b'%'
                | b'/'
        )
}

fn split(decoded: &str) -> Result<SmallVec<[Range<usize>; 12]>, Malformed> {
    let mut segments = SmallVec::new();
    let mut start = 1;
    for part in decoded[1..].split('/') {
        let end = start + part.len();
        if part.is_empty() {
            // Only the last may be empty: that is the trailing slash.
            if end != decoded.len() {
                return Err(Malformed::Path);
            }
        } else if matches!(part, "." | "..") {
            return Err(Malformed::Path);
        } else {
            segments.push(start..end);
        }
        start = end + 1;
    }
    Ok(segments)
}

fn decode_segment(segment: &str) -> Result<String, Malformed> {
    let bytes = percent_decode(segment.as_bytes(), false).ok_or(Malformed::Path)?;
    let text = String::from_utf8(bytes).map_err(|_| Malformed::Path)?;
    let forbidden = |c: char| c.is_control() || matches!(c, '/' | '\\' | ';' | '#');
    if text.contains(forbidden) || is_encoded_again(text.as_bytes()) {
        return Err(Malformed::Path);
    }
    Ok(text)
}

/// Whether decoding once more would change it: some backends decode to a fixpoint.
fn is_encoded_again(decoded: &[u8]) -> bool {
    decoded
        .windows(3)
        .any(|w| w[0] == b'%' && w[1].is_ascii_hexdigit() && w[2].is_ascii_hexdigit())
}

/// Strict percent-decoding: `None` on a `%` that two hex digits do not follow.
pub(super) fn percent_decode(text: &[u8], plus_is_space: bool) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.iter();
    while let Some(byte) = bytes.next() {
        out.push(match byte {
            b'%' => {
                let high = hex(*bytes.next()?)?;
                let low = hex(*bytes.next()?)?;
                high << 4 | low
            }
            b'+' if plus_is_space => b' ',
            other => *other,
        });
    }
    Some(out)
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16)?.try_into().ok()
}
