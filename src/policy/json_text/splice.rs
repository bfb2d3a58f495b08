//! A text at a place, written into a JSON text.

use super::{Edits, Found, Unreadable, members, values_at, whole};
use crate::policy::{Pointer, PointerSegment};

/// The JSON text with `value` at this place, which is made if only its last key is missing.
/// `None` empties it: a text becomes "", null stays, and what is missing stays so.
///
/// # Errors
///
/// [`Unreadable`] if there is no such place.
pub fn set_text(text: &str, pointer: &Pointer, value: Option<&str>) -> Result<String, Unreadable> {
    match (values_at(text, pointer)?.as_slice(), value) {
        ([] | ["null"], None) => Ok(text.to_owned()),
        ([there], value) => {
            let mut edits = Edits::of(text);
            let new = quoted(value.unwrap_or_default());
            edits.replace(there, new).map_err(|_| Unreadable)?;
            Ok(edits.apply())
        }
        ([], Some(value)) => insert(text, pointer, value),
        _ => Err(Unreadable),
    }
}

/// The JSON text with null at this place, or at each that it means; what is missing stays so.
///
/// # Errors
///
/// [`Unreadable`] if the way leads through something else.
pub fn set_null(text: &str, pointer: &Pointer) -> Result<String, Unreadable> {
    let mut edits = Edits::of(text);
    for there in values_at(text, pointer)? {
        let edit = edits.replace(there, "null".to_owned());
        edit.map_err(|_| Unreadable)?;
    }
    Ok(edits.apply())
}

/// The JSON text with other texts at the place, or at each that it means, where `new` has one;
/// what is no text, or missing, stays so.
///
/// # Errors
///
/// [`Unreadable`] if the way leads through something else.
pub fn rewrite_texts(
    text: &str,
    pointer: &Pointer,
    new: impl Fn(&str) -> Option<String>,
) -> Result<String, Unreadable> {
    let mut edits = Edits::of(text);
    for there in values_at(text, pointer)? {
        let old = serde_json::from_str::<String>(there).ok();
        if let Some(changed) = old.and_then(|old| new(&old)) {
            let edit = edits.replace(there, quoted(&changed));
            edit.map_err(|_| Unreadable)?;
        }
    }
    Ok(edits.apply())
}

/// As the last member of the object that it is missing in.
fn insert(text: &str, pointer: &Pointer, value: &str) -> Result<String, Unreadable> {
    let Some((PointerSegment::Key(key), parents)) = pointer.segments().split_last() else {
        return Err(Unreadable);
    };
    let mut found = Found::default();
    found.collect(whole(text)?, parents)?;
    let [object] = found.values.as_slice() else {
        return Err(Unreadable);
    };
    let comma = if members(object)?.is_empty() { "" } else { "," };
    let end = &object[object.len() - 1..];
    let mut edits = Edits::of(text);
    let member = format!("{comma}{}:{}}}", quoted(key), quoted(value));
    edits.replace(end, member).map_err(|_| Unreadable)?;
    Ok(edits.apply())
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(text: &str, value: Option<&str>) -> String {
        set_text(text, &"/page/next".parse().unwrap(), value).unwrap()
    }

    #[test]
    fn a_place_is_written_made_or_emptied() {
        for (text, value, expected) in [
            (
                r#"{"page": {"next": "a", "n": 1.0}}"#,
                Some("b"),
                r#"{"page": {"next": "b", "n": 1.0}}"#,
            ),
            (
                r#"{"page": {"next": null}}"#,
                Some("b"),
                r#"{"page": {"next": "b"}}"#,
            ),
            (
                r#"{"page": {}}"#,
                Some("b\""),
                r#"{"page": {"next":"b\""}}"#,
            ),
            (
                r#"{"page": {"n": 1 }}"#,
                Some("b"),
                r#"{"page": {"n": 1 ,"next":"b"}}"#,
            ),
            (
                r#"{"page": {"next": "a"}}"#,
                None,
                r#"{"page": {"next": ""}}"#,
            ),
            (
                r#"{"page": {"next": null}}"#,
                None,
                r#"{"page": {"next": null}}"#,
            ),
            (r#"{"page": {}}"#, None, r#"{"page": {}}"#),
            ("{}", None, "{}"),
        ] {
            assert_eq!(set(text, value), expected);
        }
    }

    #[test]
    fn a_place_is_nulled() {
        let null = |text: &str, at: &str| set_null(text, &at.parse().unwrap());
        let text = r#"{"last": {"id": "x"}, "n": [1, 2]}"#;
        let nulled = r#"{"last": null, "n": [1, 2]}"#;
        assert_eq!(null(text, "/last").as_deref(), Ok(nulled));
        let nulled = r#"{"last": {"id": "x"}, "n": [null, null]}"#;
        assert_eq!(null(text, "/n/*").as_deref(), Ok(nulled));
        assert_eq!(null(text, "/none").as_deref(), Ok(text));
        assert_eq!(null(text, "/n/x"), Err(Unreadable));
    }

    #[test]
    fn an_object_that_is_missing_is_not_invented() {
        let pointer = "/page/next".parse().unwrap();
        assert_eq!(set_text("{}", &pointer, Some("b")), Err(Unreadable));
    }
}
