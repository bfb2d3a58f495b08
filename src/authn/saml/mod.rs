//! SAML 2.0, as a service provider (web browser SSO profile, SAML 2.0 profiles §4.1).
//!
//! An assertion is taken only if it is signed itself, by a key that is trusted for this provider;
//! what it says is read from the octets that the signature is over, never from the message that
//! it came in.

mod assertion;
mod decrypt;
mod examine;
mod idp;
mod logout;
mod names;
mod sent;
mod signature;

use askama::Template;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD as BASE64;
use roxmltree::{Document, Node};
use samael::crypto::CryptoError;
use tokio::sync::Semaphore;
use url::Url;

pub use self::assertion::Told;
use self::assertion::{Expected, is_by, is_current};
pub use self::examine::Expiry;
use self::idp::Source;
use self::names::{ASSERTION, PROTOCOL, SUCCESS};
pub use self::sent::Onward;
use self::sent::{AuthnRequest, Kind, LogoutRequest, LogoutResponse, Sender};
use super::fetch::Fetch;
use super::provider::{Asserted, Errand, ProviderError, SessionThere};
use crate::clock::Clock;
use crate::config::saml::{Binding, Description, Saml, xml};
use crate::domain::Slug;

/// Longest message, in bytes, before and after it is inflated.
pub const LONGEST: usize = 256 * 1024;

/// Why somebody is not taken for who a message says.
#[derive(Debug)]
struct Refused(String);

impl From<&str> for Refused {
    fn from(why: &str) -> Self {
        Self(why.to_owned())
    }
}

impl From<xml::XmlError> for Refused {
    fn from(error: xml::XmlError) -> Self {
        Self(error.to_string())
    }
}

impl From<Refused> for ProviderError {
    fn from(Refused(why): Refused) -> Self {
        Self::Refused(why)
    }
}

