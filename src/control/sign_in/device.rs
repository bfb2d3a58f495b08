//! Browsers that somebody has signed in with before (OWASP: "device cookies").
//!
//! What such a browser shows signs nobody in: it keeps its attempts apart from those of whoever
//! else guesses at the account. It holds for one account, as it is counted for one.

use chrono::TimeDelta;
use hmac::{Hmac, KeyInit as _, Mac as _};
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use sha2::Sha256;
use uuid::Uuid;

use super::SignIns;
use super::by_password::normal;

/// What a browser shows: when it was given out, which one it is, and a MAC of both and the
/// account.
#[derive(Debug)]
pub(in crate::control) struct DeviceToken(String);

impl DeviceToken {
    /// For how long it is shown.
    pub(in crate::control) const LASTS: TimeDelta = TimeDelta::days(180);

    /// For the cookie.
    pub(in crate::control) fn reveal(&self) -> &str {
        &self.0
    }
}

/// Where attempts of an account's devices are from, whichever they are and wherever.
fn devices_of(account: &[u8; 32]) -> String {
    let name = u128::from_be_bytes(account[..16].try_into().expect("16 of 32 bytes"));
    format!("devices:{name:032x}")
}

impl SignIns {
    /// For the browser that somebody has just signed in with.
    pub(super) fn new_device(&self, name: &str) -> DeviceToken {
        let mut rng = StdRng::from_os_rng();
        let id = uuid::Builder::from_random_bytes(rand::Rng::random(&mut rng)).into_uuid();
        let given = self.clock.now().timestamp();
        let mac = self.device_mac(&normal(name), given, id).finalize();
        let mac = u128::from_be_bytes(mac.into_bytes()[..16].try_into().expect("16 of 32 bytes"));
        DeviceToken(format!("{given:x}.{}.{mac:032x}", id.simple()))
    }

    /// Whose attempts these are, if the browser shows that this account was signed in to with
    /// it: all such browsers count as one, or whoever once knew the password could keep many.
    pub(super) fn device(&self, name: &str, shown: &str) -> Option<String> {
        let (given, rest) = shown.split_once('.')?;
        let (id, mac) = rest.split_once('.')?;
        let (given, id) = (i64::from_str_radix(given, 16).ok()?, id.parse().ok()?);
        // As it was written: a number would be the same without its first zero.
        let mac = Some(mac).filter(|mac| mac.len() == 32)?;
        let mac = u128::from_str_radix(mac, 16).ok()?.to_be_bytes();
        let expected = self.device_mac(name, given, id);
        expected.verify_truncated_left(&mac).ok()?;
        let age = self.clock.now().timestamp().checked_sub(given)?;
        (age <= DeviceToken::LASTS.num_seconds())
            .then(|| devices_of(&self.account(name.as_bytes())))
    }

    fn device_mac(&self, name: &str, given: i64, id: Uuid) -> Hmac<Sha256> {
        let key = self.pepper.derive(b"devices");
        let mac = Hmac::<Sha256>::new_from_slice(&key).expect("HMAC takes a key of any length");
        mac.chain_update(given.to_be_bytes())
            .chain_update(id.as_bytes())
            .chain_update(name)
    }
}
