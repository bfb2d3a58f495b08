//! JSON is nearly YAML; what differs is put right, so that one reader knows all places.

use serde::de::IgnoredAny;

use super::super::diagnostic::Place;

/// The same JSON, for a reader of YAML, with every character in its column.
///
/// # Errors
///
/// When it is no JSON.
pub(super) fn readable_as_yaml(text: &str) -> Result<String, (Place, String)> {
    serde_json::from_str::<IgnoredAny>(text).map_err(|error| explain(text, &error))?;
    // A string of JSON has no raw tab, so these are blanks between values.
    Ok(joined_surrogates(&text.replace('\t', " ")))
}

fn explain(text: &str, error: &serde_json::Error) -> (Place, String) {
    let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX).max(1);
    let line = text.split('\n').nth(error.line().saturating_sub(1));
    // The parser counts bytes; places are told in characters.
    let before = line.unwrap_or_default().bytes().take(error.column());
    let characters = before.filter(|byte| !(0x80..0xc0).contains(byte)).count();
    let place = Place {
        line: number(error.line()),
        column: number(characters),
    };
    let message = error.to_string();
    // The location is already at the head of the diagnostic.
    let end = message.rfind(" at line ").unwrap_or(message.len());
    (place, format!("not valid JSON: {}", &message[..end]))
}

/// `\ud83d\ude00`, two halves of one character, is an error in YAML.
fn joined_surrogates(text: &str) -> String {
    let mut joined = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        let (before, escape) = rest.split_at(at);
        joined.push_str(before);
        // Whatever else is escaped, a backslash too, is passed over with its own.
        let next = escape[1..].chars().next().map_or(0, char::len_utf8);
        let passed = || (escape[..=next].to_owned(), 1 + next);
        let (replacement, length) = pair(escape).map_or_else(passed, |c| (c.to_string(), 12));
        joined.push_str(&replacement);
        rest = &escape[length..];
    }
    joined.push_str(rest);
    joined
}

fn pair(escape: &str) -> Option<char> {
    let half = |at: usize| {
        let digits = escape.get(at..at + 6)?.strip_prefix("\\u")?;
        u16::from_str_radix(digits, 16).ok()
    };
    let units = [half(0)?, half(6)?];
    if !(0xd800..0xdc00).contains(&units[0]) {
        return None;
    }
    char::decode_utf16(units).next()?.ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mistake_is_told_in_characters() {
        let (place, _) = readable_as_yaml("{\n \"é😀\": x}").unwrap_err();
        assert_eq!((place.line, place.column), (2, 8));
    }

    #[test]
    fn what_yaml_reads_otherwise_is_put_right() {
        for (json, yaml) in [
            (r#"["\ud83d\ude00"]"#, r#"["😀"]"#),
            (
                r#"["\\ud83d\\ude00", "\u00e9"]"#,
                r#"["\\ud83d\\ude00", "\u00e9"]"#,
            ),
            ("[\t1]", "[ 1]"),
        ] {
            assert_eq!(readable_as_yaml(json).unwrap(), yaml);
        }
    }
}
