//! API keys: `pcl_live_<id>_<secret><crc32>`, base62.
//!
//! The checksum lets scanners recognise a leaked key and lets us refuse garbage
//! without asking anybody.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use ipnet::IpNet;
use rand::{CryptoRng, Rng};
use secrecy::{ExposeSecret, SecretString};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};

use super::base62::{BASE62, SECRET_LEN, base62};
use super::{PrincipalId, ProjectId, Quota, TenantId};

const PREFIX: &str = "pcl_live_";
const ID_LEN: usize = 12;
/// 62^6 > 2^32.
const CRC_LEN: usize = 6;
const LEN: usize = PREFIX.len() + ID_LEN + 1 + SECRET_LEN + CRC_LEN;

/// The public part of a key: names it in lists, logs and audit events.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct KeyId(Arc<str>);

/// The text is no API key. Says nothing of what was wrong: the answer is 401 either way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("malformed API key")]
pub struct MalformedKey;

impl KeyId {
    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The id as shared text, for records that outlive the request.
    #[must_use]
    pub fn to_shared(&self) -> Arc<str> {
        Arc::clone(&self.0)
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for KeyId {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        text.parse().map_err(D::Error::custom)
    }
}

impl FromStr for KeyId {
    type Err = MalformedKey;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.len() == ID_LEN && text.bytes().all(|b| b.is_ascii_alphanumeric()) {
            Ok(Self(text.into()))
        } else {
            Err(MalformedKey)
        }
    }
}

/// A whole key, as shown once and as presented by a client. Redacted in `Debug`.
#[derive(Debug)]
pub struct KeyToken {
    id: KeyId,
    secret: SecretString,
}

impl KeyToken {
    /// A fresh key.
    pub fn generate(rng: &mut (impl Rng + CryptoRng)) -> Self {
        Self {
            id: KeyId(base62(rng, ID_LEN).into()),
            secret: base62(rng, SECRET_LEN).into(),
        }
    }

    /// Its public id.
    #[must_use]
    pub const fn id(&self) -> &KeyId {
        &self.id
    }

    /// The secret part, for hashing.
    #[must_use]
    pub fn secret(&self) -> &[u8] {
        self.secret.expose_secret().as_bytes()
    }

    /// The whole key, to be shown once.
    #[must_use]
    pub fn reveal(&self) -> SecretString {
        let body = format!("{PREFIX}{}_{}", self.id, self.secret.expose_secret());
        format!("{body}{}", checksum(body.as_bytes())).into()
    }
}

impl FromStr for KeyToken {
    type Err = MalformedKey;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.len() != LEN || !text.is_ascii() {
            return Err(MalformedKey);
        }
        let (body, crc) = text.split_at(LEN - CRC_LEN);
        let (id, secret) = body
            .strip_prefix(PREFIX)
            .and_then(|rest| rest.split_once('_'))
            .ok_or(MalformedKey)?;
        if secret.len() != SECRET_LEN || crc != checksum(body.as_bytes()) {
            return Err(MalformedKey);
        }
        Ok(Self {
            id: id.parse()?,
            secret: secret.into(),
        })
    }
}

fn checksum(body: &[u8]) -> String {
    let mut crc = crc32fast::hash(body) as usize;
    let mut digits = [b'0'; CRC_LEN];
    for digit in digits.iter_mut().rev() {
        *digit = BASE62[crc % 62];
        crc /= 62;
    }
    digits.iter().copied().map(char::from).collect()
}

/// HMAC-SHA-256 of the secret under the installation's pepper.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct SecretHash(pub [u8; 32]);

impl fmt::Debug for SecretHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretHash(..)")
    }
}

