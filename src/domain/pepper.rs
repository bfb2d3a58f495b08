//! The installation's pepper, and the keyed hash of a key's secret under it.
//!
//! A secret has 256 random bits: nobody can guess it from its hash, so the hash may
//! be fast. The pepper makes a stolen table of hashes worthless by itself.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::SecretHash;

/// 32 random bytes, made once for an installation. Redacted in `Debug`.
#[derive(Clone)]
pub struct Pepper([u8; 32]);

impl Pepper {
    /// The pepper of these bytes.
    #[must_use]
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// HMAC-SHA-256 of a key's secret: what is stored.
    #[must_use]
    pub fn hash(&self, secret: &[u8]) -> SecretHash {
        SecretHash(self.mac(secret).finalize().into_bytes().into())
    }

    /// Whether the secret has this hash, in a time that does not tell how nearly.
    #[must_use]
    pub fn verify(&self, secret: &[u8], hash: &SecretHash) -> bool {
        self.mac(secret).verify_slice(&hash.0).is_ok()
    }

    /// A key for another purpose, from which the pepper cannot be told.
    #[must_use]
    pub fn derive(&self, purpose: &[u8]) -> [u8; 32] {
        self.mac(purpose).finalize().into_bytes().into()
    }

    fn mac(&self, secret: &[u8]) -> Hmac<Sha256> {
        let mac = Hmac::<Sha256>::new_from_slice(&self.0);
        mac.expect("HMAC takes a key of any length")
            .chain_update(secret)
    }
}

impl fmt::Debug for Pepper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pepper(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_verifies_under_its_own_pepper_only() {
        let pepper = Pepper::new([7; 32]);
        let hash = pepper.hash(b"secret");
        assert!(pepper.verify(b"secret", &hash));
        assert!(!pepper.verify(b"Secret", &hash));
        assert!(!Pepper::new([8; 32]).verify(b"secret", &hash));
    }

    #[test]
    fn the_hash_is_hmac_sha_256() {
        // RFC 4231, test case 1, whose key of 20 bytes is padded to 32 by HMAC itself.
        let mut key = [0; 32];
        key[..20].fill(0x0b);
        let SecretHash(hash) = Pepper::new(key).hash(b"Hi There");
        assert_eq!(hash[..4], [0xb0, 0x34, 0x4c, 0x61]);
    }
}
