//! What the gateway writes into a request before it is forwarded.

use std::borrow::Cow;

use http::{HeaderName, HeaderValue};

use super::super::{
    Body, BodyTemplate, CanonicalRequest, Denial, DenialReason, Field, Malformed, Objects, Source,
    Tree,
};

/// Writes what the route says into query and body, and returns the header fields to set; each
/// takes the place of what the client sent by that name.
///
/// # Errors
///
/// A refusal if a field is not known of this caller, or the body has no such place: a filter
/// that is left out would show everything.
pub fn write_set<'v>(
    objects: &Objects,
    request: &mut CanonicalRequest,
    mut body: Option<&mut Body>,
    fields: &impl Fn(Field) -> Option<Cow<'v, str>>,
) -> Result<Vec<(HeaderName, HeaderValue)>, Denial> {
    let mut headers = Vec::new();
    for rule in &objects.set {
        match &rule.at {
            Source::Query(name) => {
                request.set_query(name, objects.keys, &text(&rule.value, fields)?);
            }
            Source::Header(name) => {
                let value = HeaderValue::from_bytes(text(&rule.value, fields)?.as_bytes());
                let value = value.map_err(|_| Denial::new(DenialReason::Internal))?;
                headers.push((name.clone(), value));
            }
            Source::Body(pointer) => {
                let body = body.as_deref_mut().ok_or(Malformed::Body)?;
                let value = rule.value.render(fields);
                let value = value.ok_or_else(|| missing(&rule.value, fields))?;
                body.set(pointer, Tree::from(&value))?;
            }
            // Neither is written; the configuration has no such rule.
            Source::Path(_) | Source::QueryEach(_) => {
                return Err(Denial::new(DenialReason::Internal));
            }
        }
    }
    Ok(headers)
}

fn text<'v>(
    value: &BodyTemplate,
    fields: &impl Fn(Field) -> Option<Cow<'v, str>>,
) -> Result<String, Denial> {
    match value.render(fields) {
        Some(serde_json::Value::String(text)) => Ok(text),
        Some(other) => Ok(other.to_string()),
        None => Err(missing(value, fields)),
    }
}

fn missing<'v>(value: &BodyTemplate, fields: &impl Fn(Field) -> Option<Cow<'v, str>>) -> Denial {
    let mut named = value.fields().into_iter();
    let missing = named.find(|field| fields(*field).is_none());
    Denial::new(missing.map_or(DenialReason::Internal, DenialReason::FieldMissing))
}
