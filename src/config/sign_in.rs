//! `sign_in:`.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use url::Url;

use super::node::Node;
use super::reader::{Fields, Reader};
use super::settings::SignIn;
use super::{mail, providers, scim, secrets};
use crate::domain::Mfa;
use crate::policy::{Completeness, Requirement, Route};

const MINUTE: Duration = Duration::from_mins(1);
const DAY: Duration = Duration::from_hours(24);

const KEYS: [&str; 12] = [
    "idle",
    "lifetime",
    "max_concurrent_sessions",
    "sensitive_operations",
    "re_auth_max_age",
    "breached_passwords",
    "mfa",
    "public_url",
    "mail",
    "secrets",
    "providers",
    "scim",
];

pub(super) fn read(reader: Reader<'_>, parent: &Fields<'_>) -> Option<SignIn> {
    let node = parent.get("sign_in")?;
    let fields = reader.fields(node, &KEYS)?;
    let idle = fields.duration("idle", &(MINUTE..=DAY * 30), DAY);
    let lifetime = fields.duration("lifetime", &(MINUTE..=DAY * 90), DAY * 7);
    let public_url = fields
        .get("public_url")
        .and_then(|node| public_url(reader, node));
    let mail = fields.get("mail").and_then(|node| mail::read(reader, node));
    if mail.is_some() && fields.get("public_url").is_none() {
        let problem = "`mail` needs `public_url`: letters hold links that lead there";
        reader.report(fields.key_place("mail"), problem);
    }
    let providers = fields.get("providers");
    if providers.is_some() && fields.get("public_url").is_none() {
        let problem = "`providers` needs `public_url`: they send people back there";
        reader.report(fields.key_place("providers"), problem);
    }
    let providers = providers.map_or_else(Vec::new, |node| providers::read(reader, node));
    let directories = fields
        .get("scim")
        .map_or_else(Vec::new, |node| scim::read(reader, node, &providers));
    Some(SignIn {
        mail,
        directories,
        providers,
        idle: TimeDelta::from_std(idle).ok()?,
        lifetime: TimeDelta::from_std(lifetime).ok()?,
        max_sessions: fields
            .get("max_concurrent_sessions")
            .and_then(|node| reader.integer(node, &(1..=1000))),
        mfa: fields
            .get("mfa")
            .and_then(|node| mfa(reader, node))
            .unwrap_or_default(),
        public_url,
        secrets: fields
            .get("secrets")
            .and_then(|node| secrets::read(reader, node))
            .unwrap_or_default(),
        breached_passwords: fields
            .get("breached_passwords")
            .and_then(|node| breached(reader, node)),
    })
}

fn mfa(reader: Reader<'_>, node: &Node) -> Option<Mfa> {
    reader.parsed(node, "`off`, `optional` or `required`", |text| {
        let found = Mfa::ALL.into_iter().find(|mfa| mfa.as_str() == text);
        found.ok_or_else(|| format!("`{text}` is not `off`, `optional` or `required`"))
    })
}

/// An origin: what a browser says of where a page is from (RFC 6454 §6.1).
pub(super) fn public_url(reader: Reader<'_>, node: &Node) -> Option<Url> {
    reader.parsed(node, "a URL", |text| {
        let url: Url = text
            .parse()
            .map_err(|error| format!("`{text}` is no URL: {error}"))?;
        let is_origin = matches!(url.scheme(), "http" | "https")
            && url.has_host()
            && url.username().is_empty()
            && url.password().is_none()
            && url.path() == "/"
            && url.query().is_none()
            && url.fragment().is_none();
        let told = || {
            format!(
                "`{text}` is not how people reach this site: scheme, host and, if it is not the \
                 usual one, port, as in `https://ml.example.com`"
            )
        };
        is_origin.then_some(url).ok_or_else(told)
    })
}

/// Nobody is known on a public route; and where people prove anew who they are, they cannot be
/// asked to have done so.
fn can_be_sensitive(route: &Route) -> bool {
    !matches!(route.requirement, Requirement::Public { .. })
        && !route.label.contains(" /.portcullis/re-authenticate")
}

/// A file whose first line is as all should be. It is too large to be read as a whole.
fn breached(reader: Reader<'_>, node: &Node) -> Option<Arc<Path>> {
    let path = reader.path(node)?;
    let first = File::open(&path).and_then(|file| {
        let mut line = Vec::new();
        file.take(41).read_to_end(&mut line).map(|_| line)
    });
    let problem = match first {
        Ok(line) if is_entry(&line) => return Some(path.into()),
        Ok(_) => {
            "it has no line of a SHA-1 in hexadecimal, a colon and a number; take the list of \
                  Pwned Passwords that is ordered by hash"
                .to_owned()
        }
        Err(error) => format!("cannot read {}: {error}", path.display()),
    };
    reader.report(node.place, problem);
    None
}

fn is_entry(line: &[u8]) -> bool {
    matches!(line, [hash @ .., b':'] if hash.len() == 40 && hash.iter().all(u8::is_ascii_hexdigit))
}

/// Marks the routes whose events are sensitive: a session must be young for them.
pub(super) fn mark_sensitive(reader: Reader<'_>, parent: &Fields<'_>, routes: &mut [Route]) {
    let Some(section) = parent.get("sign_in") else {
        return;
    };
    let max_age = section.get("re_auth_max_age");
    let max_age = max_age.and_then(|node| reader.duration(node, &(MINUTE..=DAY)));
    let max_age = TimeDelta::from_std(max_age.unwrap_or(MINUTE * 5)).ok();
    let operations = section.get("sensitive_operations");
    for route in routes.iter_mut() {
        if ALWAYS_SENSITIVE.contains(&&*route.event) && can_be_sensitive(route) {
            route.re_auth = max_age;
        }
    }
    for node in operations.map_or(&[][..], |node| reader.list(node)) {
        let Some(event) = reader.text(node) else {
            continue;
        };
        let mut any = false;
        let of_event = |route: &&mut Route| *route.event == *event && can_be_sensitive(route);
        for route in routes.iter_mut().filter(of_event) {
            route.re_auth = max_age;
            any = true;
        }
        if !any {
            let problem = format!(
                "no route for known people has the event `{event}`; `portcullis routes` lists them"
            );
            reader.report(node.place, problem);
        }
    }
}

/// What is asked of a person at once, whatever else is configured: what they prove who they are
/// with must not be changed by who finds their browser open.
const ALWAYS_SENSITIVE: [&str; 4] = [
    "factor.added",
    "factor.proposed",
    "factor.removed",
    "recovery_codes.created",
];

/// Where a sign-in is completed, or given up.
const BEGUN: [&str; 3] = [
    " /.portcullis/second-factor",
    " /.portcullis/second-factor/passkey",
    " /.portcullis/sign-out",
];

/// Where a second factor is set up, and what leads there.
const KNOWN: [&str; 2] = [
    " /.portcullis/account/factors",
    " /.portcullis/re-authenticate",
];

/// Marks how far somebody must have signed in.
pub(super) fn mark_completeness(sign_in: Option<&SignIn>, routes: &mut [Route]) {
    let required = sign_in.is_some_and(|sign_in| sign_in.mfa == Mfa::Required);
    for route in routes {
        let label = &*route.label;
        let is_known = || KNOWN.iter().any(|known| label.contains(known));
        route.completeness = if BEGUN.iter().any(|begun| label.ends_with(begun)) {
            Completeness::Begun
        } else if is_known() {
            Completeness::Known
        } else if required {
            Completeness::TwoFactors
        } else {
            Completeness::Complete
        };
    }
}
