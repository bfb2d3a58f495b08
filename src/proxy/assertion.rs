//! The signed word for who asks: a JWT that a backend can verify by itself.
//!
//! One that says the same is signed once and used again for half of its life. What it says is
//! its name in memory, so that a change of what it would say is another one at once.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderValue;
use moka::ops::compute::Op;
use moka::sync::Cache;
use pingora::http::RequestHeader;
use pingora::{Error, ErrorType, OrErr as _};
use serde_json::{Map, Value};

use super::headers::value_of;
use super::upstream::Upstream;
use crate::authn::{SigningKey, SigningKeys};
use crate::clock::Clock;
use crate::config::Assertion;
use crate::domain::SigningKeyId;
use crate::policy::{Field, Permit, Template};

/// For how long one is good, in seconds.
const LIFETIME: i64 = 60;
/// For how long it is used again.
const REUSED: i64 = 30;
/// Kept at most.
const CAPACITY: u64 = 10_000;

/// What an assertion says, but for when: JSON without its last brace.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Said(Arc<str>);

#[derive(Clone)]
struct Signed {
    by: SigningKeyId,
    /// Unix seconds.
    at: i64,
    token: HeaderValue,
}

/// See the module.
#[derive(Clone)]
pub struct Assertions {
    keys: Arc<SigningKeys>,
    clock: Clock,
    signed: Cache<Said, Signed>,
}

impl fmt::Debug for Assertions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Assertions(..)")
    }
}

impl Assertions {
    /// Signed with these keys.
    #[must_use]
    pub fn new(keys: Arc<SigningKeys>, clock: Clock) -> Self {
        Self {
            keys,
            clock,
            signed: Cache::builder()
                .max_capacity(CAPACITY)
                .time_to_live(Duration::from_mins(1))
                .build(),
        }
    }

    /// Tells the backend who asks, if it is to be told so and anybody is known.
    ///
    /// # Errors
    ///
    /// If there is nothing to sign with: without it the backend would be told less than it
    /// relies on.
    pub(super) fn put(
        &self,
        built: &mut RequestHeader,
        permit: &Permit,
        upstream: &Upstream,
    ) -> pingora::Result<()> {
        let Some(assertion) = upstream.assertion.as_deref() else {
            return Ok(());
        };
        if permit.subject().is_none() {
            return Ok(());
        }
        let token = self.of(said(assertion, permit))?;
        built.insert_header(assertion.header.clone(), token)
    }

    fn of(&self, said: Said) -> pingora::Result<HeaderValue> {
        let clock = self.clock.now();
        let (known, now) = (self.keys.known(), clock.timestamp());
        let key = known.signing(clock).ok_or_else(|| {
            Error::explain(ErrorType::InternalError, "no key to sign an assertion with")
        })?;
        let is_good = |signed: &Signed| {
            let age = now - signed.at;
            (0..REUSED).contains(&age) && signed.by == *key.id()
        };
        if let Some(signed) = self.signed.get(&said).filter(is_good) {
            return Ok(signed.token);
        }
        // Others that ask for the same now wait for this one.
        let text = Arc::clone(&said.0);
        let entry = self.signed.entry(said).and_try_compute_with(|entry| {
            if entry.is_some_and(|entry| is_good(entry.value())) {
                return Ok(Op::Nop);
            }
            sign(key, &text, now).map(Op::Put)
        })?;
        Ok(entry.unwrap().into_value().token)
    }
}

fn sign(key: &SigningKey, said: &str, now: i64) -> pingora::Result<Signed> {
    let claims = format!("{said},\"iat\":{now},\"exp\":{}}}", now + LIFETIME);
    let failed = || "an assertion cannot be signed";
    let token = key.sign("JWT", &claims);
    let token = token.or_err_with(ErrorType::InternalError, failed)?;
    let token = HeaderValue::try_from(token);
    Ok(Signed {
        by: key.id().clone(),
        at: now,
        token: token.or_err_with(ErrorType::InternalError, failed)?,
    })
}

fn said(assertion: &Assertion, permit: &Permit) -> Said {
    let mut all = Map::new();
    all.insert("iss".to_owned(), (*assertion.issuer).into());
    all.insert("aud".to_owned(), (*assertion.audience).into());
    for (name, template) in &assertion.claims {
        if let Some(value) = claim(template, permit) {
            all.insert(name.clone(), value);
        }
    }
    let mut text = Value::Object(all).to_string();
    text.pop();
    Said(text.into())
}

/// A list where the template is nothing but one.
fn claim(template: &Template, permit: &Permit) -> Option<Value> {
    let text = template.render(&|field| value_of(permit, field))?;
    let is_list = matches!(template.only(), Some(Field::Roles | Field::SessionAmr));
    Some(if is_list {
        let items = text.split(',').filter(|item| !item.is_empty());
        items.collect()
    } else {
        Value::from(&*text)
    })
}
