//! What the request says of an object that it makes, and to conditions.

use std::sync::Arc;

use super::super::{Body, CreateRule, LabelSource, Malformed, Objects, Question, Source};
use super::places::Places;

/// Texts by name.
pub type LabelPairs = Vec<(Arc<str>, String)>;

/// The labels that a rule takes from the request; what is not there is no label.
///
/// # Errors
///
/// If a place holds what is no label.
pub fn request_labels(
    question: &Question<'_>,
    body: Option<&Body>,
    rule: &CreateRule,
) -> Result<LabelPairs, Malformed> {
    let labels = rule.labels.iter().filter_map(|(name, from)| match from {
        LabelSource::Request(source) => Some((name, source)),
        LabelSource::Response(_) => None,
    });
    texts(Places::new(question, body), labels)
}

/// The values that the route takes from the request for conditions; what is not there is none.
///
/// # Errors
///
/// If a place holds what is no text.
pub fn request_params(
    question: &Question<'_>,
    body: Option<&Body>,
    objects: &Objects,
) -> Result<LabelPairs, Malformed> {
    let params = objects.params.iter().map(|(name, source)| (name, source));
    texts(Places::new(question, body), params)
}

fn texts<'r>(
    places: Places<'_>,
    rules: impl Iterator<Item = (&'r Arc<str>, &'r Source)>,
) -> Result<LabelPairs, Malformed> {
    let mut texts = Vec::new();
    for (name, source) in rules {
        let mut values = places.values(source)?.into_iter().flatten();
        match (values.next(), values.next()) {
            (None, _) => {}
            (Some(value), None) => texts.push((Arc::clone(name), value.text()?.into_owned())),
            // Which of them a condition means, nobody knows.
            (Some(_), Some(_)) => return Err(Malformed::BodyShape),
        }
    }
    Ok(texts)
}
