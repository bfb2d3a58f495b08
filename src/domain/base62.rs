//! Digits, upper and lower case letters: what can stand in a name, a URL and a cookie as it is.

use rand::Rng;

pub(super) const BASE62: &[u8; 62] =
    b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// Digits of a secret of 256 bits: 62^43 > 2^256.
pub(super) const SECRET_LEN: usize = 43;

/// As many random digits.
pub(super) fn base62(rng: &mut impl Rng, len: usize) -> String {
    (0..len)
        .map(|_| char::from(BASE62[rng.random_range(0..BASE62.len())]))
        .collect()
}
