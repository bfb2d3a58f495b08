//! Names of an API as words: `createWithList` → `create_with_list`, `models` → `model`.

/// Lower-case words joined with `_`; empty if there are none.
pub(super) fn snake(text: &str) -> String {
    let mut words = String::new();
    let mut previous = ' ';
    for c in text.chars() {
        let begins =
            c.is_ascii_uppercase() && (previous.is_ascii_lowercase() || previous.is_ascii_digit());
        if (begins || !c.is_ascii_alphanumeric()) && !words.is_empty() && !words.ends_with('_') {
            words.push('_');
        }
        if c.is_ascii_alphanumeric() {
            words.push(c.to_ascii_lowercase());
        }
        previous = c;
    }
    words.truncate(words.trim_end_matches('_').len());
    words
}

/// As [`snake`], for permissions and types, which begin with a letter.
pub(super) fn word(text: &str) -> Option<String> {
    let words = snake(text);
    words
        .starts_with(|c: char| c.is_ascii_lowercase())
        .then_some(words)
}

/// Whether it looks like the name of several things.
pub(super) fn is_plural(word: &str) -> bool {
    word.len() > 2
        && word.ends_with('s')
        && !["ss", "us", "is"].iter().any(|end| word.ends_with(end))
}

/// One of several things.
pub(super) fn singular(word: &str) -> String {
    let stem = |end: &str| word.strip_suffix(end);
    match word {
        _ if !is_plural(word) => word.to_owned(),
        _ if word.ends_with("ies") && word.len() > 4 => format!("{}y", stem("ies").unwrap_or(word)),
        _ if ["sses", "shes", "ches", "xes"]
            .iter()
            .any(|end| word.ends_with(end)) =>
        {
            stem("es").unwrap_or(word).to_owned()
        }
        _ => stem("s").unwrap_or(word).to_owned(),
    }
}

/// `v1`, `v2beta1`, `2.0`: what says nothing of the thing.
pub(super) fn is_version(segment: &str) -> bool {
    let digits = segment.strip_prefix('v').unwrap_or(segment);
    digits.starts_with(|c: char| c.is_ascii_digit())
        && digits.len() <= 8
        && digits
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'.')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_all_spellings() {
        for (text, words) in [
            ("createWithList", "create_with_list"),
            ("Model Registry", "model_registry"),
            ("chat-completions", "chat_completions"),
            ("infer_stream", "infer_stream"),
            ("v2Model", "v2_model"),
            ("__x__", "x"),
            ("模型", ""),
        ] {
            assert_eq!(snake(text), words);
        }
        assert_eq!(word("2fa"), None);
    }

    #[test]
    fn one_of_several() {
        for (several, one) in [
            ("models", "model"),
            ("queries", "query"),
            ("batches", "batch"),
            ("boxes", "box"),
            ("status", "status"),
            ("access", "access"),
            ("analysis", "analysis"),
        ] {
            assert_eq!(singular(several), one);
        }
    }

    #[test]
    fn versions_are_no_things() {
        for version in ["v1", "v2beta1", "2.0", "1"] {
            assert!(is_version(version), "{version}");
        }
        for thing in ["versions", "v", "vms", "3dmodelslist"] {
            assert!(!is_version(thing), "{thing}");
        }
    }
}
