//! Text of strangers on its way to a page or a terminal.

use std::borrow::Cow;
use std::fmt::Write as _;

/// The text with every character escaped that is not seen, or that moves what stands beside it:
/// control characters, and those that change the direction of writing.
#[must_use]
pub fn visible(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_hidden) {
        return text.into();
    }
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        if is_hidden(character) {
            // Writing to a String does not fail.
            let _ = write!(shown, "\\u{{{:04x}}}", u32::from(character));
        } else {
            shown.push(character);
        }
    }
    shown.into()
}

/// Whether a reader would not see it, or see something else because of it.
#[must_use]
pub fn is_hidden(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
                | '\u{e0000}'..='\u{e007f}'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_seen_is_escaped_and_the_rest_stays() {
        assert_eq!(visible("Größe 資料 <b>"), "Größe 資料 <b>");
        assert_eq!(
            visible("a\u{202e}b\u{200b}\n"),
            "a\\u{202e}b\\u{200b}\\u{000a}"
        );
        for hidden in ['\u{2066}', '\u{2069}', '\u{200f}', '\u{feff}', '\u{7f}'] {
            assert!(is_hidden(hidden), "{hidden:?}");
        }
    }
}
