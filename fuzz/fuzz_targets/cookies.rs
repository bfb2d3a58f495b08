//! Cookies: each line is a `Cookie` field. None of ours is left under any spelling that some
//! backend might read, and of the others none is lost or changed.
#![no_main]

use http::{HeaderMap, HeaderValue, header};
use libfuzzer_sys::{Corpus, fuzz_target};
use portcullis::proxy::cookies::without_own;

const OWN: [&str; 2] = ["__host-portcullis", "portcullis-dev"];

fuzz_target!(|data: &[u8]| -> Corpus {
    let mut headers = HeaderMap::new();
    for line in data.split(|byte| *byte == b'\n') {
        let Ok(value) = HeaderValue::from_bytes(line) else {
            return Corpus::Reject;
        };
        headers.append(header::COOKIE, value);
    }
    let kept = without_own(&headers).unwrap_or_default();
    HeaderValue::from_bytes(&kept).expect("what is kept can be sent");
    // As Latin-1, as most backends read header fields.
    let text = |bytes: &[u8]| bytes.iter().copied().map(char::from).collect::<String>();
    let kept = text(&kept);
    for cookie in kept.split([';', ',']) {
        assert!(!is_own(cookie), "{cookie:?} is kept");
    }
    let mut rest = kept.split("; ");
    for cookie in data.split(|byte| matches!(byte, b'\n' | b';')) {
        let cookie = text(cookie.trim_ascii());
        if !cookie.is_empty() && !cookie.to_lowercase().contains("portcullis") {
            assert!(rest.any(|kept| kept == cookie), "{cookie:?} is lost");
        }
    }
    Corpus::Keep
});

/// However much a reader forgives around the name.
fn is_own(cookie: &str) -> bool {
    let forgiven = |c: char| c.is_whitespace() || c.is_control() || "\"=,".contains(c);
    let cookie = cookie.trim_matches(forgiven);
    let name = cookie.split('=').next().unwrap_or_default();
    let name = name.trim_matches(forgiven).to_lowercase();
    OWN.contains(&name.as_str())
}
