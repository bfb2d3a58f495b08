//! What an assertion that is verified says, and whether it is said to us, now, of somebody.

use chrono::{DateTime, TimeDelta, Utc};
use roxmltree::Node;

use super::Refused;
use super::names::{ASSERTION, BEARER, ENTITY, TRANSIENT};
use crate::authn::provider::{Asserted, KeptTokens, SessionThere};
use crate::config::saml::AttributeMapping;
use crate::config::saml::xml::{children, only, text_of};

/// By how much a provider's clock may differ from ours.
pub(super) const SKEW: TimeDelta = TimeDelta::seconds(60);
/// For how long after it was made a message is taken.
pub(super) const OLDEST: TimeDelta = TimeDelta::minutes(10);
/// Most groups of one person that are looked at.
const MOST_GROUPS: usize = 1000;
/// Longest name of somebody, in bytes.
const LONGEST_SUBJECT: usize = 255;

/// What must hold.
#[derive(Clone, Copy, Debug)]
pub(super) struct Expected<'a> {
    /// Who says it.
    pub(super) idp: &'a str,
    /// Of whom it is asked.
    pub(super) sp: &'a str,
    /// Where it is sent to.
    pub(super) acs: &'a str,
    /// What it answers; `None`: nothing.
    pub(super) in_response_to: Option<&'a str>,
    /// When.
    pub(super) now: DateTime<Utc>,
}

/// What an assertion says.
#[derive(Clone, Debug)]
pub struct Told {
    /// Its own name: good for once.
    pub id: String,
    /// Until when it could be shown again.
    pub until: DateTime<Utc>,
    /// Of whom.
    pub asserted: Asserted,
}

/// Reads an assertion.
pub(super) fn read(
    assertion: Node<'_, '_>,
    expected: Expected<'_>,
    mapping: &AttributeMapping,
) -> Result<Told, Refused> {
    is_current(assertion, expected)?;
    is_by(assertion, expected.idp)?;
    let subject = only(assertion, ASSERTION, "Subject").ok_or("it is about nobody")?;
    let until = confirmed(subject, expected)?;
    is_meant(assertion, expected)?;
    let proved = proved(assertion, expected.now)?;
    let attributes = |name: &str| values(assertion, name).into_iter();
    let first = |name: &Option<String>| name.as_ref().and_then(|it| attributes(it).next());
    let names = [&mapping.first_name, &mapping.last_name].map(first);
    let name = names.into_iter().flatten().collect::<Vec<_>>().join(" ");
    let email = attributes(&mapping.email).next();
    let session = SessionThere {
        index: proved.session_index,
        ends_at: proved.ends_at,
        ..name_id(subject, expected.sp, mapping.subject.is_none())?
    };
    let known_as = match &mapping.subject {
        Some(by) => attributes(by)
            .next()
            .ok_or("it does not say who it is about")?,
        None => session.name.clone(),
    };
    if known_as.is_empty() || known_as.len() > LONGEST_SUBJECT {
        return Err("nobody is called so".into());
    }
    let id = assertion.attribute("ID").ok_or("it has no ID")?;
    Ok(Told {
        id: id.to_owned(),
        until,
        asserted: Asserted {
            issuer: expected.idp.to_owned(),
            subject: known_as,
            email: email.clone(),
            claimed_email: email,
            name: Some(name).filter(|name| !name.is_empty()),
            groups: attributes(&mapping.groups).take(MOST_GROUPS).collect(),
            authenticated_at: Some(proved.at),
            ends_at: proved.ends_at,
            session: Some(session),
            kept: KeptTokens::default(),
        },
    })
}

/// Whether a message or an assertion is of this version, and of now.
pub(super) fn is_current(node: Node<'_, '_>, expected: Expected<'_>) -> Result<(), Refused> {
    if node.attribute("Version") != Some("2.0") {
        return Err("it is not of SAML 2.0".into());
    }
    let at = time(node, "IssueInstant")?.ok_or("it does not say of when it is")?;
    if at > expected.now + SKEW || at < expected.now - OLDEST {
        return Err("it is too old, or from the future".into());
    }
    Ok(())
}

/// Whether the provider says so itself.
pub(super) fn is_by(node: Node<'_, '_>, idp: &str) -> Result<(), Refused> {
    let issuer = only(node, ASSERTION, "Issuer").ok_or("nobody says it")?;
    let is_entity = issuer.attribute("Format").is_none_or(|it| it == ENTITY);
    if is_entity && text_of(issuer).as_deref() == Some(idp) {
        return Ok(());
    }
    Err("somebody else says it".into())
}

/// What somebody is called, if it is for more than this once.
fn name_id(subject: Node<'_, '_>, sp: &str, lasts: bool) -> Result<SessionThere, Refused> {
    let name = only(subject, ASSERTION, "NameID").ok_or("it is about nobody by name")?;
    if lasts && name.attribute("Format") == Some(TRANSIENT) {
        return Err(Refused(
            "the provider calls people otherwise each time: have it send a persistent NameID, or \
             name an attribute by `attribute_mapping.subject`"
                .into(),
        ));
    }
    if name.attribute("SPNameQualifier").is_some_and(|of| of != sp) {
        return Err("it is what others call somebody".into());
    }
    let said = text_of(name).filter(|said| !said.is_empty());
    let attribute = |of| name.attribute(of).map(str::to_owned);
    Ok(SessionThere {
        name: said.ok_or("nobody is called so")?,
        format: attribute("Format"),
        qualifier: attribute("NameQualifier"),
        sp_qualifier: attribute("SPNameQualifier"),
        index: None,
        ends_at: None,
    })
}

