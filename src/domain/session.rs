//! Sessions of people: `<id><secret>`, 32 hexadecimal digits and 43 of base62.
//!
//! Like an API key a session has a public id, which names it in lists and audit events, and a
//! secret of 256 bits, of which only a keyed hash is stored.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use chrono::{DateTime, TimeDelta, Utc};
use rand::{CryptoRng, Rng};
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::base62::{SECRET_LEN, base62};
use super::{LinkId, PrincipalId, SecretHash, SessionId, TenantId};

const ID_LEN: usize = 32;

/// The text is no session's. Says nothing of what was wrong: the answer is the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("malformed session token")]
pub struct MalformedSession;

/// An id and what proves that one holds it. Redacted in `Debug`.
#[derive(Debug)]
pub struct Token<I> {
    id: I,
    secret: SecretString,
}

/// A whole session token, as a browser keeps it.
pub type SessionToken = Token<SessionId>;
/// What a link holds that works once.
pub type LinkToken = Token<LinkId>;

impl<I: Copy + From<Uuid> + Into<Uuid>> Token<I> {
    /// A fresh one.
    pub fn generate(rng: &mut (impl Rng + CryptoRng)) -> Self {
        Self {
            id: uuid::Builder::from_random_bytes(rng.random())
                .into_uuid()
                .into(),
            secret: base62(rng, SECRET_LEN).into(),
        }
    }

    /// Its public id.
    #[must_use]
    pub const fn id(&self) -> I {
        self.id
    }

    /// The secret part, for hashing.
    #[must_use]
    pub fn secret(&self) -> &[u8] {
        self.secret.expose_secret().as_bytes()
    }

    /// The whole of it, for the cookie or the link.
    #[must_use]
    pub fn reveal(&self) -> SecretString {
        let id: Uuid = self.id.into();
        format!("{}{}", id.simple(), self.secret.expose_secret()).into()
    }
}

impl<I: From<Uuid>> FromStr for Token<I> {
    type Err = MalformedSession;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (id, secret) = text.split_at_checked(ID_LEN).ok_or(MalformedSession)?;
        let is_hex = id
            .bytes()
            .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        let is_secret =
            secret.len() == SECRET_LEN && secret.bytes().all(|b| b.is_ascii_alphanumeric());
        if !is_hex || !is_secret {
            return Err(MalformedSession);
        }
        Ok(Self {
            id: id.parse::<Uuid>().map_err(|_| MalformedSession)?.into(),
            secret: secret.into(),
        })
    }
}

/// How a person proved who they are (RFC 8176).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Method {
    /// A password.
    Pwd,
    /// A code that is good for once.
    Otp,
    /// A passkey, which proves its possession, and which verified its user.
    Pop,
    /// Another service's word. RFC 8176 has no word for it; this one is in common use.
    Fed,
}

impl Method {
    /// The word of RFC 8176, in SQL, headers and audit events.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pwd => "pwd",
            Self::Otp => "otp",
            Self::Pop => "pop",
            Self::Fed => "fed",
        }
    }
}

/// How sure it is who somebody is, by the levels of NIST SP 800-63B.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Assurance {
    /// By one factor.
    Aal1,
    /// By two.
    Aal2,
}

impl Assurance {
    /// What these are good for. A passkey alone is two: who has it, and unlocks it.
    #[must_use]
    pub fn of(methods: &[Method]) -> Self {
        let has = |method| methods.contains(&method);
        let first = has(Method::Pwd) || has(Method::Fed);
        if has(Method::Pop) || (first && has(Method::Otp)) {
            Self::Aal2
        } else {
            Self::Aal1
        }
    }

    /// The `acr` of `OpenID` Connect.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Aal1 => "aal1",
            Self::Aal2 => "aal2",
        }
    }
}

/// Whether people prove who they are by two factors.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mfa {
    /// They cannot.
    Off,
    /// Who has set up a second one is asked for it.
    #[default]
    Optional,
    /// Everybody must.
    Required,
}

impl Mfa {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Off, Self::Optional, Self::Required];

    /// The word in YAML.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Optional => "optional",
            Self::Required => "required",
        }
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Method {
    type Err = MalformedSession;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "pwd" => Ok(Self::Pwd),
            "otp" => Ok(Self::Otp),
            "pop" => Ok(Self::Pop),
            "fed" => Ok(Self::Fed),
            _ => Err(MalformedSession),
        }
    }
}

/// What is stored of a session.
#[derive(Clone, Debug, Serialize)]
pub struct Session {
    /// Public id.
    pub id: SessionId,
    /// Whose.
    pub principal: PrincipalId,
    /// Verifies the secret.
    #[serde(skip)]
    pub secret_hash: SecretHash,
    /// When it began.
    pub created_at: DateTime<Utc>,
    /// When its holder last proved who they are.
    pub authenticated_at: DateTime<Utc>,
    /// When it ends, however much it is used.
    pub expires_at: DateTime<Utc>,
    /// How long it may rest.
    #[serde(skip)]
    pub idle: TimeDelta,
    /// When it was last used; written in batches, some seconds late.
    pub last_active_at: DateTime<Utc>,
    /// From where it began.
    pub address: Option<IpAddr>,
    /// With what it began.
    pub user_agent: String,
    /// How its holder proved who they are.
    pub methods: Vec<Method>,
    /// Whether it waits for its holder's second factor, and is good for nothing else.
    pub pending: bool,
    /// The tenant whose provider said who its holder is.
    pub vouched_by: Option<TenantId>,
    /// When it was revoked.
    pub revoked_at: Option<DateTime<Utc>>,
}

#[cfg(test)]
mod tests {
    use rand::{SeedableRng as _, rngs::StdRng};

    use super::*;

    #[test]
    fn a_token_parses_back_and_shows_nothing() {
        let token = SessionToken::generate(&mut StdRng::seed_from_u64(7));
        let text = token.reveal().expose_secret().to_owned();
        let again: SessionToken = text.parse().unwrap();
        assert_eq!(again.id(), token.id());
        assert_eq!(again.secret(), token.secret());
        assert!(!format!("{token:?}").contains(&text[ID_LEN..]));
    }

    #[test]
    fn two_factors_are_a_password_and_a_code_or_a_passkey() {
        use Method::{Fed, Otp, Pop, Pwd};
        for (methods, level) in [
            (&[][..], "aal1"),
            (&[Pwd], "aal1"),
            (&[Otp], "aal1"),
            (&[Pwd, Pwd], "aal1"),
            (&[Otp, Pwd], "aal2"),
            (&[Pop], "aal2"),
            (&[Pwd, Pop], "aal2"),
            (&[Fed], "aal1"),
            (&[Fed, Otp], "aal2"),
            (&[Fed, Pwd], "aal1"),
        ] {
            assert_eq!(Assurance::of(methods).as_str(), level, "{methods:?}");
        }
    }

    #[test]
    fn other_texts_are_no_tokens() {
        let token = SessionToken::generate(&mut StdRng::seed_from_u64(7));
        let text = token.reveal().expose_secret().to_owned();
        for odd in [
            text.to_uppercase(),
            text[1..].to_owned(),
            format!("{text}0"),
            format!("{}é", &text[..text.len() - 2]),
            format!("é{}", &text[2..]),
            text.replacen(&text[40..41], "-", 1),
            String::new(),
        ] {
            assert!(odd.parse::<SessionToken>().is_err(), "{odd}");
        }
    }
}
