//! `saml:` of a provider.

mod certificate;
mod description;
pub mod xml;

use std::path::PathBuf;
use std::time::Duration;

use openssl::pkey::{Id, PKey, Private};
use url::Url;

pub use self::certificate::Certificate;
pub use self::description::{Binding, Description, DescriptionError, Endpoint};
use super::Hidden;
use super::node::Node;
use super::providers::url;
use super::reader::{Fields, Reader};

const KEYS: [&str; 19] = [
    "idp_entity_id",
    "idp_sso_url",
    "idp_slo_url",
    "idp_certificate",
    "idp_certificate_file",
    "idp_metadata_file",
    "idp_metadata_url",
    "metadata_refresh",
    "sp_entity_id",
    "sp_certificate",
    "sp_certificate_file",
    "sp_key",
    "sp_key_file",
    "sign_requests",
    "binding",
    "name_id_format",
    "allow_idp_initiated",
    "attribute_mapping",
    "assertions",
];
/// How often metadata is read anew.
const REFRESH: std::ops::RangeInclusive<Duration> =
    Duration::from_mins(1)..=Duration::from_hours(24);
const USUAL_REFRESH: Duration = Duration::from_hours(1);
/// Longest entity ID, in characters (SAML 2.0 core §8.3.6).
const LONGEST_ENTITY_ID: usize = 1024;

/// A SAML 2.0 identity provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Saml {
    /// As it names itself.
    pub idp_entity_id: String,
    /// Where it is, and what it signs with.
    pub idp: Idp,
    /// As we name ourselves; `None`: the address of our metadata.
    pub sp_entity_id: Option<String>,
    /// What we sign with, and are written to.
    pub sp_key: Option<SpKey>,
    /// Whether our requests are signed.
    pub sign_requests: bool,
    /// How our requests are sent.
    pub binding: Binding,
    /// What people are to be called by; `None`: as the provider likes.
    pub name_id_format: Option<&'static str>,
    /// Whether somebody may come without having been sent.
    pub allow_idp_initiated: bool,
    /// Whether only encrypted assertions are taken.
    pub wants_encrypted: bool,
    /// Which attributes say what.
    pub attributes: AttributeMapping,
}

/// How a provider is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Idp {
    /// All is in the configuration.
    Stated(Description),
    /// It describes itself.
    Metadata {
        /// Where.
        from: MetadataSource,
        /// How often that is read anew.
        refresh: Duration,
        /// The certificates that it may name; none: any.
        pinned: Vec<Certificate>,
    },
}

/// Where a provider's metadata is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MetadataSource {
    /// In a file.
    File(PathBuf),
    /// At an address.
    Url(Url),
}

/// A key of ours and its certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpKey {
    /// PEM.
    key: Hidden,
    /// Its certificate.
    pub certificate: Certificate,
    /// Whether others can encrypt for it: by RSA only.
    pub can_decrypt: bool,
}

impl SpKey {
    /// The private key.
    ///
    /// # Panics
    ///
    /// Never: it was read before.
    #[must_use]
    pub fn private(&self) -> PKey<Private> {
        PKey::private_key_from_pem(self.key.0.as_bytes()).expect("it was read before")
    }
}

/// The names of attributes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttributeMapping {
    /// Who it is, for ever; `None`: the `NameID` says so.
    pub subject: Option<String>,
    /// Their address.
    pub email: String,
    /// Their first name.
    pub first_name: Option<String>,
    /// Their last name.
    pub last_name: Option<String>,
    /// What they belong to.
    pub groups: String,
}

impl Default for AttributeMapping {
    fn default() -> Self {
        Self {
            subject: None,
            email: "email".to_owned(),
            first_name: None,
            last_name: None,
            groups: "groups".to_owned(),
        }
    }
}

