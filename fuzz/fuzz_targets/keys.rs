//! Keys: any text is read or refused; a key with a right checksum is read, comes out as it
//! went in, tells its secret to no `Debug`, and is none with any character changed. And it is
//! found in each place where a request may have it.
#![no_main]

use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::{HeaderMap, HeaderValue, Method, header};
use libfuzzer_sys::fuzz_target;
use portcullis::domain::KeyToken;
use portcullis::policy::{CanonicalRequest, PresentedSecret, RawRequest};
use secrecy::ExposeSecret as _;

const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

fuzz_target!(|data: &[u8]| {
    if let Ok(text) = std::str::from_utf8(data) {
        read(text);
    }
    presented(data);
    if data.len() >= 2 {
        genuine(data);
    }
});

fn read(text: &str) -> Option<KeyToken> {
    let token: KeyToken = text.parse().ok()?;
    assert_eq!(token.reveal().expose_secret(), text);
    assert!(text.contains(token.id().as_str()));
    Some(token)
}

/// The first byte chooses a place to change, the second what is there then.
fn genuine(data: &[u8]) {
    let word = |length: usize, salt: usize| -> String {
        let byte = |at: usize| usize::from(data[(at + salt) % data.len()]) + at * salt;
        (0..length)
            .map(|at| char::from(BASE62[byte(at) % 62]))
            .collect()
    };
    let (id, secret) = (word(12, 1), word(43, 7));
    let body = format!("pcl_live_{id}_{secret}");
    let key = format!("{body}{}", checksum(body.as_bytes()));
    let token = read(&key).expect("a key with a right checksum");
    assert_eq!(token.id().as_str(), id);
    assert_eq!(token.secret(), secret.as_bytes());
    assert!(!format!("{token:?}").contains(&secret));

    let mut changed = key.clone().into_bytes();
    let at = usize::from(data[0]) % changed.len();
    if changed[at] != data[1] && data[1].is_ascii() {
        changed[at] = data[1];
        assert!(read(std::str::from_utf8(&changed).unwrap()).is_none());
    }
    assert!(read(&key[..at]).is_none());

    let basic = format!(
        "Basic {}",
        STANDARD.encode(format!("ann@example.com:{key}"))
    );
    for (name, value) in [
        ("authorization", format!("Bearer {key}")),
        ("authorization", format!("bearer  {key} ")),
        ("authorization", basic),
        ("x-portcullis-key", key.clone()),
    ] {
        let secret = secret_of(name, value.as_bytes());
        assert_eq!(secret.as_deref(), Some(&*key), "{name}");
    }
}

fn presented(value: &[u8]) {
    for name in ["authorization", "x-portcullis-key"] {
        if let Some(secret) = secret_of(name, value) {
            read(&secret);
        }
    }
}

fn secret_of(name: &'static str, value: &[u8]) -> Option<String> {
    let mut headers = HeaderMap::new();
    headers.insert(header::HOST, HeaderValue::from_static("h"));
    headers.insert(name, HeaderValue::from_bytes(value).ok()?);
    let request = CanonicalRequest::parse(&RawRequest {
        method: &Method::GET,
        target: b"/",
        authority: None,
        headers: &headers,
    });
    match request.expect("one credential is no mistake").credential() {
        Some(PresentedSecret::Secret(secret)) => Some(secret.expose_secret().to_owned()),
        _ => None,
    }
}

/// CRC-32 bit by bit, in base62.
fn checksum(body: &[u8]) -> String {
    let mut crc = u32::MAX;
    for byte in body {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = (crc >> 1) ^ (0xedb8_8320 * (crc & 1));
        }
    }
    let mut rest = !crc as usize;
    let mut digits = [b'0'; 6];
    for digit in digits.iter_mut().rev() {
        *digit = BASE62[rest % 62];
        rest /= 62;
    }
    digits.iter().copied().map(char::from).collect()
}
