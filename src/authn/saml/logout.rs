//! Single logout (SAML 2.0 profiles §4.4): of ours there, and of theirs here.

use std::io::Read as _;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD as BASE64;
use flate2::read::DeflateDecoder;
use openssl::hash::MessageDigest;
use openssl::sign::Verifier;
use openssl::x509::X509;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use roxmltree::Node;
use url::form_urlencoded;

use super::assertion::{OLDEST, SKEW, is_by, is_current, time};
use super::names::{ASSERTION, PROTOCOL, SIGNED_BY};
use super::{
    Kind, LONGEST, LogoutRequest, LogoutResponse, Onward, Refused, SamlSignIn, decoded, request_id,
    root, signature,
};
use crate::authn::provider::{LogoutAsked, ProviderError, SessionThere};
use crate::config::saml::xml::{self, children, only, text_of};
use crate::config::saml::{Certificate, Description};

impl SamlSignIn {
    /// Where somebody goes to end their session at the provider; `None` if it has no such place.
    ///
    /// # Errors
    ///
    /// `Unavailable`.
    pub async fn log_out(
        &self,
        session: &SessionThere,
        state: &str,
    ) -> Result<Option<Onward>, ProviderError> {
        let description = self.source.description().await?;
        let to = Description::endpoint(&description.slo, self.settings.binding);
        if to.is_none() {
            return Ok(None);
        }
        // Without a signature anybody could end anybody's (SAML 2.0 profiles §4.4.3.1).
        let sender = self.sender(to, true)?;
        let request = LogoutRequest {
            head: sender.head(&request_id(state))?,
            session,
        };
        Ok(Some(sender.send(&request, Kind::Request, "")?))
    }

    /// What the provider is answered.
    ///
    /// # Errors
    ///
    /// `Unavailable`.
    pub async fn logged_out(
        &self,
        asked: &LogoutAsked,
        (id, relay): (&str, &str),
    ) -> Result<Option<Onward>, ProviderError> {
        let description = self.source.description().await?;
        let to = Description::endpoint(&description.slo, self.settings.binding);
        if to.is_none() {
            return Ok(None);
        }
        let sender = self.sender(to, true)?;
        let response = LogoutResponse {
            head: sender.head(&request_id(id))?,
            in_response_to: &asked.id,
        };
        Ok(Some(sender.send(&response, Kind::Response, relay)?))
    }

    /// What a provider asks for by a form.
    ///
    /// # Errors
    ///
    /// [`ProviderError`].
    pub async fn asked_by_form(&self, encoded: &str) -> Result<LogoutAsked, ProviderError> {
        let description = self.source.description().await?;
        let by_form = || self.by_form(encoded, &description.certificates);
        Ok(self.in_turn(by_form).await?)
    }

    /// What a provider asks for by an address.
    ///
    /// # Errors
    ///
    /// [`ProviderError`].
    pub async fn asked_by_query(&self, query: &str) -> Result<LogoutAsked, ProviderError> {
        let description = self.source.description().await?;
        let by_query = || self.by_query(query, &description.certificates);
        Ok(self.in_turn(by_query).await?)
    }

    fn by_form(&self, encoded: &str, trusted: &[Certificate]) -> Result<LogoutAsked, Refused> {
        let text = decoded(encoded)?;
        let document = xml::message(&text)?;
        let request = root(&document, "LogoutRequest")?;
        signature::of(request).ok_or("it is not signed")?;
        let verified = signature::verified(&text, &document, trusted)?;
        let document = xml::message(&verified)?;
        self.asked(root(&document, "LogoutRequest")?)
    }

    fn by_query(&self, query: &str, trusted: &[Certificate]) -> Result<LogoutAsked, Refused> {
        let text = Signed::parse(query)?.verified(trusted)?;
        let document = xml::message(&text)?;
        self.asked(root(&document, "LogoutRequest")?)
    }

    fn asked(&self, request: Node<'_, '_>) -> Result<LogoutAsked, Refused> {
        let expected = self.expected(None);
        is_current(request, expected)?;
        is_by(request, expected.idp)?;
        if request.attribute("Destination") != Some(&*self.site.slo) {
            return Err("it is sent elsewhere".into());
        }
        let until = time(request, "NotOnOrAfter")?;
        if until.is_some_and(|until| until + SKEW <= expected.now) {
            return Err("it has expired".into());
        }
        let name = only(request, ASSERTION, "NameID").and_then(text_of);
        let indexes = children(request, PROTOCOL, "SessionIndex");
        Ok(LogoutAsked {
            id: request.attribute("ID").ok_or("it has no ID")?.to_owned(),
            until: expected.now + OLDEST + SKEW,
            name: name.ok_or("it is about nobody by name")?,
            indexes: indexes.filter_map(text_of).collect(),
        })
    }
}

