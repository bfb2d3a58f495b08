//! A form that was sent when a recent sign-in was needed first: it goes with its sender through
//! the pages that ask, sealed, and is offered to them again.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
use percent_encoding::percent_decode;
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use serde::{Deserialize, Serialize};
use url::form_urlencoded;

use super::{PENDING, SignIns};
use crate::domain::{PrincipalId, ReturnPath};

/// What is sealed.
#[derive(Debug, Deserialize, Serialize)]
struct Content {
    to: String,
    fields: Vec<(String, String)>,
    /// Unix second.
    until: i64,
}

/// A form, to be sent again.
#[derive(Debug)]
pub(in crate::control) struct KeptForm {
    /// Where it goes.
    pub(in crate::control) to: ReturnPath,
    /// What it holds, in its order.
    pub(in crate::control) fields: Vec<(String, String)>,
}

impl SignIns {
    /// Seals a form of this person; `None`: it is not UTF-8, and could not be shown as it is.
    pub(in crate::control) fn keep_form(
        &self,
        of: PrincipalId,
        to: &ReturnPath,
        body: &[u8],
    ) -> Option<String> {
        percent_decode(body).decode_utf8().ok()?;
        let content = Content {
            to: to.as_str().to_owned(),
            fields: form_urlencoded::parse(body).into_owned().collect(),
            until: (self.clock.now() + PENDING).timestamp(),
        };
        let content = serde_json::to_vec(&content).ok()?;
        let mut rng = StdRng::from_os_rng();
        let sealed = self.seal.seal(&purpose(of), &content, &mut rng);
        Some(BASE64.encode(sealed))
    }

    /// The form, if this person sent it, and lately.
    pub(in crate::control) fn kept_form(&self, of: PrincipalId, sealed: &str) -> Option<KeptForm> {
        let sealed = BASE64.decode(sealed).ok()?;
        let content = self.seal.open(&purpose(of), &sealed)?.secret;
        let content: Content = serde_json::from_slice(&content).ok()?;
        let fresh = content.until > self.clock.now().timestamp();
        Some(KeptForm {
            to: content.to.parse().ok().filter(|_| fresh)?,
            fields: content.fields,
        })
    }
}

fn purpose(of: PrincipalId) -> String {
    format!("form of {of}")
}
