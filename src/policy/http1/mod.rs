//! HTTP/1 as it comes over the wire, read as strictly as RFC 9112 has it.
//!
//! Parsers forgive in different ways: a lone line feed, a folded line, two lengths.
//! Where the gateway forgives and the backend forgives otherwise, one request becomes
//! two. So nothing is forgiven here, before any other parser has seen a byte.

mod answer;
mod body;
mod chunked;
mod framing;
mod head;

pub use answer::{AnswerBody, AnswerHead, AnswerReader, MalformedAnswer};
pub use body::BodySpan;
pub use chunked::Chunked;
pub use framing::Framing;
pub use head::{Head, HeadLimits, HeadReader};

/// A token character (RFC 9110 §5.6.2): of methods and field names.
const fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(
            byte,
            b'!' | b'#'
                | b'$'
                | b'%'
                | b'&'
                | b'\''
                | b'*'
                | b'+'
                | b'-'
                | b'.'
                | b'^'
                | b'_'
                | b'`'
                | b'|'
                | b'~'
        )
}

/// What a field value may hold (RFC 9110 §5.5): all but control characters, and tabs.
const fn is_value(byte: u8) -> bool {
    !byte.is_ascii_control() || byte == b'\t'
}

/// Name and value of a field line without its line end; `None` if it is none.
///
/// A folded line begins with a blank, and a blank before the colon is no token: both are
/// refused with the rest.
fn field(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let colon = line.iter().position(|byte| *byte == b':')?;
    let (name, value) = (&line[..colon], &line[colon + 1..]);
    let valid = !name.is_empty()
        && name.iter().copied().all(is_token)
        && value.iter().copied().all(is_value);
    valid.then(|| (name, value.trim_ascii()))
}
