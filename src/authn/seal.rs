//! Secrets that must be read again: encrypted, and bound to what they are for.

use openssl::symm::{Cipher, decrypt_aead, encrypt_aead};
use rand::{CryptoRng, Rng};

use crate::domain::{Pepper, SealingKey};

const IV: usize = 12;
const TAG: usize = 16;

/// AES-256-GCM. Redacted in `Debug`.
#[derive(Clone)]
pub struct Seal {
    /// The first one seals, all of them open.
    keys: Vec<SealingKey>,
}

/// A secret as it was sealed.
#[derive(Debug, PartialEq, Eq)]
pub struct Opened {
    /// The secret.
    pub secret: Vec<u8>,
    /// Whether it is to be sealed anew, since it was under a former key.
    pub outdated: bool,
}

impl Seal {
    /// That of an installation: under the first of these keys, or, if it has none, under one
    /// that is derived from its pepper. What was sealed under any of them can be opened.
    #[must_use]
    pub fn new(configured: &[SealingKey], pepper: &Pepper) -> Self {
        let mut keys = configured.to_vec();
        keys.push(SealingKey::new(pepper.derive(b"sealed secrets")));
        Self { keys }
    }

    /// Seals a secret for a purpose: IV, tag and ciphertext. Under a random IV of 96 bits, as
    /// here, a key is good for 2³² of them (NIST SP 800-38D §8.3).
    ///
    /// # Panics
    ///
    /// Never: there is a key, and it and the IV are of the cipher's lengths.
    pub fn seal(&self, purpose: &str, secret: &[u8], rng: &mut (impl Rng + CryptoRng)) -> Vec<u8> {
        let iv: [u8; IV] = rng.random();
        let mut tag = [0; TAG];
        let (key, aad) = (self.keys[0].bytes(), purpose.as_bytes());
        let cipher = Cipher::aes_256_gcm();
        let sealed = encrypt_aead(cipher, key, Some(&iv), aad, secret, &mut tag)
            .expect("AES-256-GCM takes this key and IV");
        [&iv[..], &tag, &sealed].concat()
    }

    /// The secret; `None`: sealed for something else, by another installation, or altered.
    #[must_use]
    pub fn open(&self, purpose: &str, sealed: &[u8]) -> Option<Opened> {
        let (iv, rest) = sealed.split_at_checked(IV)?;
        let (tag, sealed) = rest.split_at_checked(TAG)?;
        let (cipher, aad) = (Cipher::aes_256_gcm(), purpose.as_bytes());
        let mut tried = self.keys.iter().enumerate();
        tried.find_map(|(at, key)| {
            let secret = decrypt_aead(cipher, key.bytes(), Some(iv), aad, sealed, tag).ok()?;
            let outdated = at > 0;
            Some(Opened { secret, outdated })
        })
    }
}

impl std::fmt::Debug for Seal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Seal(..)")
    }
}

#[cfg(test)]
mod tests {
    use rand::{SeedableRng as _, rngs::StdRng};

    use super::*;

    #[test]
    fn a_sealed_secret_opens_for_its_purpose_and_as_it_was() {
        let seal = Seal::new(&[], &Pepper::new([7; 32]));
        let mut rng = StdRng::seed_from_u64(7);
        let sealed = seal.seal("a", b"secret", &mut rng);
        let opened = |outdated| {
            let secret = b"secret".to_vec();
            Some(Opened { secret, outdated })
        };
        assert_eq!(seal.open("a", &sealed), opened(false));
        assert_ne!(seal.seal("a", b"secret", &mut rng), sealed);
        assert_eq!(seal.open("b", &sealed), None);
        let other = Seal::new(&[], &Pepper::new([8; 32]));
        assert_eq!(other.open("a", &sealed), None);
        // A key that was given since, and one after it.
        let (first, second) = (SealingKey::new([1; 32]), SealingKey::new([2; 32]));
        let keyed = Seal::new(std::slice::from_ref(&first), &Pepper::new([7; 32]));
        assert_eq!(keyed.open("a", &sealed), opened(true));
        let anew = keyed.seal("a", b"secret", &mut rng);
        assert_eq!(keyed.open("a", &anew), opened(false));
        assert_eq!(seal.open("a", &anew), None);
        let rotated = Seal::new(&[second.clone(), first], &Pepper::new([8; 32]));
        assert_eq!(rotated.open("a", &anew), opened(true));
        let forgotten = Seal::new(&[second], &Pepper::new([8; 32]));
        assert_eq!(forgotten.open("a", &anew), None);
        for at in 0..sealed.len() {
            let mut altered = sealed.clone();
            altered[at] ^= 1;
            assert_eq!(seal.open("a", &altered), None, "{at}");
            assert_eq!(seal.open("a", &sealed[..at]), None, "{at}");
        }
    }
}
