//! The `details` object as bounded, harmless JSON.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::ser::{CharEscape, CompactFormatter, Formatter, Serializer};
use serde_json::{Map, Value};

use super::{bounds, text};

const TRUNCATED: &[u8] = br#""truncated":true}"#;

/// Appends the object in COPY's text format.
pub(super) fn push(out: &mut Vec<u8>, details: &Map<String, Value>) {
    let start = out.len();
    out.push(b'{');
    for (key, value) in details {
        let before = out.len();
        push_entry(out, key, value);
        if out.len() - start > bounds::DETAILS - TRUNCATED.len() {
            out.truncate(before);
            out.extend_from_slice(TRUNCATED);
            return;
        }
    }
    if out.ends_with(b",") {
        out.pop();
    }
    out.push(b'}');
}

fn push_entry(out: &mut Vec<u8>, key: &str, value: &Value) {
    // Values in memory always serialise: keys are strings, the sink is a vector.
    let _ = key.serialize(&mut Serializer::with_formatter(Copied(&mut *out), Harmless));
    out.push(b':');
    let _ = value.serialize(&mut Serializer::with_formatter(Copied(&mut *out), Harmless));
    out.push(b',');
}

/// Doubles backslashes, as COPY wants it.
struct Copied<'a>(&'a mut Vec<u8>);

impl Write for Copied<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        for &byte in bytes {
            self.0.push(byte);
            if byte == b'\\' {
                self.0.push(byte);
            }
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Compact JSON without NUL, which `jsonb` cannot hold, and without control characters
/// that JSON itself would let pass.
struct Harmless;

impl Formatter for Harmless {
    fn write_char_escape<W: ?Sized + Write>(
        &mut self,
        writer: &mut W,
        escape: CharEscape,
    ) -> io::Result<()> {
        match escape {
            CharEscape::AsciiControl(0) => writer.write_all(br"\\x00"),
            other => CompactFormatter.write_char_escape(writer, other),
        }
    }

    fn write_string_fragment<W: ?Sized + Write>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        if !fragment.contains(text::is_hidden) {
            return writer.write_all(fragment.as_bytes());
        }
        for c in fragment.chars() {
            if text::is_hidden(c) {
                write!(writer, r"\u{:04x}", u32::from(c))?;
            } else {
                write!(writer, "{c}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pushed(details: &Value) -> String {
        let mut out = Vec::new();
        push(&mut out, details.as_object().unwrap());
        // What COPY makes of it.
        String::from_utf8(out).unwrap().replace(r"\\", r"\")
    }

    #[test]
    fn an_object_stays_what_it_is() {
        let details = json!({ "role": "editor", "n": [1, null, { "a\"b": r"c\d" }] });
        let back: Value = serde_json::from_str(&pushed(&details)).unwrap();
        assert_eq!(back, details);
        assert_eq!(pushed(&json!({})), "{}");
    }

    #[test]
    fn nul_and_other_control_characters_become_harmless() {
        let shown = pushed(&json!({ "a\0": "\x1b[0m\u{9b}\u{7f}\n" }));
        assert_eq!(shown, r#"{"a\\x00":"\u001b[0m\u009b\u007f\n"}"#);
    }

    #[test]
    fn what_does_not_fit_is_left_out_and_said() {
        let long = "x".repeat(bounds::DETAILS);
        let back: Value = serde_json::from_str(&pushed(&json!({ "a": 1, "b": long }))).unwrap();
        assert_eq!(back, json!({ "a": 1, "truncated": true }));
    }
}
