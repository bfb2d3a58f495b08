//! The canonical request: a line `METHOD TARGET`, then header lines, `:authority` among them.
//!
//! What is accepted is a fixed point: parsing what would be sent upstream gives the same
//! method, host, path and query, and both spellings of the path decode to the same bytes.
#![no_main]

use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use libfuzzer_sys::{Corpus, fuzz_target};
use portcullis::policy::{CanonicalRequest, RawRequest};

fuzz_target!(|data: &[u8]| -> Corpus {
    match Parts::of(data) {
        Some(parts) => check(&parts),
        None => Corpus::Reject,
    }
});

struct Parts<'d> {
    method: Method,
    target: &'d [u8],
    authority: Option<&'d [u8]>,
    headers: HeaderMap,
}

impl<'d> Parts<'d> {
    fn of(data: &'d [u8]) -> Option<Self> {
        let mut lines = data.split(|byte| *byte == b'\n');
        let mut first = lines.next()?.splitn(2, |byte| *byte == b' ');
        let mut parts = Self {
            method: Method::from_bytes(first.next()?).ok()?,
            target: first.next()?,
            authority: None,
            headers: HeaderMap::new(),
        };
        for line in lines {
            if let Some(authority) = line.strip_prefix(b":authority: ") {
                parts.authority = Some(authority);
                continue;
            }
            let colon = line.iter().position(|byte| *byte == b':')?;
            let name = HeaderName::from_bytes(&line[..colon]).ok()?;
            let value = HeaderValue::from_bytes(line[colon + 1..].trim_ascii()).ok()?;
            parts.headers.append(name, value);
        }
        Some(parts)
    }

    fn parse(&self) -> Option<CanonicalRequest> {
        CanonicalRequest::parse(&RawRequest {
            method: &self.method,
            target: self.target,
            authority: self.authority,
            headers: &self.headers,
        })
        .ok()
    }
}

fn check(received: &Parts<'_>) -> Corpus {
    let Some(first) = received.parse() else {
        return Corpus::Keep;
    };
    let sent = first.target();
    let mut headers = HeaderMap::new();
    headers.insert(header::HOST, first.authority().parse().unwrap());
    let upstream = Parts {
        method: first.method().clone(),
        target: sent.as_bytes(),
        authority: None,
        headers,
    };
    let second = upstream.parse().expect("what is sent is legal");
    assert_eq!(first.method(), second.method());
    assert_eq!(first.host(), second.host());
    assert_eq!(first.authority(), second.authority());
    assert_eq!(first.path().encoded(), second.path().encoded());
    assert_eq!(first.path().segments(), second.path().segments());
    assert_eq!(
        first.path().trailing_slash(),
        second.path().trailing_slash()
    );
    assert_eq!(first.query(), second.query());
    assert!(first.query().pairs().eq(second.query().pairs()));
    assert_eq!(sent, second.target());
    check_path(&first, &sent, received.target);
    Corpus::Keep
}

/// By a decoder of its own.
fn check_path(request: &CanonicalRequest, sent: &str, received: &[u8]) {
    assert!(sent.bytes().all(|byte| byte.is_ascii_graphic()), "{sent}");
    let path = sent.split('?').next().unwrap();
    assert!(path.starts_with('/') && !path.contains("//") && !path.contains(['\\', ';', '#']));
    let decoded = decode(path.as_bytes());
    assert_eq!(decoded, decode(path_of(received)));
    let mut segments = decoded[1..].split(|byte| *byte == b'/').collect::<Vec<_>>();
    if segments.last().is_some_and(|last| last.is_empty()) {
        segments.pop();
        assert!(request.path().trailing_slash());
    }
    let canonical = request.path().segments();
    assert!(
        canonical
            .iter()
            .map(|segment| segment.as_bytes())
            .eq(segments.iter().copied())
    );
    let dots = |segment: &&str| matches!(*segment, "." | "..");
    assert!(!canonical.iter().any(dots));
}

/// The path of a target in origin-form or absolute-form.
fn path_of(target: &[u8]) -> &[u8] {
    let text = match target.windows(3).position(|three| three == b"://") {
        Some(at) if !target.starts_with(b"/") => {
            let rest = &target[at + 3..];
            &rest[rest.iter().position(|byte| *byte == b'/').unwrap()..]
        }
        _ => target,
    };
    text.split(|byte| *byte == b'?').next().unwrap()
}

fn decode(text: &[u8]) -> Vec<u8> {
    let mut decoded = Vec::new();
    let mut at = 0;
    while at < text.len() {
        let byte = match text.get(at + 1..at + 3) {
            Some(hex) if text[at] == b'%' => {
                at += 2;
                u8::from_str_radix(std::str::from_utf8(hex).unwrap(), 16).unwrap()
            }
            _ => text[at],
        };
        decoded.push(byte);
        at += 1;
    }
    decoded
}
