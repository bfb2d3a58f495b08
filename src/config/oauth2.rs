//! `oauth2:`.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::catalogue::patterns;
use super::reader::{Fields, Reader};
use super::settings::SignIn;
use crate::domain::{Catalogue, PermissionSet};

/// What access tokens are given for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OAuth2 {
    /// `iss` and `aud` of tokens: where clients find this gateway.
    pub issuer: Arc<str>,
    /// Lines of permissions, by the name of the scope.
    pub scopes: BTreeMap<String, Vec<String>>,
}

impl OAuth2 {
    /// All that these scopes, separated by blanks, let somebody do who may do everything.
    #[must_use]
    pub fn permissions(&self, scopes: &str, catalogue: &Catalogue) -> PermissionSet {
        let lines = scopes.split(' ').filter_map(|name| self.scopes.get(name));
        catalogue.expand(lines.flatten().map(String::as_str)).0
    }
}

pub(super) fn read(
    reader: Reader<'_>,
    parent: &Fields<'_>,
    sign_in: Option<&SignIn>,
    catalogue: &Catalogue,
) -> Option<OAuth2> {
    let node = parent.get("oauth2")?;
    let fields = reader.fields(node, &["issuer", "scopes"])?;
    let mut scopes = BTreeMap::new();
    for (name, key, value) in reader.entries(fields.required("scopes")?) {
        if !name.bytes().all(is_scope) {
            let problem =
                format!("`{name}` is no name of a scope: visible ASCII without \" and \\");
            reader.report(key.place, problem);
        }
        if let Some(lines) = patterns(reader, value, catalogue) {
            scopes.insert(name.to_owned(), lines);
        }
    }
    Some(OAuth2 {
        issuer: issuer(reader, &fields, sign_in)?,
        scopes,
    })
}

fn issuer(reader: Reader<'_>, fields: &Fields<'_>, sign_in: Option<&SignIn>) -> Option<Arc<str>> {
    if let Some(node) = fields.get("issuer") {
        let url = super::sign_in::public_url(reader, node)?;
        return Some(url.origin().ascii_serialization().into());
    }
    let site = sign_in.and_then(|sign_in| sign_in.public_url.as_ref());
    if site.is_none() {
        let problem = "`oauth2` needs `issuer`, or `sign_in: { public_url }`: tokens say whose \
                       they are, and clients look there";
        reader.report(fields.place, problem);
    }
    site.map(|site| site.origin().ascii_serialization().into())
}

/// RFC 6749 §3.3.
const fn is_scope(byte: u8) -> bool {
    byte.is_ascii_graphic() && byte != b'"' && byte != b'\\'
}
