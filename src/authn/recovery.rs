//! Recovery codes: for who has lost their second factor.

use std::fmt;

use rand::{CryptoRng, Rng};

use crate::domain::{Pepper, PrincipalId, SecretHash};

/// Without letters that look like digits (Crockford's base32).
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
/// 80 bits: nobody guesses it from its hash either.
const LEN: usize = 16;

/// A code. Redacted in `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct RecoveryCode([u8; LEN]);

impl RecoveryCode {
    /// How many somebody gets at once.
    pub const COUNT: usize = 10;

    /// A fresh one.
    pub fn generate(rng: &mut (impl Rng + CryptoRng)) -> Self {
        Self(std::array::from_fn(|_| ALPHABET[rng.random_range(0..32)]))
    }

    /// What somebody typed, however they spaced it; `None` if it cannot be one.
    #[must_use]
    pub fn parse(typed: &str) -> Option<Self> {
        let letters = typed.bytes().filter(|byte| !matches!(byte, b'-' | b' '));
        let letters = letters.map(|byte| match byte.to_ascii_lowercase() {
            b'o' => b'0',
            b'i' | b'l' => b'1',
            other => other,
        });
        let code: Vec<_> = letters.take(LEN + 1).collect();
        let known = code.iter().all(|letter| ALPHABET.contains(letter));
        code.try_into().ok().filter(|_| known).map(Self)
    }

    /// What is stored of it.
    #[must_use]
    pub fn hash(&self, pepper: &Pepper, of: PrincipalId) -> SecretHash {
        let bound = [b"recovery code", &of.0.as_bytes()[..], &self.0].concat();
        pepper.hash(&bound)
    }

    /// The whole of it, in groups of four.
    #[must_use]
    pub fn reveal(&self) -> String {
        let groups = self.0.chunks(4).map(String::from_utf8_lossy);
        groups.collect::<Vec<_>>().join("-")
    }
}

impl fmt::Debug for RecoveryCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RecoveryCode(..)")
    }
}

#[cfg(test)]
mod tests {
    use rand::{SeedableRng as _, rngs::StdRng};

    use super::*;

    #[test]
    fn a_code_is_read_as_it_is_typed() {
        let code = RecoveryCode::generate(&mut StdRng::seed_from_u64(7));
        let shown = code.reveal();
        assert_eq!(shown.len(), 19);
        let typed = shown.to_uppercase().replace('-', " ").replace('0', "O");
        for text in [&shown, &typed, &shown.replace('1', "l")] {
            assert_eq!(RecoveryCode::parse(text).as_ref(), Some(&code), "{text}");
        }
        for other in [
            "",
            "0000",
            &shown[1..],
            &format!("{shown}0"),
            &shown.replace(&shown[..1], "u"),
            "é000-0000-0000-0000",
        ] {
            assert_eq!(RecoveryCode::parse(other), None, "{other}");
        }
        assert_eq!(format!("{code:?}"), "RecoveryCode(..)");
    }

    #[test]
    fn a_code_is_its_person_s() {
        let pepper = Pepper::new([7; 32]);
        let code = RecoveryCode::parse("0000-0000-0000-0000").unwrap();
        let of = |id| code.hash(&pepper, PrincipalId(uuid::Uuid::from_u128(id))).0;
        assert_ne!(of(1), of(2));
        assert_eq!(of(1), of(1));
    }
}
