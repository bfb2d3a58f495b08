//! Lists without an item.
//!
//! One that never had any and one from which all were taken must not be told apart: a backend
//! may leave an empty list out, or lay its answer out otherwise.

use super::{Listing, Unreadable, values_at};
use crate::policy::{FilterRule, Keys, Pointer, PointerSegment, Tree};

/// The answer in the one form that it has if the rule's list is empty; `None` if it is not, or
/// if an answer without the list is another kind of answer.
///
/// # Errors
///
/// [`Unreadable`].
pub fn without_items(text: &str, rule: &FilterRule) -> Result<Option<String>, Unreadable> {
    let (Some(PointerSegment::Key(key)), way) = split_last(&rule.items) else {
        return Ok(None);
    };
    if Listing::read(text, rule)?.texts().next().is_some() {
        return Ok(None);
    }
    if rule.optional && values_at(text, &rule.items)?.is_empty() {
        return Ok(None);
    }
    let mut tree = Tree::parse(text.as_bytes(), Keys::Exact).map_err(|_| Unreadable)?;
    let mut holders = tree.find_mut(&way, Keys::Exact).map_err(|_| Unreadable)?;
    let [Tree::Map(entries)] = holders.as_mut_slice() else {
        return Ok(None);
    };
    entries.retain(|(name, _)| **name != **key);
    entries.push((key.clone(), Tree::List(Vec::new())));
    let bytes = tree.to_bytes();
    String::from_utf8(bytes).map(Some).map_err(|_| Unreadable)
}

fn split_last(items: &Pointer) -> (Option<&PointerSegment>, Pointer) {
    match items.segments().split_last() {
        Some((last, way)) => (Some(last), Pointer::of(way)),
        None => (None, Pointer::of(&[])),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(optional: bool) -> FilterRule {
        FilterRule {
            items: "/things".parse().unwrap(),
            kind: "thing".into(),
            id: "/id".parse().unwrap(),
            optional,
        }
    }

    #[test]
    fn no_list_an_empty_one_and_an_emptied_one_are_alike() {
        for text in [
            "{}",
            "{\n  \"things\": []\n}",
            r#"{"things":null}"#,
            r#"{ "things" : [ ] }"#,
        ] {
            let alike = without_items(text, &rule(false)).unwrap();
            assert_eq!(alike.as_deref(), Some(r#"{"things":[]}"#), "{text}");
        }
        let alike = without_items(r#"{"things": [], "total": 1.0}"#, &rule(false)).unwrap();
        assert_eq!(alike.as_deref(), Some(r#"{"total":1.0,"things":[]}"#));
    }

    #[test]
    fn other_answers_stay_as_they_are() {
        let full = r#"{"things": [{"id": 1}]}"#;
        assert_eq!(without_items(full, &rule(false)), Ok(None));
        assert_eq!(without_items("{}", &rule(true)), Ok(None));
    }
}
