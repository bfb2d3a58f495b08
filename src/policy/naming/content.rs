//! What may not stand in a request, and what alone may.

use std::sync::Arc;

use super::super::{Body, Denial, DenialReason, ForbidRule, Lookup, Malformed, OnlyRule, Question};
use super::places::{Found, Places};

/// Refuses a request that holds what its route forbids, or not what it demands.
///
/// # Errors
///
/// The refusal, with the reason that the route gives.
pub fn check_content(question: &Question<'_>, body: Option<&Body>) -> Result<(), Denial> {
    let Lookup::Found { route, .. } = &question.lookup else {
        return Ok(());
    };
    let places = Places::new(question, body);
    for rule in &route.objects.forbid {
        if stands(rule, &places)? {
            return Err(refused(&rule.reason));
        }
    }
    for rule in &route.objects.only {
        if !holds(rule, &places)? {
            return Err(refused(&rule.reason));
        }
    }
    Ok(())
}

fn refused(reason: &Arc<str>) -> Denial {
    Denial::new(DenialReason::Content(Arc::clone(reason)))
}

/// Whether something stands where it may not.
fn stands(rule: &ForbidRule, places: &Places<'_>) -> Result<bool, Malformed> {
    let anything = rule.values.is_empty() && rule.prefixes.is_empty();
    for value in places.values(&rule.at)?.into_iter().flatten() {
        if anything || is_forbidden(rule, value)? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn is_forbidden(rule: &ForbidRule, value: Found<'_>) -> Result<bool, Malformed> {
    let text = value.text()?;
    if rule.values.iter().any(|forbidden| **forbidden == *text) {
        return Ok(true);
    }
    let begins = visible(&text);
    let mut prefixes = rule.prefixes.iter();
    Ok(prefixes.any(|prefix| begins.starts_with(&visible(prefix))))
}

/// Readers of URIs pass over blanks before one and control characters in it, and over case.
fn visible(text: &str) -> String {
    let signs = text.chars().filter(|c| !c.is_control());
    let begins = signs.skip_while(|c| c.is_whitespace());
    begins.flat_map(char::to_lowercase).collect()
}

/// Whether one of the values stands in the place, and in each that a `*` means.
fn holds(rule: &OnlyRule, places: &Places<'_>) -> Result<bool, Malformed> {
    let values = places.values(&rule.at)?;
    if values.is_empty() {
        return Ok(false);
    }
    for value in values {
        let Some(value) = value else {
            return Ok(false);
        };
        let text = value.text()?;
        let mut allowed = rule.values.iter();
        if !allowed.any(|allowed| words(allowed).eq(words(&text))) {
            return Ok(false);
        }
    }
    Ok(true)
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split_ascii_whitespace()
}