/// Why a message of ours cannot be made.
#[derive(Debug, thiserror::Error)]
enum Unsent {
    #[error("it cannot be written: {0}")]
    Template(#[from] askama::Error),
    #[error("it cannot be compressed: {0}")]
    Deflate(#[from] std::io::Error),
    #[error("it cannot be signed: {0}")]
    Key(#[from] openssl::error::ErrorStack),
    #[error("it cannot be signed: {0}")]
    Signature(#[from] CryptoError),
}

impl From<Unsent> for ProviderError {
    fn from(error: Unsent) -> Self {
        Self::Unavailable(error.to_string())
    }
}

/// Our own addresses.
#[derive(Debug)]
struct Site {
    entity_id: String,
    acs: String,
    slo: String,
}

/// A provider that is spoken to by SAML.
#[derive(Debug)]
pub struct SamlSignIn {
    settings: Saml,
    site: Site,
    source: Source,
    clock: Clock,
    /// Messages are taken apart and verified a few at once: whoever sends them need not be known.
    turns: Semaphore,
}

/// How many messages of one provider are looked at at once.
const TURNS: usize = 2;

/// A response as it came: nothing in it is believed.
#[derive(Debug)]
pub struct Response {
    text: String,
    /// What it says to answer.
    pub answers: Option<String>,
}

#[derive(Template)]
#[template(path = "saml/metadata.xml")]
struct Metadata<'a> {
    entity_id: &'a str,
    acs: &'a str,
    slo: &'a str,
    signs: bool,
    certificate: Option<String>,
    can_decrypt: bool,
    name_id_format: Option<&'static str>,
}

impl SamlSignIn {
    /// The one of this name, for the gateway at `site`.
    pub(super) fn new(
        settings: Saml,
        (site, name): (&Url, &Slug),
        fetch: Fetch,
        clock: Clock,
    ) -> Self {
        let site = |page: &str| {
            let mut url = site.clone();
            url.set_path(&format!("/.portcullis/saml/{name}/{page}"));
            url.to_string()
        };
        let site = Site {
            entity_id: settings
                .sp_entity_id
                .clone()
                .unwrap_or_else(|| site("metadata")),
            acs: site("acs"),
            slo: site("slo"),
        };
        let idp = settings.idp.clone();
        let source = Source::new(settings.idp_entity_id.clone(), idp, fetch, clock.clone());
        Self {
            settings,
            site,
            source,
            clock,
            turns: Semaphore::new(TURNS),
        }
    }

    /// What the provider is told of us (SAML 2.0 metadata).
    ///
    /// # Errors
    ///
    /// If it cannot be written.
    pub fn metadata(&self) -> Result<String, askama::Error> {
        let key = self.settings.sp_key.as_ref();
        Metadata {
            entity_id: &self.site.entity_id,
            acs: &self.site.acs,
            slo: &self.site.slo,
            signs: self.settings.sign_requests,
            certificate: key.map(|key| BASE64.encode(key.certificate.der())),
            can_decrypt: key.is_some_and(|key| key.can_decrypt),
            name_id_format: self.settings.name_id_format,
        }
        .render()
    }

    pub(super) async fn send(
        &self,
        state: &str,
        anew: bool,
    ) -> Result<(Onward, Errand), ProviderError> {
        let description = self.source.description().await?;
        let to = Description::endpoint(&description.sso, self.settings.binding);
        let sender = self.sender(to, self.settings.sign_requests)?;
        let request = AuthnRequest {
            head: sender.head(&request_id(state))?,
            acs: &self.site.acs,
            anew,
            name_id_format: self.settings.name_id_format,
        };
        let onward = sender.send(&request, Kind::Request, state)?;
        let since = anew.then(|| self.clock.now().timestamp());
        Ok((onward, Errand::of_saml(since)))
    }

    /// Reads a response, and believes nothing.
    ///
    /// # Errors
    ///
    /// `Refused`.
    pub async fn read(&self, encoded: &str) -> Result<Response, ProviderError> {
        Ok(self.in_turn(|| Self::parsed(encoded)).await?)
    }

    fn parsed(encoded: &str) -> Result<Response, Refused> {
        let text = decoded(encoded)?;
        let document = xml::message(&text)?;
        let root = root(&document, "Response")?;
        let answers = root.attribute("InResponseTo").map(str::to_owned);
        Ok(Response { text, answers })
    }

    /// The state of the errand that a response says to answer.
    #[must_use]
    pub fn state_of(answers: &str) -> Option<&str> {
        answers.strip_prefix('_')
    }

    /// Whether somebody may come without having been sent.
    #[must_use]
    pub const fn takes_unsolicited(&self) -> bool {
        self.settings.allow_idp_initiated
    }

    /// What a response proves.
    ///
    /// # Errors
    ///
    /// [`ProviderError`].
    pub async fn verify(&self, response: &Response) -> Result<Told, ProviderError> {
        let description = self.source.description().await?;
        let expected = self.expected(response.answers.as_deref());
        let told = || self.told(&response.text, expected, &description);
        Ok(self.in_turn(told).await?)
    }

    /// Does what takes a while where nobody else waits for it.
    async fn in_turn<T>(&self, work: impl FnOnce() -> T) -> T {
        let _turn = self.turns.acquire().await;
        tokio::task::block_in_place(work)
    }

    /// Whether they have proved anew who they are, if they were sent for that.
    ///
    /// # Errors
    ///
    /// `Refused`.
    pub fn recall(errand: &Errand, asserted: &Asserted) -> Result<(), ProviderError> {
        let proved = asserted.authenticated_at.map(|at| at + assertion::SKEW);
        if errand
            .anew_since()
            .is_none_or(|since| proved.is_some_and(|proved| proved >= since))
        {
            return Ok(());
        }
        let why = "they were to prove anew who they are, and have not (`AuthnInstant`)";
        Err(ProviderError::Refused(why.to_owned()))
    }

    fn expected<'a>(&'a self, in_response_to: Option<&'a str>) -> Expected<'a> {
        Expected {
            idp: &self.settings.idp_entity_id,
            sp: &self.site.entity_id,
            acs: &self.site.acs,
            in_response_to,
            now: self.clock.now(),
        }
    }

    fn sender<'a>(
        &'a self,
        to: Option<(&'a Url, Binding)>,
        signed: bool,
    ) -> Result<Sender<'a>, ProviderError> {
        let none = || ProviderError::Unavailable("it has no address for that".to_owned());
        let (to, binding) = to.ok_or_else(none)?;
        let key = self.settings.sp_key.as_ref().filter(|_| signed);
        Ok(Sender {
            from: &self.site.entity_id,
            key: key.map(crate::config::saml::SpKey::private),
            to,
            binding,
            now: self.clock.now(),
        })
    }

    fn told(&self, text: &str, expected: Expected<'_>, by: &Description) -> Result<Told, Refused> {
        let document = xml::message(text)?;
        let response = root(&document, "Response")?;
        envelope(response, expected)?;
        let (held, is_encrypted) = the_assertion(response)?;
        if is_encrypted {
            return self.decrypted(text, &document, held, expected, by);
        }
        if self.settings.wants_encrypted {
            return Err("the assertion is not encrypted".into());
        }
        if signature::of(held).is_none() {
            return Err("the assertion is not signed".into());
        }
        let verified = signature::verified(text, &document, &by.certificates)?;
        self.read_verified(&verified, expected)
    }

    fn decrypted(
        &self,
        text: &str,
        document: &Document<'_>,
        held: Node<'_, '_>,
        expected: Expected<'_>,
        by: &Description,
    ) -> Result<Told, Refused> {
        let key = self.settings.sp_key.as_ref().filter(|key| key.can_decrypt);
        let key = key
            .ok_or("it is encrypted, and there is no `sp_key`")?
            .private();
        let is_signed = signature::of(document.root_element()).is_some();
        let plain = if is_signed {
            // What is decrypted is what was signed.
            let verified = signature::verified(text, document, &by.certificates)?;
            let document = xml::message(&verified)?;
            let response = root(&document, "Response")?;
            envelope(response, expected)?;
            decrypt::decrypted(the_assertion(response)?.0, &key, true)?
        } else {
            decrypt::decrypted(held, &key, false)?
        };
        let plain = xml::text(&plain, LONGEST)?;
        let document = xml::message(plain)?;
        if !document
            .root_element()
            .has_tag_name((ASSERTION, "Assertion"))
        {
            return Err("something else is encrypted than an assertion".into());
        }
        let verified = signature::verified(plain, &document, &by.certificates)?;
        self.read_verified(&verified, expected)
    }

    /// Reads what a signature is over: an assertion, or a response with one that is signed too.
    fn read_verified(&self, verified: &str, expected: Expected<'_>) -> Result<Told, Refused> {
        let document = xml::message(verified)?;
        let outer = document.root_element();
        let held = if outer.has_tag_name((ASSERTION, "Assertion")) {
            outer
        } else {
            let response = root(&document, "Response")?;
            envelope(response, expected)?;
            let (held, _) = the_assertion(response)?;
            signature::of(held).ok_or("the assertion is not signed")?;
            held
        };
        let nested = held.descendants().skip(1);
        if nested.filter(Node::is_element).any(is_assertion) {
            return Err("there is an assertion in the assertion".into());
        }
        assertion::read(held, expected, &self.settings.attributes)
    }
}

/// The ID of the request that somebody is sent with.
fn request_id(state: &str) -> String {
    // An ID begins with no digit (XML Schema, NCName).
    format!("_{state}")
}

fn decoded(encoded: &str) -> Result<String, Refused> {
    if encoded.len() > LONGEST {
        return Err(xml::XmlError::TooLong(LONGEST).into());
    }
    let bare: String = encoded
        .chars()
        .filter(|char| !char.is_ascii_whitespace())
        .collect();
    let bytes = BASE64.decode(bare).map_err(|_| "it is not in base64")?;
    Ok(xml::text(&bytes, LONGEST)?.to_owned())
}

fn root<'a, 'i>(document: &'a Document<'i>, name: &'static str) -> Result<Node<'a, 'i>, Refused> {
    let root = document.root_element();
    if root.has_tag_name((PROTOCOL, name)) {
        return Ok(root);
    }
    Err(Refused(format!("it is no SAML {name}")))
}

/// What holds for the response around an assertion, signed or not.
fn envelope(response: Node<'_, '_>, expected: Expected<'_>) -> Result<(), Refused> {
    is_current(response, expected)?;
    if response.attribute("InResponseTo") != expected.in_response_to {
        return Err("it answers something else".into());
    }
    let is_signed = signature::of(response).is_some();
    match response.attribute("Destination") {
        Some(to) if to == expected.acs => {}
        None if !is_signed => {}
        _ => return Err("it is sent elsewhere".into()),
    }
    if xml::children(response, ASSERTION, "Issuer")
        .next()
        .is_some()
    {
        is_by(response, expected.idp)?;
    }
    let status = xml::only(response, PROTOCOL, "Status").ok_or("it has no status")?;
    let code = xml::only(status, PROTOCOL, "StatusCode").ok_or("it has no status")?;
    if code.attribute("Value") == Some(SUCCESS) {
        return Ok(());
    }
    let codes = status
        .descendants()
        .filter_map(|node| node.attribute("Value"));
    let codes: Vec<_> = codes.collect();
    Err(Refused(format!(
        "the provider has said no: {}",
        codes.join(" ")
    )))
}

/// The one assertion in a response, and whether it is encrypted.
fn the_assertion<'a, 'i>(response: Node<'a, 'i>) -> Result<(Node<'a, 'i>, bool), Refused> {
    let all = response.descendants().filter(|node| is_assertion(*node));
    let all: Vec<_> = all.collect();
    match *all {
        [one] if one.parent_element() == Some(response) => {
            Ok((one, one.tag_name().name() == "EncryptedAssertion"))
        }
        [] => Err("there is no assertion".into()),
        _ => Err("there are several assertions, or one out of place".into()),
    }
}

/// By its name alone: none may look like one.
fn is_assertion(node: Node<'_, '_>) -> bool {
    node.is_element() && matches!(node.tag_name().name(), "Assertion" | "EncryptedAssertion")
}
