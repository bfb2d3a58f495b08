//! JSON (RFC 8259) and nothing more forgiving.
//!
//! The structure is read here, since no reader at hand refuses keys that are alike and keeps
//! numbers as they are spelt: `serde_json` does either only with a feature that changes all
//! other JSON of the program. Texts, with all their escapes, are left to it.

use ahash::AHashSet;

use super::super::{Keys, Malformed};
use super::tree::Tree;

/// How deep arrays and objects may be nested.
pub(super) const MAX_DEPTH: usize = 64;

/// Reads a whole text.
pub(super) fn parse(bytes: &[u8], keys: Keys) -> Result<Tree, Malformed> {
    let text = std::str::from_utf8(bytes).map_err(|_| Malformed::BodyEncoding)?;
    if text.starts_with('\u{feff}') {
        return Err(Malformed::BodyEncoding);
    }
    let mut reader = Reader { text, at: 0, keys };
    reader.blanks();
    let tree = reader.value(0)?;
    reader.blanks();
    if reader.at < text.len() {
        return Err(Malformed::Body);
    }
    Ok(tree)
}

struct Reader<'t> {
    text: &'t str,
    at: usize,
    keys: Keys,
}

impl Reader<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn blanks(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.peek() {
            self.at += 1;
        }
    }

    /// Passes a byte, if it comes next.
    fn takes(&mut self, byte: u8) -> bool {
        let next = self.peek() == Some(byte);
        self.at += usize::from(next);
        next
    }

    /// The next sign after blanks, and the blanks behind it.
    fn sign(&mut self, byte: u8) -> Result<(), Malformed> {
        self.blanks();
        if !self.takes(byte) {
            return Err(Malformed::Body);
        }
        self.blanks();
        Ok(())
    }

    fn value(&mut self, depth: usize) -> Result<Tree, Malformed> {
        match self.peek() {
            Some(b'{' | b'[') if depth == MAX_DEPTH => Err(Malformed::BodyDepth),
            Some(b'{') => self.map(depth + 1),
            Some(b'[') => self.list(depth + 1),
            Some(b'"') => self.text().map(Tree::Text),
            Some(b'-' | b'0'..=b'9') => self.number(),
            _ => self.word(),
        }
    }

    fn word(&mut self) -> Result<Tree, Malformed> {
        let words = [
            ("null", Tree::Null),
            ("true", Tree::Bool(true)),
            ("false", Tree::Bool(false)),
        ];
        let rest = &self.text[self.at..];
        let found = words.into_iter().find(|(word, _)| rest.starts_with(word));
        let (word, value) = found.ok_or(Malformed::Body)?;
        self.at += word.len();
        Ok(value)
    }

    fn list(&mut self, depth: usize) -> Result<Tree, Malformed> {
        let mut items = Vec::new();
        self.sign(b'[')?;
        if self.takes(b']') {
            return Ok(Tree::List(items));
        }
        loop {
            items.push(self.value(depth)?);
            self.blanks();
            if self.takes(b']') {
                return Ok(Tree::List(items));
            }
            self.sign(b',')?;
        }
    }

    fn map(&mut self, depth: usize) -> Result<Tree, Malformed> {
        let mut entries = Vec::new();
        self.sign(b'{')?;
        if self.takes(b'}') {
            return Ok(Tree::Map(entries));
        }
        loop {
            let key = self.text()?;
            self.sign(b':')?;
            entries.push((key, self.value(depth)?));
            self.blanks();
            if self.takes(b'}') {
                return self.distinct(entries).map(Tree::Map);
            }
            self.sign(b',')?;
        }
    }

    /// Of two keys that are alike one backend takes the first, another the last.
    fn distinct(&self, entries: Vec<(Box<str>, Tree)>) -> Result<Vec<(Box<str>, Tree)>, Malformed> {
        let mut seen = AHashSet::with_capacity(entries.len());
        let mut keys = entries.iter().map(|(key, _)| self.keys.fold(key));
        let distinct = keys.all(|key| seen.insert(key));
        drop(seen);
        if distinct {
            Ok(entries)
        } else {
            Err(Malformed::DuplicateKey)
        }
    }

    fn text(&mut self) -> Result<Box<str>, Malformed> {
        if self.peek() != Some(b'"') {
            return Err(Malformed::Body);
        }
        let bytes = self.text.as_bytes();
        let mut end = self.at + 1;
        loop {
            let rest = bytes.get(end..).ok_or(Malformed::Body)?;
            end += memchr::memchr2(b'"', b'\\', rest).ok_or(Malformed::Body)?;
            if bytes[end] == b'"' {
                break;
            }
            // Whatever is escaped does not end the text.
            end += 2;
        }
        let token = &self.text[self.at..=end];
        self.at = end + 1;
        serde_json::from_str(token).map_err(|_| Malformed::Body)
    }

    fn digits(&mut self) -> Result<(), Malformed> {
        let start = self.at;
        while let Some(b'0'..=b'9') = self.peek() {
            self.at += 1;
        }
        if self.at == start {
            return Err(Malformed::Body);
        }
        Ok(())
    }

    fn number(&mut self) -> Result<Tree, Malformed> {
        let start = self.at;
        self.takes(b'-');
        if !self.takes(b'0') {
            self.digits()?;
        }
        if self.takes(b'.') {
            self.digits()?;
        }
        if self.takes(b'e') || self.takes(b'E') {
            let _ = self.takes(b'+') || self.takes(b'-');
            self.digits()?;
        }
        Ok(Tree::Number(self.text[start..self.at].into()))
    }
}
