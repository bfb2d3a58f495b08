//! A list in an answer, and the ids of its items.

use super::{Edits, Found, Unreadable, elements, id_at, members, whole};
use crate::policy::{FilterRule, Pointer};

/// The lists that a rule names in one answer.
#[derive(Debug)]
pub struct Listing<'t> {
    text: &'t str,
    lists: Vec<List<'t>>,
}

#[derive(Debug)]
struct List<'t> {
    array: &'t str,
    items: Vec<Item<'t>>,
}

/// An item of a list.
#[derive(Debug)]
struct Item<'t> {
    text: &'t str,
    /// `None`: it cannot be told whose it is.
    id: Option<String>,
}

impl<'t> Listing<'t> {
    /// Reads the lists of a rule. Serialisers leave empty lists out, so that one may be
    /// missing, but only where there is nothing else that could be it.
    ///
    /// # Errors
    ///
    /// [`Unreadable`].
    pub fn read(text: &'t str, rule: &FilterRule) -> Result<Self, Unreadable> {
        let mut found = Found::default();
        found.collect(whole(text)?, rule.items.segments())?;
        if !rule.optional {
            found.gaps.into_iter().try_for_each(is_flat)?;
        }
        let arrays = found.values.into_iter().filter(|array| *array != "null");
        let lists = arrays.map(|array| List::read(array, &rule.id));
        let lists = lists.collect::<Result<_, _>>()?;
        Ok(Self { text, lists })
    }

    /// The ids of all items, in order; an item without one has `None`.
    pub fn ids(&self) -> impl Iterator<Item = Option<&str>> {
        self.items().map(|item| item.id.as_deref())
    }

    /// All items, in order, as they stand there.
    pub fn texts(&self) -> impl Iterator<Item = &'t str> {
        self.items().map(|item| item.text)
    }

    /// Whether there is a list at all, an empty one or not.
    #[must_use]
    pub const fn has_list(&self) -> bool {
        !self.lists.is_empty()
    }

    fn items(&self) -> impl Iterator<Item = &Item<'t>> {
        self.lists.iter().flat_map(|list| &list.items)
    }

    /// The text without the items for which `keep`, asked in their order, says no.
    ///
    /// # Errors
    ///
    /// [`Unreadable`].
    pub fn keep(&self, mut keep: impl FnMut() -> bool) -> Result<String, Unreadable> {
        let mut edits = Edits::of(self.text);
        for list in &self.lists {
            let kept = list.items.iter().filter(|_| keep());
            let kept: Vec<_> = kept.map(|item| item.text).collect();
            if kept.len() < list.items.len() {
                put(&mut edits, list.array, &kept)?;
            }
        }
        Ok(edits.apply())
    }

    /// The text with these items in its only list, and no others.
    ///
    /// # Errors
    ///
    /// [`Unreadable`] if there is not just one to put any into.
    pub fn with(&self, items: &[&str]) -> Result<String, Unreadable> {
        let mut edits = Edits::of(self.text);
        match self.lists.as_slice() {
            [] if items.is_empty() => {}
            [list] => put(&mut edits, list.array, items)?,
            _ => return Err(Unreadable),
        }
        Ok(edits.apply())
    }
}

impl<'t> List<'t> {
    fn read(array: &'t str, id: &Pointer) -> Result<Self, Unreadable> {
        let items = elements(array)?.into_iter();
        let items = items.map(|text| Item {
            text,
            id: id_at(text, id).ok().flatten(),
        });
        let items = items.collect();
        Ok(Self { array, items })
    }
}

fn put(edits: &mut Edits<'_>, array: &str, items: &[&str]) -> Result<(), Unreadable> {
    let new = format!("[{}]", items.join(","));
    edits.replace(array, new).map_err(|_| Unreadable)
}

/// That an object without the list holds no other, nor an object: a backend that calls its
/// list by another name is not taken for one that has none.
fn is_flat(object: &str) -> Result<(), Unreadable> {
    let members = members(object)?;
    let nested = |(_, value): &(String, &str)| value.starts_with(['[', '{']);
    if members.iter().any(nested) {
        return Err(Unreadable);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(items: &str, id: &str) -> FilterRule {
        FilterRule {
            items: items.parse().unwrap(),
            kind: "dataset".into(),
            id: id.parse().unwrap(),
            optional: false,
        }
    }

    fn without(text: &str, items: &str, gone: &[&str]) -> Result<String, Unreadable> {
        let listing = Listing::read(text, &rule(items, "/id"))?;
        let ids: Vec<_> = listing.ids().collect();
        let mut verdicts = ids
            .iter()
            .map(|id| id.is_some_and(|id| !gone.contains(&id)));
        listing.keep(|| verdicts.next().unwrap())
    }

    #[test]
    fn only_items_go_and_all_else_stays_as_it_was() {
        let text = r#"{ "n": 1.10, "list": [ {"id":"a","x":1e400}, {"id":2} ,{"id":"c"}], "z": {"k":[]} }"#;
        let filtered = r#"{ "n": 1.10, "list": [{"id":"a","x":1e400},{"id":"c"}], "z": {"k":[]} }"#;
        assert_eq!(without(text, "/list", &["2"]).unwrap(), filtered);
        assert_eq!(without(text, "/list", &[]).unwrap(), text);
    }

    #[test]
    fn an_item_whose_owner_cannot_be_told_goes() {
        let text = r#"[{"id":"a"},{"id":1.5},{},null,7,{"id":"b","id":"a"},{"id":["a"]}]"#;
        assert_eq!(without(text, "", &[]).unwrap(), r#"[{"id":"a"}]"#);
    }

    #[test]
    fn lists_in_lists_are_all_filtered() {
        let text = r#"{"groups":[{"of":[{"id":"a"}]},{"of":[{"id":"b"},{"id":"a"}]},{}]}"#;
        let filtered = r#"{"groups":[{"of":[]},{"of":[{"id":"b"}]},{}]}"#;
        assert_eq!(without(text, "/groups/*/of", &["a"]).unwrap(), filtered);
    }

    #[test]
    fn a_list_may_be_missing_only_where_nothing_else_could_be_it() {
        for text in [
            "{}",
            r#"{"next":"x","total":3}"#,
            r#"{"list":null}"#,
            "null",
        ] {
            assert_eq!(without(text, "/list", &[]).as_deref(), Ok(text));
        }
        assert_eq!(without("{}", "/page/list", &[]).as_deref(), Ok("{}"));
        for text in [
            r#"{"items":[{"id":"a"}]}"#,
            r#"{"page":{"list":[]}}"#,
            r#"{"list":{"id":"a"}}"#,
            r#"{"list":"a"}"#,
            "[]",
            "\"\"",
        ] {
            assert_eq!(without(text, "/list", &[]), Err(Unreadable), "{text}");
        }
        let hidden = r#"{"groups":[{"of":[]},{"in":[{"id":"a"}]}]}"#;
        assert_eq!(without(hidden, "/groups/*/of", &[]), Err(Unreadable));
    }

    #[test]
    fn the_items_of_the_only_list_can_be_others() {
        let text = r#"{"list":[1,2],"n":1}"#;
        let listing = Listing::read(text, &rule("/list", "")).unwrap();
        assert_eq!(listing.with(&["3"]).unwrap(), r#"{"list":[3],"n":1}"#);
        let none = Listing::read("{}", &rule("/list", "")).unwrap();
        assert_eq!(none.with(&[]).unwrap(), "{}");
        assert_eq!(none.with(&["3"]), Err(Unreadable));
    }
}
