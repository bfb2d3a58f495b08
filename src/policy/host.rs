//! Host names that a route is limited to.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// One host, or all hosts below a domain. Lower case, without port or trailing dot.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum HostPattern {
    /// `ml.example.com`.
    Exact(Arc<str>),
    /// `*.example.com`: one or more labels below, not the domain itself. Holds `example.com`.
    Below(Arc<str>),
}

/// The text is no host pattern.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not a host: write `ml.example.com` or `*.example.com`, in lower case and without port"
)]
pub struct MalformedHost(pub String);

impl FromStr for HostPattern {
    type Err = MalformedHost;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let below = text.strip_prefix("*.");
        let domain = below.unwrap_or(text);
        if !is_domain(domain) {
            return Err(MalformedHost(text.to_owned()));
        }
        Ok(match below {
            Some(domain) => Self::Below(domain.into()),
            None => Self::Exact(domain.into()),
        })
    }
}

fn is_domain(text: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_')
    };
    text.len() <= 253 && text.split('.').all(label)
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(host) => f.write_str(host),
            Self::Below(domain) => write!(f, "*.{domain}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_and_domains_are_read_and_written_alike() {
        for good in ["localhost", "ml.example.com", "*.example.com", "127.0.0.1"] {
            assert_eq!(good.parse::<HostPattern>().unwrap().to_string(), good);
        }
    }

    #[test]
    fn what_no_canonical_host_looks_like_is_refused() {
        for bad in [
            "", "*", "*.", "a.", ".a", "A.b", "a:80", "a.*.b", "*a.b", "-a", "http://a", "a b",
        ] {
            assert!(bad.parse::<HostPattern>().is_err(), "{bad}");
        }
    }
}
