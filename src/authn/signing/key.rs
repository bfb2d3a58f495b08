//! One signing key: ES256 (RFC 7518 §3.4), and nothing else.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
use openssl::bn::{BigNum, BigNumContext};
use openssl::ec::{EcGroup, EcKey};
use openssl::ecdsa::EcdsaSig;
use openssl::error::ErrorStack;
use openssl::nid::Nid;
use openssl::pkey::Private;
use openssl::sha::sha256;
use rand::{CryptoRng, Rng};
use serde_json::{Value, json};

use crate::authn::Seal;
use crate::domain::SigningKeyId;

/// Bytes of a coordinate, and of either half of a signature.
const COORDINATE: usize = 32;

/// A key, both parts of it. Redacted in `Debug`.
pub struct SigningKey {
    id: SigningKeyId,
    pair: EcKey<Private>,
    public: Value,
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SigningKey({})", self.id)
    }
}

impl SigningKey {
    /// A new one, at random.
    ///
    /// # Errors
    ///
    /// If the library cannot.
    pub fn generate() -> Result<Self, ErrorStack> {
        let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1)?;
        Self::of(EcKey::generate(&group)?)
    }

    /// That of a record; `None` if it cannot be opened, or is another one.
    #[must_use]
    pub fn open(id: &SigningKeyId, sealed: &[u8], seal: &Seal) -> Option<Self> {
        let opened = seal.open(&purpose(id), sealed)?;
        let pair = EcKey::private_key_from_der(&opened.secret).ok()?;
        Self::of(pair).ok().filter(|key| key.id == *id)
    }

    /// For the record.
    ///
    /// # Errors
    ///
    /// If the library cannot.
    pub fn seal(
        &self,
        seal: &Seal,
        rng: &mut (impl Rng + CryptoRng),
    ) -> Result<Vec<u8>, ErrorStack> {
        let secret = self.pair.private_key_to_der()?;
        Ok(seal.seal(&purpose(&self.id), &secret, rng))
    }

    /// `kid`.
    #[must_use]
    pub const fn id(&self) -> &SigningKeyId {
        &self.id
    }

    /// Its public part, as a JWK.
    #[must_use]
    pub const fn public(&self) -> &Value {
        &self.public
    }

    /// The only header that a token of this type has: whatever differs is none of ours.
    #[must_use]
    pub fn header(&self, typ: &str) -> String {
        let kid = &self.id;
        BASE64.encode(format!(
            "{{\"alg\":\"ES256\",\"kid\":\"{kid}\",\"typ\":\"{typ}\"}}"
        ))
    }

    /// Signs claims: a JWS in its compact form.
    ///
    /// # Errors
    ///
    /// If the library cannot.
    pub fn sign(&self, typ: &str, claims: &str) -> Result<String, ErrorStack> {
        let mut token = self.header(typ);
        token.push('.');
        BASE64.encode_string(claims, &mut token);
        let signature = EcdsaSig::sign(&sha256(token.as_bytes()), &self.pair)?;
        let mut halves = [0; 2 * COORDINATE];
        let (r, s) = halves.split_at_mut(COORDINATE);
        r.copy_from_slice(&padded(signature.r())?);
        s.copy_from_slice(&padded(signature.s())?);
        token.push('.');
        BASE64.encode_string(halves, &mut token);
        Ok(token)
    }

    /// Whether a signature is this key's, over this.
    #[must_use]
    pub fn verify(&self, signed: &str, signature: &[u8]) -> bool {
        if signature.len() != 2 * COORDINATE {
            return false;
        }
        let (r, s) = signature.split_at(COORDINATE);
        let halves = BigNum::from_slice(r).and_then(|r| Ok((r, BigNum::from_slice(s)?)));
        let signature = halves.and_then(|(r, s)| EcdsaSig::from_private_components(r, s));
        let verified = signature
            .and_then(|signature| signature.verify(&sha256(signed.as_bytes()), &self.pair));
        verified.unwrap_or_default()
    }

    fn of(pair: EcKey<Private>) -> Result<Self, ErrorStack> {
        pair.check_key()?;
        let (mut x, mut y) = (BigNum::new()?, BigNum::new()?);
        let mut context = BigNumContext::new()?;
        pair.public_key()
            .affine_coordinates(pair.group(), &mut x, &mut y, &mut context)?;
        let [x, y] = [padded(&x)?, padded(&y)?].map(|bytes| BASE64.encode(bytes));
        // RFC 7638 §3: these members, in this order, without blanks.
        let members = format!("{{\"crv\":\"P-256\",\"kty\":\"EC\",\"x\":\"{x}\",\"y\":\"{y}\"}}");
        let thumbprint = BASE64.encode(sha256(members.as_bytes()));
        let id: SigningKeyId = thumbprint
            .parse()
            .expect("32 bytes are 43 characters of base64url");
        let public = json!({
            "kty": "EC", "crv": "P-256", "x": x, "y": y,
            "kid": id.as_str(), "use": "sig", "alg": "ES256",
        });
        Ok(Self { id, pair, public })
    }
}

fn purpose(id: &SigningKeyId) -> String {
    format!("signing key {id}")
}

fn padded(number: &openssl::bn::BigNumRef) -> Result<Vec<u8>, ErrorStack> {
    number.to_vec_padded(i32::try_from(COORDINATE).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng as _;
    use rand::rngs::StdRng;

    use super::*;
    use crate::domain::Pepper;

    #[test]
    fn a_key_opens_as_it_was_sealed_and_for_its_own_name_only() {
        let seal = Seal::new(&[], &Pepper::new([7; 32]));
        let [key, other] = [(); 2].map(|()| SigningKey::generate().unwrap());
        let sealed = key.seal(&seal, &mut StdRng::seed_from_u64(7)).unwrap();
        let opened = SigningKey::open(key.id(), &sealed, &seal).unwrap();
        assert_eq!(opened.public(), key.public());
        assert!(SigningKey::open(other.id(), &sealed, &seal).is_none());
        let elsewhere = Seal::new(&[], &Pepper::new([8; 32]));
        assert!(SigningKey::open(key.id(), &sealed, &elsewhere).is_none());
    }

    #[test]
    fn a_signature_has_the_form_of_rfc_7518() {
        let key = SigningKey::generate().unwrap();
        let token = key.sign("JWT", "{}").unwrap();
        let parts: Vec<_> = token.split('.').collect();
        let [header, claims, signature] = parts[..] else {
            panic!("{token}");
        };
        assert_eq!((header, claims), (&*key.header("JWT"), "e30"));
        let signature = BASE64.decode(signature).unwrap();
        assert_eq!(signature.len(), 64);
        let verifies = |text: &str| key.verify(text, &signature);
        assert!(verifies(&format!("{header}.{claims}")));
        assert!(!verifies(&format!("{header}.e31")));
    }
}
