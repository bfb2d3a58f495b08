//! `Idempotency-Key`: a request that is sent again is not carried out again, and gets the answer
//! that it got.
//!
//! The answer is kept with the change, in one transaction, and sealed under the key, of which
//! only a hash is kept: it may hold a secret that is shown once.

use axum::extract::FromRequestParts;
use axum::http::HeaderName;
use axum::http::request::Parts;
use axum::response::{IntoResponse as _, Response};
use hmac::{Hmac, KeyInit as _, Mac as _};
use openssl::symm::{Cipher, decrypt_aead, encrypt_aead};
use rand::RngCore as _;
use sha2::{Digest as _, Sha256};

use super::Api;
use super::problem::Problem;
use super::work::Answer;
use crate::domain::PrincipalId;
use crate::store::api::{KeptAnswer, KeptFor};

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
const NONCE: usize = 12;
const TAG: usize = 16;

/// The key, if there is one.
#[derive(Debug)]
pub(super) struct Once(Option<String>);

impl FromRequestParts<Api> for Once {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &Api) -> Result<Self, Problem> {
        let values: Vec<_> = parts.headers.get_all(IDEMPOTENCY_KEY).iter().collect();
        let key = match values[..] {
            [] => return Ok(Self(None)),
            [value] => value.to_str().ok(),
            _ => None,
        };
        let key = key.filter(|key| (16..=255).contains(&key.len()));
        let detail = "An Idempotency-Key has 16 to 255 visible characters.";
        let key = key.ok_or_else(|| Problem::malformed(detail))?;
        Ok(Self(Some(key.to_owned())))
    }
}

impl Once {
    /// For which request an answer would be kept.
    pub(super) fn kept_for(
        &self,
        principal: PrincipalId,
        method: &str,
        path: &str,
        body: &[u8],
    ) -> Option<(KeptFor, Seal)> {
        let key = self.0.as_ref()?;
        let mut request = Sha256::new();
        request.update(format!("{method} {path}\n"));
        request.update(body);
        let kept = KeptFor {
            principal,
            key_hash: derived(key, "name"),
            request_hash: request.finalize().into(),
        };
        Some((kept, Seal(derived(key, "seal"))))
    }
}

fn derived(key: &str, purpose: &str) -> [u8; 32] {
    // HMAC takes keys of any length.
    match Hmac::<Sha256>::new_from_slice(key.as_bytes()) {
        Ok(mut mac) => {
            mac.update(purpose.as_bytes());
            mac.finalize().into_bytes().into()
        }
        Err(_) => [0; 32],
    }
}

/// Seals answers under one key.
#[derive(Debug)]
pub(super) struct Seal([u8; 32]);

impl Seal {
    pub(super) fn close(&self, answer: &Answer) -> Result<Vec<u8>, Problem> {
        let text = serde_json::to_vec(answer).map_err(|_| Problem::internal("no answer"))?;
        let (mut nonce, mut tag) = ([0; NONCE], [0; TAG]);
        rand::rng().fill_bytes(&mut nonce);
        let cipher = Cipher::aes_256_gcm();
        let sealed = encrypt_aead(cipher, &self.0, Some(&nonce), &[], &text, &mut tag);
        let sealed = sealed.map_err(|_| Problem::internal("not sealed"))?;
        Ok([&nonce[..], &tag, &sealed].concat())
    }

    fn open(&self, sealed: &[u8]) -> Option<Answer> {
        let (nonce, rest) = sealed.split_at_checked(NONCE)?;
        let (tag, rest) = rest.split_at_checked(TAG)?;
        let cipher = Cipher::aes_256_gcm();
        let text = decrypt_aead(cipher, &self.0, Some(nonce), &[], rest, tag).ok()?;
        serde_json::from_slice(&text).ok()
    }

    /// The answer that was kept, for the same request.
    pub(super) fn replay(&self, kept: &KeptAnswer, of: &KeptFor) -> Result<Response, Problem> {
        if kept.request_hash != of.request_hash {
            let detail = "This Idempotency-Key was used for another request.";
            return Err(Problem::refused("idempotency_key_reused", detail));
        }
        let answer = self.open(&kept.sealed);
        let answer = answer.ok_or_else(|| Problem::internal("a kept answer cannot be read"))?;
        let mut response = answer.into_response();
        response.headers_mut().insert(
            HeaderName::from_static("idempotent-replayed"),
            axum::http::HeaderValue::from_static("true"),
        );
        Ok(response)
    }
}
