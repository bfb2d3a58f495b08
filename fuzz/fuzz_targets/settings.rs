//! YAML: a configuration, and a backend's description. Neither panics, and each diagnostic
//! has a place inside the file.
#![no_main]

use libfuzzer_sys::{Corpus, fuzz_target};
use portcullis::config::{Description, Diagnostic, Settings};

fuzz_target!(|data: &[u8]| -> Corpus {
    let Ok(text) = std::str::from_utf8(data) else {
        return Corpus::Reject;
    };
    // These are files that would be read.
    if text.contains("ca_file") {
        return Corpus::Reject;
    }
    let environment = |name: &str| (name.len() == 1).then(|| name.repeat(3));
    check(Settings::parse("fuzz.yaml", text, &environment).err(), text);
    check(Description::parse("fuzz.yaml", text, None).err(), text);
    Corpus::Keep
});

fn check(diagnostics: Option<Vec<Diagnostic>>, text: &str) {
    let Some(diagnostics) = diagnostics else {
        return;
    };
    assert!(!diagnostics.is_empty(), "refused without a word");
    // At the end of the file the place is one behind the last character.
    let breaks = text
        .chars()
        .filter(|c| matches!(c, '\n' | '\r' | '\u{85}' | '\u{2028}' | '\u{2029}'));
    let lines = breaks.count() + 1;
    // To JSON a lone carriage return is a blank, and its line goes on.
    let longest = text.split('\n').map(|line| line.chars().count()).max();
    for diagnostic in &diagnostics {
        if diagnostic.file.starts_with("preset:") {
            continue;
        }
        let (line, column) = (diagnostic.line as usize, diagnostic.column as usize);
        assert!(
            (1..=lines).contains(&line),
            "{diagnostic}: of {lines} lines"
        );
        assert!(
            (1..=longest.unwrap_or(0) + 1).contains(&column),
            "{diagnostic}"
        );
        let words: String = diagnostic.message.clone();
        assert!(!words.is_empty());
    }
}
