//! Hosts: exactly one, well formed, without port, case and trailing dot.

use std::net::Ipv6Addr;

use http::{HeaderMap, header};

use super::Malformed;

/// Where a request is addressed to, in one spelling.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct CanonicalHost {
    /// The host and, if one was sent, `:` and the port.
    authority: String,
    host_len: usize,
}

impl CanonicalHost {
    pub(super) fn host(&self) -> &str {
        &self.authority[..self.host_len]
    }

    pub(super) fn authority(&self) -> &str {
        &self.authority
    }
}

/// The canonical host of a request. `pseudo` is `:authority`, with which a Host field must
/// agree if there is one (RFC 9113 §8.3.1); `absolute` is the authority of an absolute-form
/// target, which must name the same host (RFC 9112 §3.2.2).
pub(super) fn canonical(
    headers: &HeaderMap,
    pseudo: Option<&[u8]>,
    absolute: Option<&[u8]>,
) -> Result<CanonicalHost, Malformed> {
    let mut hosts = headers.get_all(header::HOST).iter();
    let host = match (pseudo, hosts.next(), hosts.next()) {
        (None, Some(host), None) => normalise(host.as_bytes())?,
        (Some(pseudo), None, None) => normalise(pseudo)?,
        (Some(pseudo), Some(host), None) => {
            let host = normalise(host.as_bytes())?;
            if normalise(pseudo)? != host {
                return Err(Malformed::Host);
            }
            host
        }
        _ => return Err(Malformed::Host),
    };
    match absolute {
        Some(other) if normalise(other)?.host() != host.host() => Err(Malformed::Host),
        _ => Ok(host),
    }
}

fn normalise(authority: &[u8]) -> Result<CanonicalHost, Malformed> {
    let text = std::str::from_utf8(authority).map_err(|_| Malformed::Host)?;
    let (host, port) = split_port(text)?;
    let port = port.map(parse_port).transpose()?;
    let mut authority = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
    if !is_ipv6(&authority) && !is_name(&authority) {
        return Err(Malformed::Host);
    }
    let host_len = authority.len();
    if let Some(port) = port {
        authority.push(':');
        authority.push_str(&port.to_string());
    }
    Ok(CanonicalHost {
        authority,
        host_len,
    })
}

fn parse_port(text: &str) -> Result<u16, Malformed> {
    match text.parse() {
        Ok(port) if !text.starts_with('+') => Ok(port),
        _ => Err(Malformed::Host),
    }
}

fn split_port(text: &str) -> Result<(&str, Option<&str>), Malformed> {
    if text.starts_with('[') {
        let end = text.find(']').ok_or(Malformed::Host)?;
        let (host, rest) = text.split_at(end + 1);
        return match rest.strip_prefix(':') {
            Some(port) => Ok((host, Some(port))),
            None if rest.is_empty() => Ok((host, None)),
            None => Err(Malformed::Host),
        };
    }
    Ok(match text.split_once(':') {
        Some((host, port)) => (host, Some(port)),
        None => (text, None),
    })
}

fn is_ipv6(host: &str) -> bool {
    host.strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
        .is_some_and(|address| address.parse::<Ipv6Addr>().is_ok())
}

/// A registered name of letters, digits, `-`, `_` and single inner dots.
fn is_name(host: &str) -> bool {
    host.len() <= 253
        && host.split('.').all(|label| {
            !label.is_empty()
                && label
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
        })
}
