//! Codes of authenticator apps (RFC 6238).

use chrono::{DateTime, Utc};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use rand::{CryptoRng, Rng};
use totp_rs::{Algorithm, Builder};

/// RFC 4226 §4 recommends 160 bits.
const SECRET_LEN: usize = 20;
const DIGITS: u8 = 6;
const STEP: u64 = 30;
/// Codes of one step before and after are taken (RFC 6238 §5.2).
const SKEW: u16 = 1;
const ISSUER: &str = "Portcullis";

/// An app's side of a secret. Redacted in `Debug`.
#[derive(Clone)]
pub struct Totp(totp_rs::Totp);

impl Totp {
    /// With a fresh secret.
    pub fn generate(rng: &mut (impl Rng + CryptoRng)) -> Self {
        let secret: [u8; SECRET_LEN] = rng.random();
        Self::with(secret.to_vec())
    }

    /// With this secret; `None` if it is of another length.
    #[must_use]
    pub fn from_secret(secret: Vec<u8>) -> Option<Self> {
        (secret.len() == SECRET_LEN).then(|| Self::with(secret))
    }

    /// SHA-1, six digits and 30 seconds: some apps take nothing else, and do not say so.
    fn with(secret: Vec<u8>) -> Self {
        let builder = Builder::new()
            .with_algorithm(Algorithm::SHA1)
            .with_digits(DIGITS)
            .with_step_duration(STEP)
            .with_skew(SKEW)
            .with_secret(secret);
        Self(builder.build().expect("a secret of 160 bits"))
    }

    /// The secret.
    #[must_use]
    pub fn secret(&self) -> &[u8] {
        self.0.secret().as_bytes()
    }

    /// The secret as people type it: base32 in groups of four.
    #[must_use]
    pub fn typed(&self) -> String {
        let text = self.0.secret().to_base32();
        let letters: Vec<_> = text.chars().collect();
        let groups: Vec<String> = letters
            .chunks(4)
            .map(|group| group.iter().collect())
            .collect();
        groups.join(" ")
    }

    /// What apps read from a QR code, as a URI of the scheme `otpauth`.
    #[must_use]
    pub fn uri(&self, account: &str) -> String {
        let account = utf8_percent_encode(account, NON_ALPHANUMERIC);
        let secret = self.0.secret().to_base32();
        format!(
            "otpauth://totp/{ISSUER}:{account}?secret={secret}&issuer={ISSUER}&algorithm=SHA1\
             &digits={DIGITS}&period={STEP}"
        )
    }

    /// The time step of which this is the code, if it is one of now. That it was not taken
    /// before is for the caller to see to.
    #[must_use]
    pub fn step_of(&self, typed: &str, now: DateTime<Utc>) -> Option<i64> {
        let now = u64::try_from(now.timestamp()).ok()?;
        let step = self.0.check(typed, now)?;
        i64::try_from(step).ok()
    }
}

impl std::fmt::Debug for Totp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Totp(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn totp() -> Totp {
        Totp::from_secret(b"12345678901234567890".to_vec()).unwrap()
    }

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(seconds, 0).unwrap()
    }

    #[test]
    fn codes_are_those_of_rfc_6238() {
        // Appendix B; of its eight digits the last six.
        for (seconds, code) in [
            (59, "287082"),
            (1_111_111_109, "081804"),
            (1_234_567_890, "005924"),
            (20_000_000_000, "353130"),
        ] {
            assert_eq!(totp().step_of(code, at(seconds)), Some(seconds / 30));
        }
    }

    #[test]
    fn a_code_is_good_one_step_early_and_late() {
        let step = |seconds| totp().step_of("287082", at(seconds));
        assert_eq!(step(0), Some(1));
        assert_eq!(step(89), Some(1));
        assert_eq!(step(90), None);
        let none = ["", "28708", "2870820", "28708a", "２８７０８２", "-28708"];
        assert!(
            none.iter()
                .all(|text| totp().step_of(text, at(59)).is_none())
        );
    }

    #[test]
    fn a_secret_is_read_by_apps_and_shown_to_nobody_else() {
        assert_eq!(totp().typed(), "GEZD GNBV GY3T QOJQ GEZD GNBV GY3T QOJQ");
        assert_eq!(
            totp().uri("ann@example.com"),
            "otpauth://totp/Portcullis:ann%40example%2Ecom?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ\
             &issuer=Portcullis&algorithm=SHA1&digits=6&period=30"
        );
        assert_eq!(format!("{:?}", totp()), "Totp(..)");
        assert!(Totp::from_secret(vec![0; 19]).is_none());
    }
}
