//! What the request says of an object that it makes.

use std::sync::Arc;

use super::super::{Body, CreateRule, LabelSource, Malformed, Question};
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
    let places = Places::new(question, body);
    let mut labels = Vec::new();
    for (name, from) in &rule.labels {
        if let LabelSource::Request(source) = from
            && let Some(value) = places.values(source)?.into_iter().flatten().next()
        {
            labels.push((Arc::clone(name), value.text()?.into_owned()));
        }
    }
    Ok(labels)
}
