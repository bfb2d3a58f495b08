//! What a provider says of itself (SAML 2.0 metadata).

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD as BASE64;
use chrono::{DateTime, Utc};
use roxmltree::Node;
use url::Url;

use super::Certificate;
use super::xml::{self, XmlError, children, only};
use crate::config::mail::is_here;

const METADATA: &str = "urn:oasis:names:tc:SAML:2.0:metadata";
const SIGNATURES: &str = "http://www.w3.org/2000/09/xmldsig#";
/// Longest metadata, in bytes. A federation's list of all its members is no provider's.
const LONGEST: usize = 1 << 20;

/// How a message is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Binding {
    /// In an address (SAML 2.0 bindings §3.4).
    Redirect,
    /// In a form (§3.5).
    Post,
}

impl Binding {
    /// As they are configured.
    pub(super) const WORDS: [(&'static str, Self); 2] =
        [("redirect", Self::Redirect), ("post", Self::Post)];

    /// As it is configured.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Redirect => "redirect",
            Self::Post => "post",
        }
    }

    /// Its name in metadata.
    #[must_use]
    pub const fn urn(self) -> &'static str {
        match self {
            Self::Redirect => "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect",
            Self::Post => "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST",
        }
    }
}

/// Where a provider takes messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// How; `None`: as one likes.
    pub binding: Option<Binding>,
    /// Where.
    pub url: Url,
}

impl Endpoint {
    /// Where people may be sent: over TLS, or on this very machine.
    ///
    /// # Errors
    ///
    /// What is wrong.
    pub fn address(text: &str) -> Result<Url, String> {
        let url: Url = text
            .parse()
            .map_err(|error| format!("is no URL: {error}"))?;
        let here = url.host_str().is_some_and(is_here);
        let fits = (url.scheme() == "https" || (url.scheme() == "http" && here))
            && url.username().is_empty()
            && url.password().is_none()
            && url.fragment().is_none();
        fits.then_some(url)
            .ok_or_else(|| "must begin with https://".to_owned())
    }
}

/// A provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Description {
    /// Where people are sent to sign in.
    pub sso: Vec<Endpoint>,
    /// Where they are sent to sign out, if anywhere.
    pub slo: Vec<Endpoint>,
    /// What it signs with: at least one.
    pub certificates: Vec<Certificate>,
    /// From when on this is not true any more.
    pub valid_until: Option<DateTime<Utc>>,
}

/// Why metadata is of no use.
#[derive(Debug, thiserror::Error)]
pub enum DescriptionError {
    /// It cannot be read.
    #[error(transparent)]
    Xml(#[from] XmlError),
    /// It is about others.
    #[error("there is no identity provider `{0}` in it")]
    Absent(String),
    /// Without one anybody could sign.
    #[error("it names no certificate that the provider signs with")]
    NoCertificate,
    /// What is wrong with one.
    #[error("{0}")]
    Certificate(String),
    /// Nobody could be sent there.
    #[error("it has no address for signing in by HTTP-Redirect or HTTP-POST")]
    NoAddress,
    /// What is wrong with one.
    #[error("`{0}` in it {1}")]
    Address(String, String),
    /// Time is told otherwise.
    #[error("`validUntil` is no time")]
    Time,
}

impl Description {
    /// Where and how people are sent, best by `binding`.
    #[must_use]
    pub fn endpoint(of: &[Endpoint], binding: Binding) -> Option<(&Url, Binding)> {
        let fits = |end: &&Endpoint| end.binding.is_none_or(|own| own == binding);
        let end = of.iter().find(fits).or_else(|| of.first())?;
        Some((&end.url, end.binding.unwrap_or(binding)))
    }

    /// What metadata says of the provider of this name.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    pub fn read(bytes: &[u8], entity_id: &str) -> Result<Self, DescriptionError> {
        let document = xml::tree(xml::text(bytes, LONGEST)?)?;
        let entity = document
            .descendants()
            .filter(|node| node.has_tag_name((METADATA, "EntityDescriptor")))
            .find(|node| node.attribute("entityID") == Some(entity_id));
        let absent = || DescriptionError::Absent(entity_id.to_owned());
        let entity = entity.ok_or_else(absent)?;
        let role = only(entity, METADATA, "IDPSSODescriptor").ok_or_else(absent)?;
        let sso = endpoints(role, "SingleSignOnService")?;
        if sso.is_empty() {
            return Err(DescriptionError::NoAddress);
        }
        let certificates = certificates(role)?;
        if certificates.is_empty() {
            return Err(DescriptionError::NoCertificate);
        }
        let times: Result<Vec<_>, _> = role.ancestors().filter_map(valid_until).collect();
        Ok(Self {
            sso,
            slo: endpoints(role, "SingleLogoutService")?,
            certificates,
            valid_until: times?.into_iter().min(),
        })
    }
}

fn valid_until(of: Node<'_, '_>) -> Option<Result<DateTime<Utc>, DescriptionError>> {
    let said = of.attribute("validUntil")?;
    Some(said.parse().map_err(|_| DescriptionError::Time))
}

fn endpoints(role: Node<'_, '_>, name: &'static str) -> Result<Vec<Endpoint>, DescriptionError> {
    let mut found = Vec::new();
    for node in children(role, METADATA, name) {
        let said = node.attribute("Binding");
        let known = [Binding::Redirect, Binding::Post];
        let Some(binding) = known.into_iter().find(|it| Some(it.urn()) == said) else {
            continue;
        };
        let at = node.attribute("Location").unwrap_or_default();
        let url = Endpoint::address(at)
            .map_err(|problem| DescriptionError::Address(at.to_owned(), problem))?;
        found.push(Endpoint {
            binding: Some(binding),
            url,
        });
    }
    Ok(found)
}

/// Those for signing, and those that are for anything.
fn certificates(role: Node<'_, '_>) -> Result<Vec<Certificate>, DescriptionError> {
    let keys = children(role, METADATA, "KeyDescriptor")
        .filter(|key| key.attribute("use").is_none_or(|of| of == "signing"));
    let held = keys
        .flat_map(|key| children(key, SIGNATURES, "KeyInfo"))
        .flat_map(|info| children(info, SIGNATURES, "X509Data"))
        .flat_map(|data| children(data, SIGNATURES, "X509Certificate"));
    let mut all = Vec::new();
    for node in held {
        let mut text = xml::text_of(node).unwrap_or_default();
        text.retain(|char| !char.is_ascii_whitespace());
        let der = BASE64.decode(text).unwrap_or_default();
        let certificate = Certificate::from_der(&der).map_err(DescriptionError::Certificate)?;
        if !all.contains(&certificate) {
            all.push(certificate);
        }
    }
    Ok(all)
}
