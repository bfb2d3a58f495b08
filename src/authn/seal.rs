//! Secrets that must be read again: encrypted, and bound to what they are for.

use openssl::symm::{Cipher, decrypt_aead, encrypt_aead};
use rand::{CryptoRng, Rng};

use crate::domain::Pepper;

const IV: usize = 12;
const TAG: usize = 16;

/// AES-256-GCM under a key that is derived from the installation's pepper. Redacted in `Debug`.
#[derive(Clone)]
pub struct Seal([u8; 32]);

impl Seal {
    /// That of an installation.
    #[must_use]
    pub fn new(pepper: &Pepper) -> Self {
        Self(pepper.derive(b"sealed secrets"))
    }

    /// Seals a secret for a purpose: IV, tag and ciphertext. Under a random IV of 96 bits, as
    /// here, a key is good for 2³² of them (NIST SP 800-38D §8.3).
    ///
    /// # Panics
    ///
    /// Never: key and IV are of the cipher's lengths.
    pub fn seal(&self, purpose: &str, secret: &[u8], rng: &mut (impl Rng + CryptoRng)) -> Vec<u8> {
        let iv: [u8; IV] = rng.random();
        let mut tag = [0; TAG];
        let (key, aad) = (&self.0, purpose.as_bytes());
        let cipher = Cipher::aes_256_gcm();
        let sealed = encrypt_aead(cipher, key, Some(&iv), aad, secret, &mut tag)
            .expect("AES-256-GCM takes this key and IV");
        [&iv[..], &tag, &sealed].concat()
    }

    /// The secret; `None`: sealed for something else, by another installation, or altered.
    #[must_use]
    pub fn open(&self, purpose: &str, sealed: &[u8]) -> Option<Vec<u8>> {
        let (iv, rest) = sealed.split_at_checked(IV)?;
        let (tag, sealed) = rest.split_at_checked(TAG)?;
        let (key, aad) = (&self.0, purpose.as_bytes());
        decrypt_aead(Cipher::aes_256_gcm(), key, Some(iv), aad, sealed, tag).ok()
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
        let seal = Seal::new(&Pepper::new([7; 32]));
        let mut rng = StdRng::seed_from_u64(7);
        let sealed = seal.seal("a", b"secret", &mut rng);
        assert_eq!(seal.open("a", &sealed).unwrap(), b"secret");
        assert_ne!(seal.seal("a", b"secret", &mut rng), sealed);
        assert_eq!(seal.open("b", &sealed), None);
        assert_eq!(Seal::new(&Pepper::new([8; 32])).open("a", &sealed), None);
        for at in 0..sealed.len() {
            let mut altered = sealed.clone();
            altered[at] ^= 1;
            assert_eq!(seal.open("a", &altered), None, "{at}");
            assert_eq!(seal.open("a", &sealed[..at]), None, "{at}");
        }
    }
}
