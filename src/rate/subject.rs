//! Of whom a counter counts.

use std::net::{IpAddr, Ipv6Addr};

use crate::domain::{PrincipalId, RateRule, RuleId, TenantId};

/// One address, principal, key or tenant, in as many bytes as the longest of them needs.
/// Which of them it is, the rule says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Subject([u8; 16]);

impl Subject {
    /// A client's address. Of IPv6 the first 64 bits: whoever has one address has them all.
    /// Clients without an address (a Unix socket) count as one.
    #[must_use]
    pub fn address(ip: Option<IpAddr>) -> Self {
        let bits = match ip.map(|ip| ip.to_canonical()) {
            None => 0,
            Some(IpAddr::V4(v4)) => v4.to_ipv6_mapped().to_bits(),
            Some(IpAddr::V6(v6)) => v6.to_bits() & !u128::from(u64::MAX),
        };
        Self(Ipv6Addr::from_bits(bits).octets())
    }

    /// A principal.
    #[must_use]
    pub const fn principal(id: PrincipalId) -> Self {
        Self(id.0.into_bytes())
    }

    /// A tenant.
    #[must_use]
    pub const fn tenant(id: TenantId) -> Self {
        Self(id.0.into_bytes())
    }

    /// A key: its id has 12 bytes.
    #[must_use]
    pub fn key(id: &str) -> Self {
        let mut bytes = [0; 16];
        for (byte, from) in bytes.iter_mut().zip(id.bytes()) {
            *byte = from;
        }
        Self(bytes)
    }
}

/// What names a counter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct CounterKey {
    pub rule: RuleId,
    pub subject: Subject,
}

impl CounterKey {
    /// The name in Redis: text of a fixed form, so no two counters have the same.
    pub fn in_redis(&self) -> String {
        let [rule, subject] = [self.rule.0, self.subject.0].map(u128::from_be_bytes);
        format!("portcullis:rate:{rule:032x}:{subject:032x}")
    }
}

/// One request, to be counted by one rule.
#[derive(Clone, Copy, Debug)]
pub struct Charge {
    /// The rule.
    pub rule: RateRule,
    /// Whom it counts.
    pub subject: Subject,
}

impl Charge {
    pub(super) const fn key(&self) -> CounterKey {
        CounterKey {
            rule: self.rule.id,
            subject: self.subject,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> Subject {
        Subject::address(Some(text.parse().unwrap()))
    }

    #[test]
    fn an_ipv6_client_is_its_network() {
        assert_eq!(address("2001:db8:0:1::1"), address("2001:db8:0:1:ffff::2"));
        assert_ne!(address("2001:db8:0:1::1"), address("2001:db8:0:2::1"));
        assert_eq!(address("::ffff:192.0.2.1"), address("192.0.2.1"));
        assert_ne!(address("192.0.2.1"), address("192.0.2.2"));
        assert_ne!(address("192.0.2.1"), Subject::address(None));
    }

    #[test]
    fn keys_that_differ_are_counted_apart() {
        let key = |id: &str| Subject::key(id);
        assert_eq!(key("abcdefghijkl"), key("abcdefghijkl"));
        assert_ne!(key("abcdefghijkl"), key("abcdefghijkm"));
    }
}