/// What is stored of a key.
#[derive(Clone, Debug, Serialize)]
pub struct ApiKey {
    /// Public id.
    pub id: KeyId,
    /// Who holds it: the key can never do more than this principal can.
    pub principal: PrincipalId,
    /// Verifies the secret.
    #[serde(skip)]
    pub secret_hash: SecretHash,
    /// Permission patterns it is limited to; `None` is no limit of its own.
    pub permissions: Option<Vec<String>>,
    /// Projects it is limited to; `None` is no limit of its own.
    pub projects: Option<Vec<ProjectId>>,
    /// What it is for.
    pub description: String,
    /// Networks it may be used from; `None`: from anywhere.
    pub networks: Option<Vec<IpNet>>,
    /// How many requests it may send, beside what others are limited to.
    pub rate: Option<Quota>,
    /// The key whose place it takes.
    pub rotated_from: Option<KeyId>,
    /// Tenants that have approved it, of those that ask for that.
    pub approved_for: Vec<TenantId>,
    /// When it ends by itself.
    pub expires_at: Option<DateTime<Utc>>,
    /// When it was revoked.
    pub revoked_at: Option<DateTime<Utc>>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// Last time it was used, written in batches: some seconds late.
    pub last_used_at: Option<DateTime<Utc>>,
    /// From where it was last used.
    pub last_used_ip: Option<IpAddr>,
    /// For which route it was last used, as the map has it.
    pub last_used_route: Option<String>,
}

/// What a key is good for at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum KeyState {
    /// Nothing, where it awaits approval.
    Pending,
    /// What it permits.
    Active,
    /// Nothing: it has ended by itself.
    Expired,
    /// Nothing: somebody has revoked it.
    Revoked,
}

impl KeyState {
    /// That of a key at a moment; `is_pending` where it awaits approval.
    #[must_use]
    pub fn of(
        revoked_at: Option<DateTime<Utc>>,
        expires_at: Option<DateTime<Utc>>,
        is_pending: bool,
        now: DateTime<Utc>,
    ) -> Self {
        if revoked_at.is_some() {
            Self::Revoked
        } else if expires_at.is_some_and(|at| at <= now) {
            Self::Expired
        } else if is_pending {
            Self::Pending
        } else {
            Self::Active
        }
    }

    /// In a word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Active => "active",
            Self::Expired => "expired",
            Self::Revoked => "revoked",
        }
    }
}

impl ApiKey {
    /// Whether it may be used from this address.
    #[must_use]
    pub fn is_open_to(&self, ip: Option<IpAddr>) -> bool {
        let Some(networks) = &self.networks else {
            return true;
        };
        let Some(ip) = ip.map(|ip| ip.to_canonical()) else {
            return false;
        };
        networks.iter().any(|network| network.contains(&ip))
    }
}

impl ApiKey {
    /// Whether it still opens anything.
    #[must_use]
    pub fn is_good(&self, now: DateTime<Utc>) -> bool {
        self.revoked_at.is_none() && self.expires_at.is_none_or(|at| now < at)
    }
}

#[cfg(test)]
mod tests {
    use rand::{SeedableRng, rngs::StdRng};

    use super::*;

    fn key() -> String {
        let token = KeyToken::generate(&mut StdRng::seed_from_u64(7));
        token.reveal().expose_secret().to_owned()
    }

    #[test]
    fn a_generated_key_parses_back() {
        let text = key();
        let token: KeyToken = text.parse().unwrap();
        assert_eq!(token.reveal().expose_secret(), text);
    }

    #[test]
    fn every_single_character_change_is_refused() {
        let text = key();
        for at in 0..text.len() {
            let mut bytes = text.clone().into_bytes();
            bytes[at] = if bytes[at] == b'x' { b'y' } else { b'x' };
            let changed = String::from_utf8(bytes).unwrap();
            assert!(changed.parse::<KeyToken>().is_err(), "{at}");
        }
    }

    #[test]
    fn truncated_and_lengthened_keys_are_refused() {
        let text = key();
        assert!(text[1..].parse::<KeyToken>().is_err());
        assert!(text[..text.len() - 1].parse::<KeyToken>().is_err());
        assert!(format!("{text}0").parse::<KeyToken>().is_err());
        assert!("".parse::<KeyToken>().is_err());
    }

    #[test]
    fn debug_does_not_show_the_secret() {
        let token: KeyToken = key().parse().unwrap();
        let shown = format!("{token:?}");
        assert!(!shown.contains(std::str::from_utf8(token.secret()).unwrap()));
    }
}
