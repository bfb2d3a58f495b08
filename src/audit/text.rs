//! Text of strangers, made safe for terminals, log files and COPY.
//!
//! Control characters and those that reorder text become visible (`\x1b`, `\n`,
//! `\u{202e}`). What is visible already stays as it is, a backslash too: the aim is a
//! harmless record, not one that can be turned back into the bytes that were sent.

use std::io::Write;

const ELLIPSIS: &str = "…";

/// Appends `text` in COPY's text format, at most `bound` bytes and an ellipsis.
pub(super) fn push(out: &mut Vec<u8>, text: &str, bound: usize) {
    if text.len() <= bound && text.bytes().all(is_plain) {
        out.extend_from_slice(text.as_bytes());
        return;
    }
    let start = out.len();
    for c in text.chars() {
        let before = out.len();
        push_char(out, c);
        if out.len() - start > bound {
            out.truncate(before);
            out.extend_from_slice(ELLIPSIS.as_bytes());
            return;
        }
    }
}

/// Printable ASCII that COPY takes as it is.
fn is_plain(byte: u8) -> bool {
    (0x20..0x7f).contains(&byte) && byte != b'\\'
}

/// COPY reads `\\` as one backslash.
fn push_char(out: &mut Vec<u8>, c: char) {
    match c {
        '\\' => out.extend_from_slice(br"\\"),
        '\t' => out.extend_from_slice(br"\\t"),
        '\n' => out.extend_from_slice(br"\\n"),
        '\r' => out.extend_from_slice(br"\\r"),
        c if is_hidden(c) && u32::from(c) < 0x100 => {
            // Writing to a vector cannot fail.
            let _ = write!(out, r"\\x{:02x}", u32::from(c));
        }
        c if is_hidden(c) => {
            let _ = write!(out, r"\\u{{{:x}}}", u32::from(c));
        }
        c => out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
    }
}

/// Moves the cursor, rings the bell, or makes text appear other than it is.
pub(super) fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pushed(text: &str, bound: usize) -> String {
        let mut out = Vec::new();
        push(&mut out, text, bound);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn plain_text_is_left_alone() {
        assert_eq!(
            pushed("python-requests/2.32 (x; y)", 64),
            "python-requests/2.32 (x; y)"
        );
        assert_eq!(pushed("Zoë 🦀", 64), "Zoë 🦀");
    }

    #[test]
    fn what_could_move_a_cursor_becomes_visible() {
        assert_eq!(pushed("a\r\nb\tc", 64), r"a\\r\\nb\\tc");
        assert_eq!(
            pushed("\x1b[31m\0\x7f\u{9b}", 64),
            r"\\x1b[31m\\x00\\x7f\\x9b"
        );
        assert_eq!(pushed("\u{202e}txt", 64), r"\\u{202e}txt");
    }

    #[test]
    fn text_that_looks_like_null_or_the_end_of_data_is_text() {
        assert_eq!(pushed(r"\N", 64), r"\\N");
        assert_eq!(pushed(r"\.", 64), r"\\.");
    }

    #[test]
    fn long_text_is_cut_between_characters() {
        assert_eq!(pushed("abcdef", 4), "abcd…");
        assert_eq!(pushed("ab🦀", 4), "ab…");
        assert_eq!(pushed("abc\x1b", 4), "abc…");
    }
}
