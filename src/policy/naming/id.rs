//! What an id may look like.

use super::super::Malformed;
use super::places::Found;

/// In bytes.
const LONGEST: usize = 512;
/// More digits than any integer of a database has.
const MOST_DIGITS: usize = 20;

/// The id that a value is. Backends that read numbers take `7`, `07`, `+7` and ` 7 ` for one
/// object: only the first is passed on.
pub(super) fn id(value: Found<'_>) -> Result<String, Malformed> {
    if let Found::Bool(_) = value {
        return Err(Malformed::BodyShape);
    }
    let text = value.text()?;
    checked(&text)?;
    Ok(text.into_owned())
}

/// Whether a text may be an id.
pub(in crate::policy) fn checked(text: &str) -> Result<(), Malformed> {
    let blank = |c: char| c.is_control() || (c.is_whitespace() && c != ' ');
    let outer = text.starts_with(' ') || text.ends_with(' ');
    if text.is_empty() || text.len() > LONGEST || outer || text.contains(blank) {
        return Err(Malformed::ResourceId);
    }
    if is_odd_number(text) {
        return Err(Malformed::ResourceId);
    }
    Ok(())
}

/// Whether it is a whole number in a spelling other than its own.
fn is_odd_number(text: &str) -> bool {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if digits.is_empty() || !digits.chars().all(char::is_numeric) {
        return false;
    }
    let significant = digits.trim_start_matches('0');
    let padded = digits.len() > 1 && significant.len() < digits.len();
    // A random text of digits alone is no number: it is too long for one.
    let number = significant.len() < MOST_DIGITS;
    !digits.is_ascii() || (number && (padded || text.starts_with('+') || text == "-0"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_backends_give_out_passes() {
        for id in [
            "0",
            "7",
            "-1",
            "1024",
            "a",
            "My model v2",
            "4f0c",
            "007a",
            "tr-0b1c",
            "fraud/3",
            "Ünï",
            "00000000-0000-4000-8000-000000000000",
            "01234567890123456789012345678901",
        ] {
            assert_eq!(checked(id), Ok(()), "{id}");
        }
        assert_eq!(checked(&"a".repeat(LONGEST)), Ok(()));
    }

    #[test]
    fn other_spellings_of_a_number_do_not() {
        for id in [
            "07",
            "00",
            "+7",
            "-07",
            "-0",
            "٧",
            "0000000000000000000000007",
        ] {
            assert_eq!(checked(id), Err(Malformed::ResourceId), "{id}");
        }
    }

    #[test]
    fn blanks_around_and_signs_that_nobody_sees_do_not() {
        for id in [
            "",
            " ",
            " 7",
            "7 ",
            "a\tb",
            "a\n",
            "a\0",
            "a\u{a0}",
            "a\u{2028}b",
        ] {
            assert_eq!(checked(id), Err(Malformed::ResourceId), "{id:?}");
        }
        let long = "a".repeat(LONGEST + 1);
        assert_eq!(checked(&long), Err(Malformed::ResourceId));
    }
}
