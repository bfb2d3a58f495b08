//! Passkeys (Web Authentication, level 2), each of which verifies its user: two factors in one.

use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde::{Deserialize as _, Serialize};
use serde_json::Value;
use url::Url;
use webauthn_rs::prelude::{
    AuthenticationResult, DiscoverableAuthentication, DiscoverableKey, Passkey as Stored,
    PasskeyAuthentication, PasskeyRegistration, PublicKeyCredential, RegisterPublicKeyCredential,
    Webauthn, WebauthnBuilder, WebauthnError,
};

use crate::domain::PrincipalId;

/// What a browser sent is no answer of an authenticator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it is no answer of an authenticator")]
pub struct MalformedAnswer;

/// Why a passkey proves nothing.
#[derive(Debug, thiserror::Error)]
pub enum PasskeyError {
    /// It is none, or is not of this question.
    #[error(transparent)]
    Malformed(#[from] MalformedAnswer),
    /// It does not hold.
    #[error("{0}")]
    Refused(WebauthnError),
    /// What is on record cannot be read.
    #[error("a passkey or a question on record cannot be read: {0}")]
    Corrupt(#[from] serde_json::Error),
}

impl From<WebauthnError> for PasskeyError {
    fn from(error: WebauthnError) -> Self {
        Self::Refused(error)
    }
}

/// What a browser is asked, and what its answer is held against.
#[derive(Debug)]
pub struct Asked {
    /// For `navigator.credentials`.
    pub options: Value,
    /// To be kept until the answer.
    pub state: Value,
}

impl Asked {
    fn new(options: &impl Serialize, state: &impl Serialize) -> Result<Self, PasskeyError> {
        Ok(Self {
            options: serde_json::to_value(options)?,
            state: serde_json::to_value(state)?,
        })
    }
}

/// A passkey, as it is stored.
#[derive(Clone, Debug)]
pub struct Passkey(Stored);

impl Passkey {
    /// From the record.
    ///
    /// # Errors
    ///
    /// `Corrupt`.
    pub fn from_record(record: &Value) -> Result<Self, PasskeyError> {
        Ok(Self(Stored::deserialize(record)?))
    }

    /// For the record.
    ///
    /// # Errors
    ///
    /// `Corrupt`.
    pub fn to_record(&self) -> Result<Value, PasskeyError> {
        Ok(serde_json::to_value(&self.0)?)
    }

    /// Its id, which the authenticator gave it.
    #[must_use]
    pub fn credential_id(&self) -> &[u8] {
        self.0.cred_id()
    }

    /// Whether the answer is by this one; if so, its counter moves on.
    fn moved_on(&mut self, result: &AuthenticationResult) -> bool {
        self.0.update_credential(result).is_some()
    }
}

/// Passkeys of one site.
#[derive(Clone, Debug)]
pub struct Passkeys(Arc<Webauthn>);

impl Passkeys {
    /// Those of the site at this address; `None` if browsers have none there: at an address of
    /// numbers, or without TLS anywhere but on `localhost`.
    #[must_use]
    pub fn of(site: &Url) -> Option<Self> {
        let host = site.domain()?;
        if site.scheme() != "https" && host != "localhost" {
            return None;
        }
        let webauthn = WebauthnBuilder::new(host, site).ok()?;
        let webauthn = webauthn.rp_name("Portcullis").build().ok()?;
        Some(Self(Arc::new(webauthn)))
    }

    /// Asks for a new one, which is to be found without a name.
    ///
    /// # Errors
    ///
    /// `Refused`.
    pub fn ask_new(
        &self,
        of: PrincipalId,
        email: &str,
        name: &str,
        present: &[Passkey],
    ) -> Result<Asked, PasskeyError> {
        let present = present.iter().map(|it| it.0.cred_id().clone()).collect();
        let (options, state) =
            self.0
                .start_passkey_registration(of.0, email, name, Some(present))?;
        let mut asked = Asked::new(&options.public_key, &state)?;
        let selection = &mut asked.options["authenticatorSelection"];
        selection["residentKey"] = "required".into();
        selection["requireResidentKey"] = true.into();
        Ok(asked)
    }

    /// The new one.
    ///
    /// # Errors
    ///
    /// All of them.
    pub fn take_new(&self, answer: &str, state: Value) -> Result<Passkey, PasskeyError> {
        let answer: RegisterPublicKeyCredential = parsed(answer)?;
        let state: PasskeyRegistration = serde_json::from_value(state)?;
        Ok(Passkey(
            self.0.finish_passkey_registration(&answer, &state)?,
        ))
    }

    /// Asks for one of these.
    ///
    /// # Errors
    ///
    /// `Refused`.
    pub fn ask(&self, present: &[Passkey]) -> Result<Asked, PasskeyError> {
        let present: Vec<_> = present.iter().map(|it| it.0.clone()).collect();
        let (options, state) = self.0.start_passkey_authentication(&present)?;
        Asked::new(&options.public_key, &state)
    }

    /// Which of these answered, its counter moved on.
    ///
    /// # Errors
    ///
    /// All of them.
    pub fn take(
        &self,
        answer: &str,
        state: Value,
        present: Vec<Passkey>,
    ) -> Result<(usize, Passkey), PasskeyError> {
        let answer: PublicKeyCredential = parsed(answer)?;
        let state: PasskeyAuthentication = serde_json::from_value(state)?;
        let result = self.0.finish_passkey_authentication(&answer, &state)?;
        which(present, &result)
    }

    /// Asks for any.
    ///
    /// # Errors
    ///
    /// `Refused`.
    pub fn ask_anybody(&self) -> Result<Asked, PasskeyError> {
        let (options, state) = self.0.start_discoverable_authentication()?;
        Asked::new(&options.public_key, &state)
    }

    /// Who says that they answered.
    ///
    /// # Errors
    ///
    /// `Malformed`, `Refused`.
    pub fn claimed(&self, answer: &str) -> Result<PrincipalId, PasskeyError> {
        let answer: PublicKeyCredential = parsed(answer)?;
        let (person, _) = self.0.identify_discoverable_authentication(&answer)?;
        Ok(PrincipalId(person))
    }

    /// Which of the passkeys of who says that they answered did.
    ///
    /// # Errors
    ///
    /// All of them.
    pub fn take_anybody(
        &self,
        answer: &str,
        state: Value,
        present: Vec<Passkey>,
    ) -> Result<(usize, Passkey), PasskeyError> {
        let answer: PublicKeyCredential = parsed(answer)?;
        let state: DiscoverableAuthentication = serde_json::from_value(state)?;
        let keys: Vec<_> = present
            .iter()
            .map(|it| DiscoverableKey::from(&it.0))
            .collect();
        let result = self
            .0
            .finish_discoverable_authentication(&answer, state, &keys)?;
        which(present, &result)
    }
}

fn parsed<T: DeserializeOwned>(answer: &str) -> Result<T, MalformedAnswer> {
    serde_json::from_str(answer).map_err(|_| MalformedAnswer)
}

fn which(
    present: Vec<Passkey>,
    result: &AuthenticationResult,
) -> Result<(usize, Passkey), PasskeyError> {
    let mut present = present.into_iter().enumerate();
    present
        .find_map(|(at, mut passkey)| passkey.moved_on(result).then_some((at, passkey)))
        .ok_or(PasskeyError::Malformed(MalformedAnswer))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn browsers_have_passkeys_of_names_and_over_tls() {
        let has = |site: &str| Passkeys::of(&site.parse().unwrap()).is_some();
        assert!(has("https://ml.example.com"));
        assert!(has("https://ml.example.com:8443/"));
        assert!(has("http://localhost:8080"));
        for none in [
            "http://ml.example.com",
            "https://192.0.2.1",
            "https://[::1]",
            "http://127.0.0.1:8080",
        ] {
            assert!(!has(none), "{none}");
        }
    }

    #[test]
    fn a_question_demands_a_verified_user_and_no_attestation() {
        let passkeys = Passkeys::of(&"https://ml.example.com".parse().unwrap()).unwrap();
        let id = PrincipalId(uuid::Uuid::from_u128(7));
        let asked = passkeys.ask_new(id, "a@example.com", "A", &[]).unwrap();
        assert_eq!(asked.options["attestation"], "none");
        let selection = &asked.options["authenticatorSelection"];
        assert_eq!(selection["userVerification"], "required");
        assert_eq!(selection["residentKey"], "required");
        assert_eq!(asked.options["rp"]["id"], "ml.example.com");
        let asked = passkeys.ask_anybody().unwrap();
        assert_eq!(asked.options["userVerification"], "required");
        assert!(passkeys.claimed("{}").is_err());
    }
}