/// Until when somebody may come with it: here, and asked as they were (SAML 2.0 profiles §4.1.4.3).
fn confirmed(subject: Node<'_, '_>, expected: Expected<'_>) -> Result<DateTime<Utc>, Refused> {
    let mut why = Refused::from("nobody may come with it");
    for confirmation in children(subject, ASSERTION, "SubjectConfirmation") {
        if confirmation.attribute("Method") != Some(BEARER) {
            continue;
        }
        match bearer(confirmation, expected) {
            Ok(until) => return Ok(until),
            Err(refused) => why = refused,
        }
    }
    Err(why)
}

fn bearer(confirmation: Node<'_, '_>, expected: Expected<'_>) -> Result<DateTime<Utc>, Refused> {
    let data = only(confirmation, ASSERTION, "SubjectConfirmationData")
        .ok_or("it does not say where it may be shown")?;
    if data.attribute("Recipient") != Some(expected.acs) {
        return Err("it is to be shown elsewhere".into());
    }
    if data.attribute("InResponseTo") != expected.in_response_to {
        return Err("it answers something else".into());
    }
    let until = time(data, "NotOnOrAfter")?.ok_or("it is good for ever")?;
    if until + SKEW <= expected.now {
        return Err("it has expired".into());
    }
    if time(data, "NotBefore")?.is_some_and(|from| from > expected.now + SKEW) {
        return Err("it is not good yet".into());
    }
    Ok(until + SKEW)
}

/// Whether it is meant for us, and good now (SAML 2.0 core §2.5).
fn is_meant(assertion: Node<'_, '_>, expected: Expected<'_>) -> Result<(), Refused> {
    let conditions = only(assertion, ASSERTION, "Conditions").ok_or("it is for anybody")?;
    if time(conditions, "NotBefore")?.is_some_and(|from| from > expected.now + SKEW) {
        return Err("it is not good yet".into());
    }
    if time(conditions, "NotOnOrAfter")?.is_some_and(|until| until + SKEW <= expected.now) {
        return Err("it has expired".into());
    }
    let mut audiences = 0;
    for condition in conditions.children().filter(Node::is_element) {
        match (
            condition.tag_name().namespace(),
            condition.tag_name().name(),
        ) {
            (Some(ASSERTION), "AudienceRestriction") => {
                let mut all = children(condition, ASSERTION, "Audience");
                if !all.any(|node| text_of(node).as_deref() == Some(expected.sp)) {
                    return Err("it is meant for others".into());
                }
                audiences += 1;
            }
            (Some(ASSERTION), "OneTimeUse" | "ProxyRestriction") => {}
            _ => return Err("it is good under an unknown condition".into()),
        }
    }
    if audiences == 0 {
        return Err("it is meant for anybody".into());
    }
    Ok(())
}

/// How somebody has proved at the provider who they are.
struct Proved {
    at: DateTime<Utc>,
    /// Until when that is good.
    ends_at: Option<DateTime<Utc>>,
    session_index: Option<String>,
}

fn proved(assertion: Node<'_, '_>, now: DateTime<Utc>) -> Result<Proved, Refused> {
    let mut statements = children(assertion, ASSERTION, "AuthnStatement");
    let (Some(statement), None) = (statements.next(), statements.next()) else {
        return Err("it does not say, once, how somebody proved who they are".into());
    };
    let at = time(statement, "AuthnInstant")?.ok_or("it does not say when somebody did")?;
    if at > now + SKEW {
        return Err("somebody is yet to prove who they are".into());
    }
    let ends_at = time(statement, "SessionNotOnOrAfter")?;
    if ends_at.is_some_and(|at| at <= now) {
        return Err("their session there has ended".into());
    }
    Ok(Proved {
        at: at.min(now),
        ends_at,
        session_index: statement.attribute("SessionIndex").map(str::to_owned),
    })
}

/// The values of an attribute that are text.
fn values(assertion: Node<'_, '_>, name: &str) -> Vec<String> {
    children(assertion, ASSERTION, "AttributeStatement")
        .flat_map(|statement| children(statement, ASSERTION, "Attribute"))
        .filter(|attribute| attribute.attribute("Name") == Some(name))
        .flat_map(|attribute| children(attribute, ASSERTION, "AttributeValue"))
        .filter_map(text_of)
        .filter(|value| !value.is_empty())
        .collect()
}

pub(super) fn time(node: Node<'_, '_>, name: &str) -> Result<Option<DateTime<Utc>>, Refused> {
    let said = node.attribute(name);
    let read = |said: &str| {
        said.parse()
            .map_err(|_| Refused(format!("`{name}` is no time")))
    };
    said.map(read).transpose()
}
