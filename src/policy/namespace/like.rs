//! Patterns of names: `%` for any text, `_` for any sign.

/// Whether a name fits a pattern.
pub(super) fn fits(pattern: &str, name: &str) -> bool {
    let (pattern, name): (Vec<char>, Vec<char>) =
        (pattern.chars().collect(), name.chars().collect());
    let (mut at, mut from) = (0, 0);
    // Where the last `%` stood, and how much of the name it has swallowed.
    let mut any: Option<(usize, usize)> = None;
    while from < name.len() {
        match (pattern.get(at), any) {
            (Some('%'), _) => {
                any = Some((at, from));
                at += 1;
            }
            (Some(sign), _) if *sign == '_' || *sign == name[from] => {
                at += 1;
                from += 1;
            }
            (_, Some((star, swallowed))) => {
                any = Some((star, swallowed + 1));
                at = star + 1;
                from = swallowed + 1;
            }
            (_, None) => return false,
        }
    }
    pattern[at..].iter().all(|sign| *sign == '%')
}

#[cfg(test)]
mod tests {
    use super::fits;

    #[test]
    fn patterns() {
        for (pattern, name) in [
            ("foo", "foo"),
            ("%", ""),
            ("%foo%", "a foo b"),
            ("f_o", "füo"),
            ("%a%b", "xaxxab"),
            ("%%", "x"),
        ] {
            assert!(fits(pattern, name), "{pattern} {name}");
        }
        for (pattern, name) in [
            ("foo", "foo "),
            ("_", ""),
            ("%a%b", "xaxxabc"),
            ("f%", "of"),
            ("", "x"),
        ] {
            assert!(!fits(pattern, name), "{pattern} {name}");
        }
    }
}
