//! The people's names, written into an answer.

use super::super::json_text::{Unreadable, rewrite_texts, text_at};
use super::super::{FilterRule, Pointer, PointerSegment};
use super::{Home, NamePlaces, NameTest, Prefix, ToldName};

impl NamePlaces {
    /// The answer with the names of this project as its people know them. What is not where it
    /// is said to be stays as it is: it is the backend's name, and means the same.
    #[must_use]
    pub fn shown(&self, home: &Home, text: &str) -> Option<String> {
        let mut changed: Option<String> = None;
        for told in &self.told {
            let Some(prefix) = self.prefix(&told.kind, home) else {
                continue;
            };
            let text = changed.as_deref().unwrap_or(text);
            let shown = rewrite_texts(text, &told.at, |name| told.shown(&prefix, name));
            if let Ok(shown) = shown {
                changed = Some(shown);
            }
        }
        changed
    }

    /// The words of an error without the prefix of the project.
    #[must_use]
    pub fn shown_error(&self, home: &Home, text: &str) -> String {
        let prefixes = self
            .namespaces
            .iter()
            .filter_map(|(kind, _)| self.prefix(kind, home));
        prefixes.fold(text.to_owned(), |text, prefix| {
            text.replace(prefix.as_str(), "")
        })
    }

    /// Whether an item's name meets all tests. One without a name meets none.
    ///
    /// # Errors
    ///
    /// [`Unreadable`].
    pub fn meets(
        &self,
        home: &Home,
        rule: &FilterRule,
        item: &str,
        tests: &[NameTest],
    ) -> Result<bool, Unreadable> {
        if tests.is_empty() {
            return Ok(true);
        }
        let place = self.name_in(rule).ok_or(Unreadable)?;
        let prefix = self.prefix(&rule.kind, home).ok_or(Unreadable)?;
        let name = text_at(item, &place)?;
        Ok(name.is_some_and(|name| {
            let name = prefix.strip(&name);
            tests.iter().all(|test| test.holds(name))
        }))
    }

    /// Where the name is in an item of a list.
    #[must_use]
    pub fn name_in(&self, rule: &FilterRule) -> Option<Pointer> {
        let of_list = |told: &&ToldName| told.kind == rule.kind && told.forms.is_empty();
        self.told.iter().filter(of_list).find_map(|told| {
            let rest = told.at.segments().strip_prefix(rule.items.segments())?;
            match rest.split_first()? {
                (PointerSegment::Each, rest) => Some(Pointer::of(rest)),
                _ => None,
            }
        })
    }
}

impl ToldName {
    fn shown(&self, prefix: &Prefix, text: &str) -> Option<String> {
        if self.forms.is_empty() {
            let name = prefix.strip(text);
            return (name != text).then(|| name.to_owned());
        }
        let mut forms = self.forms.iter();
        let (form, (name, rest)) = forms.find_map(|form| Some((form, form.split(text)?)))?;
        let name = prefix.strip(name);
        Some(format!("{}{name}{}{rest}", form.before, form.after))
    }
}