pub(super) fn read(reader: Reader<'_>, node: &Node) -> Option<Saml> {
    let fields = reader.fields(node, &KEYS)?;
    let entity_id = |key| {
        reader.parsed(fields.get(key)?, "an entity ID", |text| {
            let fits = text.len() <= LONGEST_ENTITY_ID && !text.contains(char::is_whitespace);
            fits.then(|| text.to_owned())
                .ok_or("an entity ID has no blanks, and 1024 characters at most")
        })
    };
    fields.required("idp_entity_id");
    let idp_entity_id = entity_id("idp_entity_id");
    let idp = idp(reader, node, &fields, idp_entity_id.as_deref());
    let sp_key = sp_key(reader, &fields);
    let flag = |key| fields.get(key).and_then(|node| reader.boolean(node));
    let sign_requests = flag("sign_requests");
    if sign_requests == Some(true) && sp_key.is_none() {
        let problem = "`sign_requests` needs `sp_key` and `sp_certificate`";
        reader.report(fields.key_place("sign_requests"), problem);
    }
    let encrypted = fields
        .get("assertions")
        .and_then(|node| reader.choice(node, &[("signed", false), ("encrypted", true)]));
    let wants_encrypted = encrypted.unwrap_or_default();
    if wants_encrypted && !sp_key.as_ref().is_some_and(|key| key.can_decrypt) {
        let problem = "`assertions: encrypted` needs `sp_key` and `sp_certificate`, of RSA";
        reader.report(fields.key_place("assertions"), problem);
    }
    let binding = fields
        .get("binding")
        .and_then(|node| reader.choice(node, &Binding::WORDS));
    let name_id_format = fields
        .get("name_id_format")
        .and_then(|node| reader.choice(node, &NAME_ID_FORMATS));
    let sp_entity_id = entity_id("sp_entity_id");
    let allow_idp_initiated = flag("allow_idp_initiated").unwrap_or_default();
    let attributes = fields
        .get("attribute_mapping")
        .map_or_else(Default::default, |node| attributes(reader, node));
    Some(Saml {
        idp_entity_id: idp_entity_id?,
        idp: idp?,
        sp_entity_id,
        sign_requests: sign_requests.unwrap_or(sp_key.is_some()),
        sp_key,
        binding: binding.unwrap_or(Binding::Redirect),
        name_id_format,
        allow_idp_initiated,
        wants_encrypted,
        attributes,
    })
}

/// SAML 2.0 core §8.3. A transient name is nobody's for long, so nobody is asked for one.
const NAME_ID_FORMATS: [(&str, &str); 3] = [
    (
        "persistent",
        "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent",
    ),
    (
        "email",
        "urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress",
    ),
    (
        "unspecified",
        "urn:oasis:names:tc:SAML:1.1:nameid-format:unspecified",
    ),
];

fn idp(
    reader: Reader<'_>,
    node: &Node,
    fields: &Fields<'_>,
    entity_id: Option<&str>,
) -> Option<Idp> {
    let pinned = certificates(reader, fields);
    let file = fields
        .get("idp_metadata_file")
        .map(|node| metadata_file(reader, node, entity_id));
    let address = fields
        .get("idp_metadata_url")
        .map(|node| url(reader, node).map(MetadataSource::Url));
    let refresh = fields
        .get("metadata_refresh")
        .map_or(Some(USUAL_REFRESH), |node| reader.duration(node, &REFRESH));
    let from = match (file, address) {
        (None, None) => return stated(reader, fields, pinned),
        (Some(from), None) | (None, Some(from)) => from,
        (Some(_), Some(_)) => {
            let problem = "the provider is described by `idp_metadata_file` or by \
                           `idp_metadata_url`, not by both";
            reader.report(node.place, problem);
            return None;
        }
    };
    for key in ["idp_sso_url", "idp_slo_url"] {
        if fields.get(key).is_some() {
            let problem = format!("`{key}` is in the provider's metadata");
            reader.report(fields.key_place(key), problem);
        }
    }
    Some(Idp::Metadata {
        from: from?,
        refresh: refresh?,
        pinned: pinned?,
    })
}

fn stated(
    reader: Reader<'_>,
    fields: &Fields<'_>,
    certificates: Option<Vec<Certificate>>,
) -> Option<Idp> {
    if let Some(node) = fields.get("metadata_refresh") {
        let problem = "there is no metadata to be read anew";
        reader.report(node.place, problem);
    }
    let endpoint = |node| {
        let url = url_with_query(reader, node)?;
        // Which binding it is spoken to by, `binding` says.
        Some(Endpoint { binding: None, url })
    };
    let sso = fields.required("idp_sso_url").and_then(endpoint);
    let slo = fields.get("idp_slo_url").map(endpoint);
    if certificates.as_ref().is_some_and(Vec::is_empty) {
        let problem = "`idp_certificate` or `idp_certificate_file` is missing: without one \
                       anybody could sign";
        reader.report(fields.place, problem);
        return None;
    }
    Some(Idp::Stated(Description {
        sso: vec![sso?],
        slo: slo.into_iter().collect::<Option<_>>()?,
        certificates: certificates?,
        valid_until: None,
    }))
}

