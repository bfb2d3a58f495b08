//! Changes of a text by its places.

use std::ops::Range;

/// A slice that is none of the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the place is none of this text")]
pub struct NoSuchPlace;

/// What is to be put in place of slices of one text.
#[derive(Debug)]
pub struct Edits<'t> {
    text: &'t str,
    edits: Vec<(Range<usize>, String)>,
}

impl<'t> Edits<'t> {
    /// None, so far.
    #[must_use]
    pub const fn of(text: &'t str) -> Self {
        Self {
            text,
            edits: Vec::new(),
        }
    }

    /// Puts `new` in the place of this slice of the text.
    ///
    /// # Errors
    ///
    /// [`NoSuchPlace`] for a slice of another.
    pub fn replace(&mut self, slice: &str, new: String) -> Result<(), NoSuchPlace> {
        let range = self.place(slice).ok_or(NoSuchPlace)?;
        self.edits.push((range, new));
        Ok(())
    }

    fn place(&self, slice: &str) -> Option<Range<usize>> {
        let begin = slice
            .as_ptr()
            .addr()
            .checked_sub(self.text.as_ptr().addr())?;
        let range = begin..begin.checked_add(slice.len())?;
        self.text.get(range.clone()).map(|_| range)
    }

    /// The text with all of it done. No two places may overlap.
    #[must_use]
    pub fn apply(mut self) -> String {
        self.edits.sort_by_key(|(range, _)| range.start);
        let mut done = String::with_capacity(self.text.len());
        let mut copied = 0;
        for (range, new) in self.edits {
            done.push_str(self.text.get(copied..range.start).unwrap_or_default());
            done.push_str(&new);
            copied = range.end;
        }
        done.push_str(&self.text[copied..]);
        done
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_places_change() {
        let text = String::from("one two three");
        let mut edits = Edits::of(&text);
        edits.replace(&text[8..], "3".to_owned()).unwrap();
        edits.replace(&text[..3], "1".to_owned()).unwrap();
        assert_eq!(edits.replace("two", String::new()), Err(NoSuchPlace));
        assert_eq!(edits.apply(), "1 two 3");
    }
}
