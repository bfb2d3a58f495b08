//! Passwords: argon2id, a bounded number at a time.
//!
//! Hashing one takes tens of milliseconds of a core and 19 MiB, on purpose. So that nobody can
//! keep the gateway busy with it, few are hashed at once, few wait, and the rest are turned
//! away.

use std::sync::Arc;

use argon2::password_hash::phc::{Output, ParamsString, PasswordHash, Salt};
use argon2::{Algorithm, Argon2, Block, Params, Version};
use rand::{CryptoRng, Rng};
use secrecy::{ExposeSecret as _, SecretString};
use tokio::sync::Semaphore;
use unicode_normalization::UnicodeNormalization as _;

/// Fewest and most characters, after normalisation (NIST SP 800-63B §3.1.1.2 asks for 15 at
/// best, 8 at least, and no upper bound below 64).
const LENGTH: std::ops::RangeInclusive<usize> = 12..=256;
/// Those that may wait for a turn, for each that has one.
const WAITING: usize = 16;

/// OWASP's first choice for argon2id: 19 MiB, two passes, one lane.
const PARAMS: Params = Params::DEFAULT;

/// Blocks of 1 KiB. What is larger than 32 MiB, glibc maps and gives back to the system when it is
/// free; what is smaller it keeps for each thread that ever hashed, which after a crowd are many.
/// Only what is written to is ever resident.
const MAPPED: usize = 33 * 1024;

/// A password, normalised (NFKC), so that it is the same from every keyboard.
#[derive(Clone, Debug)]
pub struct Password(SecretString);

/// Why a text is no password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnfitPassword {
    /// It can be guessed.
    #[error("a password has at least {} characters", LENGTH.start())]
    Short,
    /// It would take long to hash.
    #[error("a password has at most {} characters", LENGTH.end())]
    Long,
    /// Attackers know it.
    #[error("it is on a list of passwords that are known to attackers")]
    Breached,
}

impl Password {
    /// Takes what somebody typed.
    ///
    /// # Errors
    ///
    /// If it is too short or too long.
    pub fn parse(typed: &SecretString) -> Result<Self, UnfitPassword> {
        let typed = typed.expose_secret();
        // A character may become several, and never less than a ninth of one.
        if typed.len() > LENGTH.end() * 4 * 9 {
            return Err(UnfitPassword::Long);
        }
        let normal: String = typed.nfkc().collect();
        match normal.chars().count() {
            length if length < *LENGTH.start() => Err(UnfitPassword::Short),
            length if length > *LENGTH.end() => Err(UnfitPassword::Long),
            _ => Ok(Self(normal.into())),
        }
    }

    pub(super) fn bytes(&self) -> &[u8] {
        self.0.expose_secret().as_bytes()
    }
}

/// What came of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Checked {
    /// It is the password.
    Right {
        /// Whether it is to be hashed anew, since it was under other parameters.
        outdated: bool,
    },
    /// It is not, or there is none.
    Wrong,
}

/// Why nothing was checked or hashed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HashError {
    /// Too many are at it.
    #[error("too many passwords at once")]
    Busy,
    /// The hash on record cannot be read, or hashing failed.
    #[error("a password hash cannot be made or read")]
    Broken,
}

/// Hashes and checks passwords.
#[derive(Clone, Debug)]
pub struct Passwords {
    turns: Arc<Semaphore>,
    queue: Arc<Semaphore>,
}

impl Passwords {
    /// For a machine with as many cores.
    #[must_use]
    pub fn new(cores: usize) -> Self {
        let turns = cores.max(1);
        Self {
            turns: Arc::new(Semaphore::new(turns)),
            queue: Arc::new(Semaphore::new(turns * (WAITING + 1))),
        }
    }

    /// The hash of a password, as a PHC string.
    ///
    /// # Errors
    ///
    /// [`HashError`].
    pub async fn hash(
        &self,
        password: Password,
        rng: &mut (impl Rng + CryptoRng),
    ) -> Result<String, HashError> {
        let salt: [u8; 16] = rng.random();
        self.in_turn(move || {
            let output = work(&PARAMS, password.bytes(), &salt, Params::DEFAULT_OUTPUT_LEN)?;
            phc(&salt, &output).ok_or(HashError::Broken)
        })
        .await?
    }

    /// Whether this is the password of that hash. Without a password or a hash it takes as
    /// long to say no.
    ///
    /// # Errors
    ///
    /// [`HashError`].
    pub async fn check(
        &self,
        password: Option<Password>,
        hash: Option<String>,
    ) -> Result<Checked, HashError> {
        self.in_turn(move || {
            if let (Some(password), Some(hash)) = (password, hash) {
                return verified(&password, &hash);
            }
            let length = Params::DEFAULT_OUTPUT_LEN;
            work(&PARAMS, b"nobody's password", &[0; 16], length).map(|_| Checked::Wrong)
        })
        .await?
    }

    async fn in_turn<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, HashError> {
        let _place = self.queue.try_acquire().map_err(|_| HashError::Busy)?;
        // Kept until the work is done, whether or not anybody still waits for it.
        let turn = Arc::clone(&self.turns).acquire_owned().await;
        let done = tokio::task::spawn_blocking(move || {
            let done = work();
            drop(turn);
            done
        });
        done.await.map_err(|_| HashError::Broken)
    }
}

