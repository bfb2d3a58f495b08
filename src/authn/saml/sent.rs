//! Messages of ours, and how they are sent (SAML 2.0 bindings §3.4, §3.5).

use std::io::Write as _;

use askama::Template;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD as BASE64;
use chrono::{DateTime, SecondsFormat, Utc};
use flate2::Compression;
use flate2::write::DeflateEncoder;
use openssl::hash::MessageDigest;
use openssl::pkey::{Id, PKey, Private};
use openssl::sign::Signer;
use samael::crypto::{Crypto, CryptoProvider as _};
use url::{Url, form_urlencoded};

use super::{SessionThere, Unsent};
use crate::config::saml::Binding;

/// Where somebody's browser goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Onward {
    /// To an address.
    To(Url),
    /// To an address, with a form.
    Form {
        /// Where.
        to: Url,
        /// With what.
        fields: Vec<(&'static str, String)>,
    },
}

/// Which message it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Request,
    Response,
}

impl Kind {
    pub(super) const fn parameter(self) -> &'static str {
        match self {
            Self::Request => "SAMLRequest",
            Self::Response => "SAMLResponse",
        }
    }
}

/// What all messages have.
#[derive(Debug)]
pub(super) struct Head {
    id: String,
    at: String,
    to: String,
    from: String,
    signature: String,
}

#[derive(Template)]
#[template(path = "saml/signature.xml")]
struct SignatureHere<'a> {
    signed: Option<&'a str>,
    algorithm: &'static str,
}

#[derive(Template)]
#[template(path = "saml/authn_request.xml")]
pub(super) struct AuthnRequest<'a> {
    pub(super) head: Head,
    pub(super) acs: &'a str,
    pub(super) anew: bool,
    pub(super) name_id_format: Option<&'static str>,
}

#[derive(Template)]
#[template(path = "saml/logout_request.xml")]
pub(super) struct LogoutRequest<'a> {
    pub(super) head: Head,
    pub(super) session: &'a SessionThere,
}

#[derive(Template)]
#[template(path = "saml/logout_response.xml")]
pub(super) struct LogoutResponse<'a> {
    pub(super) head: Head,
    pub(super) in_response_to: &'a str,
}

/// How a message goes.
pub(super) struct Sender<'a> {
    /// Who sends it.
    pub(super) from: &'a str,
    /// What signs it, if anything.
    pub(super) key: Option<PKey<Private>>,
    pub(super) to: &'a Url,
    pub(super) binding: Binding,
    pub(super) now: DateTime<Utc>,
}

impl Sender<'_> {
    /// The head of a message of this ID. A form's message has its signature in it.
    pub(super) fn head(&self, id: &str) -> Result<Head, Unsent> {
        let key = self.key.as_ref().filter(|_| self.binding == Binding::Post);
        let here = SignatureHere {
            signed: key.is_some().then_some(id),
            algorithm: key.map_or("", algorithm),
        };
        Ok(Head {
            id: id.to_owned(),
            at: self.now.to_rfc3339_opts(SecondsFormat::Secs, true),
            to: self.to.to_string(),
            from: self.from.to_owned(),
            signature: here.render()?,
        })
    }

    /// On the way.
    pub(super) fn send(
        &self,
        message: &impl Template,
        kind: Kind,
        relay: &str,
    ) -> Result<Onward, Unsent> {
        let xml = message.render()?;
        match self.binding {
            Binding::Redirect => self.redirect(&xml, kind, relay),
            Binding::Post => self.form(xml, kind, relay),
        }
    }

    fn form(&self, xml: String, kind: Kind, relay: &str) -> Result<Onward, Unsent> {
        let xml = match &self.key {
            None => xml,
            Some(key) => Crypto::sign_xml(xml, &key.private_key_to_der()?)?,
        };
        let mut fields = vec![(kind.parameter(), BASE64.encode(xml))];
        if !relay.is_empty() {
            fields.push(("RelayState", relay.to_owned()));
        }
        Ok(Onward::Form {
            to: self.to.clone(),
            fields,
        })
    }

    fn redirect(&self, xml: &str, kind: Kind, relay: &str) -> Result<Onward, Unsent> {
        let mut deflated = DeflateEncoder::new(Vec::new(), Compression::default());
        deflated.write_all(xml.as_bytes())?;
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.append_pair(kind.parameter(), &BASE64.encode(deflated.finish()?));
        if !relay.is_empty() {
            query.append_pair("RelayState", relay);
        }
        if let Some(key) = &self.key {
            query.append_pair("SigAlg", algorithm(key));
        }
        let mut query = query.finish();
        if let Some(key) = &self.key {
            let mut signer = Signer::new(MessageDigest::sha256(), key)?;
            let signature = BASE64.encode(signer.sign_oneshot_to_vec(query.as_bytes())?);
            let mut whole = form_urlencoded::Serializer::new(query);
            query = whole.append_pair("Signature", &signature).finish();
        }
        let mut url = self.to.clone();
        let whole = match url.query() {
            Some(own) if !own.is_empty() => format!("{own}&{query}"),
            _ => query,
        };
        url.set_query(Some(&whole));
        Ok(Onward::To(url))
    }
}

fn algorithm(key: &PKey<Private>) -> &'static str {
    if key.id() == Id::EC {
        "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256"
    } else {
        "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"
    }
}