/// A query whose message is signed beside it (SAML 2.0 bindings §3.4.4.1).
///
/// The signature is over the query as its sender has encoded it, which is not what arrives: the
/// data plane encodes queries afresh. So it is encoded in all ways that senders do; what it says
/// is the same in each.
struct Signed {
    message: String,
    relay: Option<String>,
    algorithm: String,
    signature: String,
}

/// What senders leave as it is: by RFC 3986, and by the rules of forms.
const STYLES: [&AsciiSet; 2] = [
    &NON_ALPHANUMERIC
        .remove(b'-')
        .remove(b'.')
        .remove(b'_')
        .remove(b'~'),
    &NON_ALPHANUMERIC
        .remove(b'-')
        .remove(b'.')
        .remove(b'_')
        .remove(b'*'),
];

impl Signed {
    fn parse(query: &str) -> Result<Self, Refused> {
        let one = |name: &str| {
            let mut all = form_urlencoded::parse(query.as_bytes()).filter(|(key, _)| key == name);
            match (all.next(), all.next()) {
                (found, None) => Ok(found.map(|(_, value)| value.into_owned())),
                _ => Err(Refused(format!("there are two of `{name}`"))),
            }
        };
        Ok(Self {
            message: one("SAMLRequest")?.ok_or("there is no message")?,
            relay: one("RelayState")?,
            algorithm: one("SigAlg")?.ok_or("it is not signed")?,
            signature: one("Signature")?.ok_or("it is not signed")?,
        })
    }

    /// The message, if one of these signed it.
    fn verified(&self, trusted: &[Certificate]) -> Result<String, Refused> {
        let digest = match SIGNED_BY.iter().position(|own| *own == self.algorithm) {
            Some(0 | 3) => MessageDigest::sha256(),
            Some(1 | 4) => MessageDigest::sha384(),
            Some(2 | 5) => MessageDigest::sha512(),
            _ => return Err("`SigAlg` is not one that is taken".into()),
        };
        let signature = BASE64.decode(&self.signature);
        let signature = signature.map_err(|_| "it is not in base64")?;
        let holds = |certificate: &Certificate, over: &str| {
            let key = X509::from_der(certificate.der()).and_then(|it| it.public_key())?;
            let mut verifier = Verifier::new(digest, &key)?;
            verifier.verify_oneshot(&signature, over.as_bytes())
        };
        let by_any = |over: String| trusted.iter().any(|own| holds(own, &over).unwrap_or(false));
        if !self.ways().any(by_any) {
            return Err("a signature does not hold".into());
        }
        inflated(&self.message)
    }

    /// What may have been signed: in each style, with large and small digits.
    fn ways(&self) -> impl Iterator<Item = String> {
        STYLES.into_iter().flat_map(|style| {
            [false, true].map(|small| {
                let encoded = |text: &str| {
                    let pieces = utf8_percent_encode(text, style);
                    let sized = |piece: &str| {
                        if small && piece.starts_with('%') {
                            piece.to_ascii_lowercase()
                        } else {
                            piece.to_owned()
                        }
                    };
                    pieces.map(sized).collect::<String>()
                };
                let relay = self.relay.as_deref();
                let relay = relay.map(|relay| format!("&RelayState={}", encoded(relay)));
                format!(
                    "SAMLRequest={}{}&SigAlg={}",
                    encoded(&self.message),
                    relay.unwrap_or_default(),
                    encoded(&self.algorithm)
                )
            })
        })
    }
}

/// Not a byte more than a message may have.
fn inflated(encoded: &str) -> Result<String, Refused> {
    if encoded.len() > LONGEST {
        return Err(xml::XmlError::TooLong(LONGEST).into());
    }
    let bytes = BASE64.decode(encoded).map_err(|_| "it is not in base64")?;
    let mut text = Vec::new();
    let most = u64::try_from(LONGEST).unwrap_or(u64::MAX) + 1;
    DeflateDecoder::new(&*bytes)
        .take(most)
        .read_to_end(&mut text)
        .map_err(|_| "it is not deflated")?;
    Ok(xml::text(&text, LONGEST)?.to_owned())
}