fn verified(password: &Password, hash: &str) -> Result<Checked, HashError> {
    let hash = PasswordHash::new(hash).map_err(|_| HashError::Broken)?;
    let is_ours = hash.algorithm == Algorithm::Argon2id.ident()
        && hash.version == Some(Version::V0x13.into());
    let (Some(salt), Some(expected), true) = (hash.salt, hash.hash, is_ours) else {
        return Err(HashError::Broken);
    };
    let params = Params::try_from(&hash).map_err(|_| HashError::Broken)?;
    let output = work(&params, password.bytes(), &salt, expected.len())?;
    if !openssl::memcmp::eq(&output, expected.as_bytes()) {
        return Ok(Checked::Wrong);
    }
    let cost = |params: &Params| (params.m_cost(), params.t_cost(), params.p_cost());
    Ok(Checked::Right {
        outdated: cost(&params) != cost(&PARAMS),
    })
}

fn work(params: &Params, secret: &[u8], salt: &[u8], length: usize) -> Result<Vec<u8>, HashError> {
    let mut memory = Vec::with_capacity(params.block_count().max(MAPPED));
    memory.resize(params.block_count(), Block::default());
    let mut output = vec![0; length];
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params.clone())
        .hash_password_into_with_memory(secret, salt, &mut output, &mut memory)
        .map_err(|_| HashError::Broken)?;
    Ok(output)
}

/// In the format of the Password Hashing Competition.
fn phc(salt: &[u8], output: &[u8]) -> Option<String> {
    let hash = PasswordHash {
        algorithm: Algorithm::Argon2id.ident(),
        version: Some(Version::V0x13.into()),
        params: ParamsString::try_from(&PARAMS).ok()?,
        salt: Some(Salt::new(salt).ok()?),
        hash: Some(Output::new(output).ok()?),
    };
    Some(hash.to_string())
}

#[cfg(test)]
mod tests {
    use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};
    use rand::{SeedableRng as _, rngs::StdRng};

    use super::*;

    fn password(text: &str) -> Password {
        Password::parse(&text.into()).unwrap()
    }

    #[tokio::test]
    async fn a_password_is_right_in_every_spelling_of_its_characters() {
        let passwords = Passwords::new(2);
        let rng = &mut StdRng::seed_from_u64(1);
        // The first has a composed letter, the second a letter and an accent.
        let hash = passwords.hash(password("caf\u{e9} au lait"), rng).await;
        let hash = hash.unwrap();
        assert!(
            hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"),
            "{hash}"
        );
        // As anybody else reads it.
        let standard = PasswordHash::new(&hash).unwrap();
        let read = Argon2::default().verify_password("caf\u{e9} au lait".as_bytes(), &standard);
        assert_eq!(read, Ok(()));
        let typed = Some(password("cafe\u{301} au lait"));
        let checked = passwords.check(typed, Some(hash.clone())).await;
        assert_eq!(checked, Ok(Checked::Right { outdated: false }));
        let wrong = passwords.check(Some(password("cafe au lait")), Some(hash.clone()));
        assert_eq!(wrong.await, Ok(Checked::Wrong));
        assert_eq!(passwords.check(None, Some(hash)).await, Ok(Checked::Wrong));
        let nobody = passwords.check(Some(password("cafe au lait")), None);
        assert_eq!(nobody.await, Ok(Checked::Wrong));
    }

    #[tokio::test]
    async fn one_of_other_parameters_is_right_and_outdated() {
        let old = Params::new(8 * 1024, 1, 1, None).unwrap();
        let old = Argon2::new(Algorithm::Argon2id, Version::V0x13, old);
        let hash: PasswordHash = old
            .hash_password_with_salt(b"correct horse", &[7; 16])
            .unwrap();
        let passwords = Passwords::new(1);
        let checked = passwords.check(Some(password("correct horse")), Some(hash.to_string()));
        assert_eq!(checked.await, Ok(Checked::Right { outdated: true }));
    }

    #[tokio::test]
    async fn what_is_no_hash_of_ours_is_said_to_be_broken() {
        let passwords = Passwords::new(1);
        for hash in [
            "",
            "$argon2i$v=19$m=8,t=1,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAA",
            "$argon2id$v=16$m=8,t=1,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAA",
            "$argon2id$v=19$m=8,t=1,p=1$AAAAAAAAAAAAAAAAAAAAAA",
            "$argon2id$v=19$m=8,t=1,p=1",
        ] {
            let checked = passwords.check(Some(password("correct horse")), Some(hash.to_owned()));
            assert_eq!(checked.await, Err(HashError::Broken), "{hash}");
        }
    }

    #[tokio::test]
    async fn whoever_finds_no_place_is_turned_away() {
        let passwords = Passwords::new(1);
        let _all = passwords.queue.acquire_many(17).await.unwrap();
        assert_eq!(passwords.check(None, None).await, Err(HashError::Busy));
    }

    #[test]
    fn length_is_counted_in_characters() {
        let parsed = |text: String| Password::parse(&text.into()).map(drop);
        assert_eq!(parsed("\u{1f512}".repeat(12)), Ok(()));
        assert_eq!(parsed("\u{1f512}".repeat(11)), Err(UnfitPassword::Short));
        assert_eq!(parsed("x".repeat(256)), Ok(()));
        assert_eq!(parsed("x".repeat(257)), Err(UnfitPassword::Long));
        assert_eq!(parsed("x".repeat(1 << 20)), Err(UnfitPassword::Long));
    }
}
