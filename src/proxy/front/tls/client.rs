//! The certificate of a client.

use std::fmt::Write as _;

use openssl::hash::MessageDigest;
use openssl::ssl::SslRef;
use openssl::x509::{X509NameRef, X509Ref, X509VerifyResult};

/// Longest subject that is kept, in bytes.
const MAX_SUBJECT: usize = 512;

/// A certificate that an authority of the configuration vouches for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::proxy) struct ClientCertificate {
    /// Its subject as RFC 4514 writes it, the most specific part first.
    pub(in crate::proxy) subject: String,
    /// SHA-256 of the certificate, in hexadecimal.
    pub(in crate::proxy) fingerprint: String,
}

impl ClientCertificate {
    /// What the client of this connection has proven to be.
    pub(in crate::proxy::front) fn of(ssl: &SslRef) -> Option<Self> {
        let certificate = ssl.peer_certificate()?;
        if ssl.verify_result() != X509VerifyResult::OK {
            return None;
        }
        Some(Self {
            subject: subject(certificate.subject_name()),
            fingerprint: fingerprint(&certificate)?,
        })
    }
}

fn fingerprint(certificate: &X509Ref) -> Option<String> {
    let digest = certificate.digest(MessageDigest::sha256()).ok()?;
    Some(digest.iter().fold(String::new(), |mut hex, byte| {
        // Writing to a String cannot fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    }))
}

fn subject(name: &X509NameRef) -> String {
    let mut parts: Vec<String> = name
        .entries()
        .map(|entry| {
            let kind = entry.object().to_string();
            let kind = entry.object().nid().short_name().unwrap_or(&kind);
            let value = entry.data().to_string();
            format!("{kind}={}", escaped(&value.unwrap_or_default()))
        })
        .collect();
    parts.reverse();
    let mut subject = parts.join(",");
    subject.truncate(subject.floor_char_boundary(MAX_SUBJECT));
    subject
}

/// So that no value can look like another part (RFC 4514 §2.4).
fn escaped(value: &str) -> String {
    let mut escaped = String::with_capacity(value.len());
    for (at, char) in value.char_indices() {
        if char.is_control() {
            // Writing to a String cannot fail.
            let _ = write!(escaped, "\\{:02x}", u32::from(char));
            continue;
        }
        let at_the_edge = char == ' ' && (at == 0 || at + 1 == value.len());
        let begins = char == '#' && at == 0;
        if at_the_edge || begins || matches!(char, '"' | '+' | ',' | ';' | '<' | '>' | '=' | '\\') {
            escaped.push('\\');
        }
        escaped.push(char);
    }
    escaped
}

#[cfg(test)]
mod tests {
    use openssl::x509::X509Name;

    use super::*;

    fn name(parts: &[(&str, &str)]) -> String {
        let mut builder = X509Name::builder().unwrap();
        for (kind, value) in parts {
            builder.append_entry_by_text(kind, value).unwrap();
        }
        subject(&builder.build())
    }

    #[test]
    fn subjects_are_written_with_the_most_specific_part_first() {
        assert_eq!(name(&[("O", "acme"), ("CN", "alice")]), "CN=alice,O=acme");
    }

    #[test]
    fn a_value_cannot_look_like_another_part() {
        assert_eq!(name(&[("CN", "alice,O=acme")]), r"CN=alice\,O\=acme");
        assert_eq!(name(&[("CN", " #a+b\\ ")]), r"CN=\ #a\+b\\\ ");
        assert_eq!(name(&[("CN", "#1")]), r"CN=\#1");
        assert_eq!(name(&[("CN", "a\r\nb")]), r"CN=a\0d\0ab");
    }

    #[test]
    fn a_long_subject_is_cut() {
        let value = "ü".repeat(64);
        let cut = name(&[("CN", &value); 9].map(|(kind, value)| (kind, &**value)));
        assert!(
            (MAX_SUBJECT - 2..=MAX_SUBJECT).contains(&cut.len()),
            "{cut}"
        );
    }
}
