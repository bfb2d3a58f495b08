//! Lines of YAML, with words that come from outside.

use std::fmt::Write as _;

/// Longest comment taken from the description, in characters.
const MAX_COMMENT: usize = 300;

/// Lines, counted.
#[derive(Default)]
pub(super) struct Out {
    pub text: String,
    pub lines: u32,
}

impl Out {
    pub fn line(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
        self.lines += 1;
    }

    /// One line, whatever the text holds: it comes from outside.
    pub fn comment(&mut self, prefix: &str, text: &str) {
        let one_line: String = text
            .chars()
            .map(|c| if is_printable(c) { c } else { ' ' })
            .take(MAX_COMMENT)
            .collect();
        let mut line = format!("{prefix}{one_line}");
        line.truncate(line.trim_end().len());
        self.line(&line);
    }
}

/// What YAML allows in a comment and does not take for the end of a line.
fn is_printable(c: char) -> bool {
    let breaks = ['\u{2028}', '\u{2029}', '\u{feff}'];
    let hidden = ('\u{202a}'..='\u{202e}').contains(&c) || ('\u{2066}'..='\u{2069}').contains(&c);
    let reserved = ('\u{fffe}'..='\u{ffff}').contains(&c);
    !(c.is_control() || breaks.contains(&c) || hidden || reserved)
}

/// Text as a YAML scalar, with nothing left for the gateway's variables to fill in.
pub(super) fn quoted(text: &str) -> String {
    let text = text.replace("${", "$${");
    let plain = |c: char| c.is_ascii_alphanumeric() || " /-._~{}:|".contains(c);
    let needs_none = text.chars().all(plain)
        && !text.contains(": ")
        && !text.ends_with(':')
        && text.starts_with(|c: char| c.is_ascii_uppercase());
    if needs_none {
        return text;
    }
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            _ if is_printable(c) => out.push(c),
            _ => {
                let _ = write!(out, "\\U{:08x}", u32::from(c));
            }
        }
    }
    out.push('"');
    out
}

/// A word as a YAML scalar: `null`, `1e5` and the like are other things without quotes.
pub(super) fn quoted_word(word: &str) -> String {
    const OTHER: [&str; 9] = ["true", "false", "null", "yes", "no", "on", "off", "y", "n"];
    if OTHER.contains(&word) || !word.starts_with(|c: char| c.is_ascii_lowercase()) {
        return format!("\"{word}\"");
    }
    word.to_owned()
}
