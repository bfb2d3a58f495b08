//! A chunked body (RFC 9112 §7.1), followed byte by byte.

use super::super::Malformed;
use super::field;

/// The longest line of a chunk's size with its extensions, and of a trailer field.
const MAX_LINE: usize = 4096;
/// Most trailer fields.
const MAX_TRAILERS: usize = 64;
/// More digits would not fit into 64 bits.
const MAX_SIZE_DIGITS: usize = 16;

/// Follows a chunked body to its end. It changes nothing: the next parser sees what came,
/// and only what has one reading.
#[derive(Clone, Debug, Default)]
pub struct Chunked {
    state: State,
    /// The line that is not complete yet.
    line: Vec<u8>,
    trailers: usize,
}

#[derive(Clone, Copy, Debug, Default)]
enum State {
    /// In the line with a chunk's size.
    #[default]
    Size,
    /// Bytes of the chunk's data still to come, more than none.
    Data(u64),
    /// After the data: its line end.
    DataEnd,
    /// In the trailer section.
    Trailer,
    /// Behind it.
    Done,
}

impl Chunked {
    /// Whether the body has ended.
    #[must_use]
    pub const fn is_done(&self) -> bool {
        matches!(self.state, State::Done)
    }

    /// Goes on with these bytes; returns how many of them belong to the body.
    ///
    /// # Errors
    ///
    /// [`Malformed::Chunk`] where two parsers could disagree.
    pub fn follow(&mut self, bytes: &[u8]) -> Result<usize, Malformed> {
        let mut at = 0;
        while at < bytes.len() && !self.is_done() {
            at += match self.state {
                State::Data(left) => self.data(left, bytes.len() - at),
                _ => self.line(&bytes[at..])?,
            };
        }
        Ok(at)
    }

    fn data(&mut self, left: u64, available: usize) -> usize {
        let taken = usize::try_from(left).map_or(available, |left| left.min(available));
        let left = left - taken as u64;
        self.state = if left == 0 {
            State::DataEnd
        } else {
            State::Data(left)
        };
        taken
    }

    /// Takes bytes up to the line's end, if it has come.
    fn line(&mut self, bytes: &[u8]) -> Result<usize, Malformed> {
        let end = memchr::memchr(b'\n', bytes).map(|at| at + 1);
        let taken = end.unwrap_or(bytes.len());
        if self.line.len() + taken > MAX_LINE {
            return Err(Malformed::Chunk);
        }
        self.line.extend_from_slice(&bytes[..taken]);
        if end.is_some() {
            let mut line = std::mem::take(&mut self.line);
            let content = line.strip_suffix(b"\r\n").ok_or(Malformed::Chunk)?;
            self.state = self.after(content)?;
            line.clear();
            self.line = line;
        }
        Ok(taken)
    }

    /// What follows a complete line.
    fn after(&mut self, line: &[u8]) -> Result<State, Malformed> {
        match self.state {
            State::Size => match size(line)? {
                0 => Ok(State::Trailer),
                size => Ok(State::Data(size)),
            },
            State::DataEnd if line.is_empty() => Ok(State::Size),
            State::Trailer if line.is_empty() => Ok(State::Done),
            State::Trailer => {
                self.trailers += 1;
                let valid = self.trailers <= MAX_TRAILERS && field(line).is_some();
                valid.then_some(State::Trailer).ok_or(Malformed::Chunk)
            }
            State::DataEnd | State::Data(_) | State::Done => Err(Malformed::Chunk),
        }
    }
}

/// Hexadecimal digits, then nothing or an extension of visible text. Extensions mean
/// nothing to anybody (RFC 9112 §7.1.1), but are not refused.
fn size(line: &[u8]) -> Result<u64, Malformed> {
    let digits = line
        .iter()
        .position(|byte| !byte.is_ascii_hexdigit())
        .unwrap_or(line.len());
    let (digits, extension) = line.split_at(digits);
    let visible = |byte: &u8| byte.is_ascii_graphic() || matches!(byte, b' ' | b'\t');
    let valid = (1..=MAX_SIZE_DIGITS).contains(&digits.len())
        && (extension.is_empty() || extension.starts_with(b";"))
        && extension.iter().all(visible);
    let text = valid.then(|| std::str::from_utf8(digits).ok()).flatten();
    text.and_then(|text| u64::from_str_radix(text, 16).ok())
        .ok_or(Malformed::Chunk)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How much of the bytes is the body; the same in one piece and byte by byte.
    fn follow(bytes: &[u8]) -> Result<Option<usize>, Malformed> {
        let mut whole = Chunked::default();
        let taken = whole.follow(bytes);
        let whole = taken.map(|taken| whole.is_done().then_some(taken));
        let mut piecemeal = Chunked::default();
        let dripped = bytes.iter().try_fold(0, |sum, byte| {
            piecemeal
                .follow(std::slice::from_ref(byte))
                .map(|taken| sum + taken)
        });
        let dripped = dripped.map(|taken| piecemeal.is_done().then_some(taken));
        assert_eq!(whole, dripped, "{}", bytes.escape_ascii());
        whole
    }

    #[test]
    fn a_body_ends_behind_its_trailer() {
        assert_eq!(follow(b"3\r\nabc\r\n0\r\n\r\nGET /"), Ok(Some(13)));
        assert_eq!(follow(b"0\r\n\r\n"), Ok(Some(5)));
        assert_eq!(follow(b"0\r\nA: b\r\n\r\nx"), Ok(Some(11)));
        assert_eq!(follow(b"3;a=\"b\"\r\nabc\r\n0\r\n\r\n"), Ok(Some(19)));
        assert_eq!(follow(b"A\r\n0123456789\r\n"), Ok(None));
        assert_eq!(follow(b"3\r\na"), Ok(None));
    }

    #[test]
    fn what_parsers_disagree_on_is_refused() {
        for body in [
            &b"0x3\r\nabc\r\n0\r\n\r\n"[..],
            b"+3\r\nabc\r\n0\r\n\r\n",
            b"-3\r\n",
            b" 3\r\n",
            b"3 \r\nabc\r\n",
            b"\r\n",
            b"3_0\r\n",
            b"10000000000000000\r\n",
            b"00000000000000003\r\n",
            b"3\nabc\n0\n\n",
            b"3;a\nb\r\nabc\r\n",
            b"3;\rx\r\nabc\r\n",
            b"3;a\0\r\nabc\r\n",
            b"3\r\nabcd\r\n",
            b"3\r\nabc\n0\r\n\r\n",
            b"3\r\nabc0\r\n\r\n",
            b"0\r\n folded\r\n\r\n",
            b"0\r\nA : b\r\n\r\n",
            b"0\r\nA: b\n\r\n",
            b"0\r\nGET / HTTP/1.1\r\n\r\n",
        ] {
            assert_eq!(
                follow(body),
                Err(Malformed::Chunk),
                "{}",
                body.escape_ascii()
            );
        }
    }

    #[test]
    fn lines_and_trailers_are_bounded() {
        let extension = format!("1;{}", "a".repeat(MAX_LINE));
        assert_eq!(follow(extension.as_bytes()), Err(Malformed::Chunk));
        let trailers = format!("0\r\n{}\r\n", "A: b\r\n".repeat(MAX_TRAILERS));
        assert_eq!(follow(trailers.as_bytes()), Ok(Some(trailers.len())));
        let trailers = format!("0\r\n{}\r\n", "A: b\r\n".repeat(MAX_TRAILERS + 1));
        assert_eq!(follow(trailers.as_bytes()), Err(Malformed::Chunk));
    }
}