/// Addresses of sign-on services may have a query (SAML 2.0 bindings §3.4.4.1).
fn url_with_query(reader: Reader<'_>, node: &Node) -> Option<Url> {
    reader.parsed(node, "a URL", |text| {
        Endpoint::address(text).map_err(|problem| format!("`{text}` {problem}"))
    })
}

fn metadata_file(
    reader: Reader<'_>,
    node: &Node,
    entity_id: Option<&str>,
) -> Option<MetadataSource> {
    let path = reader.path(node)?;
    let problem = match reader.reads.read(&path) {
        Err(error) => error.to_string(),
        Ok(bytes) => match entity_id.map(|id| Description::read(&bytes, id)) {
            Some(Err(error)) => error.to_string(),
            Some(Ok(_)) | None => return Some(MetadataSource::File(path)),
        },
    };
    reader.report(node.place, format!("{}: {problem}", path.display()));
    None
}

/// What `key` says, or the file that `key_file` names; `None` if there is neither, or both.
fn pem(reader: Reader<'_>, fields: &Fields<'_>, key: &str) -> Option<(Vec<u8>, String, Node)> {
    let in_file = format!("{key}_file");
    match (fields.get(key), fields.get(&in_file)) {
        (None, None) => None,
        (Some(node), None) => {
            let text = reader.text(node)?;
            Some((text.into(), String::new(), node.clone()))
        }
        (None, Some(node)) => {
            let path = reader.path(node)?;
            let read = reader.reads.read(&path);
            let told = path.display();
            let bytes = read
                .map_err(|error| reader.report(node.place, format!("{told}: {error}")))
                .ok()?;
            Some((bytes, format!("{told}: "), node.clone()))
        }
        (Some(_), Some(node)) => {
            let problem = format!("one of `{key}` and `{in_file}` is enough");
            reader.report(node.place, problem);
            None
        }
    }
}

fn certificates(reader: Reader<'_>, fields: &Fields<'_>) -> Option<Vec<Certificate>> {
    let keys = ["idp_certificate", "idp_certificate_file"];
    if keys.iter().all(|key| fields.get(key).is_none()) {
        return Some(Vec::new());
    }
    let (bytes, told, node) = pem(reader, fields, keys[0])?;
    Certificate::all(&bytes)
        .map_err(|problem| reader.report(node.place, format!("{told}{problem}")))
        .ok()
}

fn sp_key(reader: Reader<'_>, fields: &Fields<'_>) -> Option<SpKey> {
    let certificate = pem(reader, fields, "sp_certificate");
    let key = pem(reader, fields, "sp_key");
    let ((certificate, told, node), (key, told_key, key_node)) = match (certificate, key) {
        (Some(certificate), Some(key)) => (certificate, key),
        (None, None) => return None,
        (Some((.., node)), None) | (None, Some((.., node))) => {
            let problem = "`sp_key` and `sp_certificate` go together";
            reader.report(node.place, problem);
            return None;
        }
    };
    let certificate = Certificate::all(&certificate)
        .map_err(|problem| reader.report(node.place, format!("{told}{problem}")))
        .ok()?
        .remove(0);
    // With a passphrase at hand, an encrypted key fails; without, OpenSSL asks the terminal.
    let read = PKey::private_key_from_pem_passphrase(&key, b"");
    let problem = match read {
        Err(_) => "no PEM private key, or an encrypted one",
        Ok(private) if !certificate.is_of(&private) => "the key does not fit the certificate",
        Ok(private) => {
            return Some(SpKey {
                key: Hidden(String::from_utf8(key).ok()?),
                certificate,
                can_decrypt: private.id() == Id::RSA,
            });
        }
    };
    reader.report(key_node.place, format!("{told_key}{problem}"));
    None
}

fn attributes(reader: Reader<'_>, node: &Node) -> AttributeMapping {
    let usual = AttributeMapping::default();
    let keys = ["subject", "email", "first_name", "last_name", "groups"];
    let Some(fields) = reader.fields(node, &keys) else {
        return usual;
    };
    let text = |key| {
        let node = fields.get(key)?;
        reader.text(node).map(str::to_owned)
    };
    AttributeMapping {
        subject: text("subject"),
        email: text("email").unwrap_or(usual.email),
        first_name: text("first_name"),
        last_name: text("last_name"),
        groups: text("groups").unwrap_or(usual.groups),
    }
}
