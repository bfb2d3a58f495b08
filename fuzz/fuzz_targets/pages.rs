//! What names a page: `o` and a text that nobody sealed, or `s`, for whom, a line end, and the
//! backend's own token.
#![no_main]

use libfuzzer_sys::{Corpus, fuzz_target};
use portcullis::domain::Pepper;
use portcullis::proxy::{Page, PageTokens};

fuzz_target!(|data: &[u8]| -> Corpus {
    let tokens = PageTokens::new(&Pepper::new([7; 32]));
    let Ok(text) = std::str::from_utf8(data) else {
        return Corpus::Reject;
    };
    if let Some(forged) = text.strip_prefix('o') {
        assert_eq!(tokens.open(b"", forged), None);
    } else if let Some((whom, token)) = text.strip_prefix('s').and_then(|it| it.split_once('\n')) {
        sealed(&tokens, whom, token);
    } else {
        return Corpus::Reject;
    }
    Corpus::Keep
});

fn sealed(tokens: &PageTokens, whom: &str, token: &str) {
    let page = Page {
        token: (!token.is_empty()).then(|| token.to_owned()),
        consumed: u32::try_from(whom.len()).unwrap(),
    };
    let sealed = tokens.seal(whom.as_bytes(), &page).unwrap();
    assert!(
        sealed
            .bytes()
            .all(|it| it.is_ascii_alphanumeric() || b"-_".contains(&it))
    );
    assert_eq!(tokens.open(whom.as_bytes(), &sealed), Some(page));
    let other = format!("{whom}x");
    assert_eq!(tokens.open(other.as_bytes(), &sealed), None);
    let stranger = PageTokens::new(&Pepper::new([8; 32]));
    assert_eq!(stranger.open(whom.as_bytes(), &sealed), None);
    // With any of some characters changed, or one missing, it is none.
    for at in [0, 15, 16, 37, 38, sealed.len() / 2, sealed.len() - 1] {
        let mut changed = sealed.clone().into_bytes();
        changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
        let changed = String::from_utf8(changed).unwrap();
        assert_eq!(tokens.open(whom.as_bytes(), &changed), None, "{at}");
        let mut shorter = sealed.clone();
        shorter.remove(at);
        if shorter != sealed {
            assert_eq!(tokens.open(whom.as_bytes(), &shorter), None, "{at}");
        }
    }
}
