//! Queries: pairs of UTF-8 text, encoded afresh so that every backend splits them alike.

use std::borrow::Cow;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::{Keys, Malformed, path::percent_decode};

/// All but RFC 3986 unreserved and a few signs that mean nothing in a query.
/// `;` is always encoded: some servers split pairs at it.
const ENCODE: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b'/')
    .remove(b':')
    .remove(b'@')
    .remove(b',')
    .remove(b'*')
    .remove(b'!')
    .remove(b'(')
    .remove(b')')
    .remove(b'\'')
    .remove(b'$');

/// A parameter that may occur once occurred more often.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AmbiguousParameter;

/// A query, in canonical encoding; empty when there is none.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct CanonicalQuery {
    encoded: String,
}

impl CanonicalQuery {
    pub(super) fn parse(raw: &[u8]) -> Result<Self, Malformed> {
        let text = std::str::from_utf8(raw).map_err(|_| Malformed::Query)?;
        if raw.iter().any(|b| !b.is_ascii_graphic() || *b == b'#') {
            return Err(Malformed::Query);
        }
        let mut encoded = String::with_capacity(text.len());
        for pair in text.split('&').filter(|pair| !pair.is_empty()) {
            if !encoded.is_empty() {
                encoded.push('&');
            }
            encode_pair(pair, &mut encoded)?;
        }
        Ok(Self { encoded })
    }

    /// The query as it is sent upstream, without `?`.
    #[must_use]
    pub fn encoded(&self) -> &str {
        &self.encoded
    }

    /// The decoded pairs, in order.
    pub fn pairs(&self) -> impl Iterator<Item = (Cow<'_, str>, Cow<'_, str>)> {
        self.encoded
            .split('&')
            .filter(|pair| !pair.is_empty())
            .map(|pair| {
                let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
                (decoded(name), decoded(value))
            })
    }

    /// The value of a parameter that may be sent once.
    ///
    /// # Errors
    ///
    /// [`AmbiguousParameter`] if it was sent more than once, even with one value:
    /// backends differ in which they take.
    pub fn single(
        &self,
        name: &str,
        keys: Keys,
    ) -> Result<Option<Cow<'_, str>>, AmbiguousParameter> {
        let mut values = self.all(name, keys);
        match (values.next(), values.next()) {
            (value, None) => Ok(value),
            _ => Err(AmbiguousParameter),
        }
    }

    /// The values of a parameter, in order; names that `keys` takes for one are one.
    pub fn all<'q>(&'q self, name: &str, keys: Keys) -> impl Iterator<Item = Cow<'q, str>> {
        let values = self.pairs().filter(move |(key, _)| keys.same(key, name));
        values.map(|(_, value)| value)
    }

    /// Leaves one value of a parameter, behind all others.
    pub(super) fn set(&mut self, name: &str, keys: Keys, value: &str) {
        let pairs = self.encoded.split('&').filter(|pair| !pair.is_empty());
        let others = pairs.filter(|pair| {
            let key = pair.split_once('=').map_or(*pair, |(key, _)| key);
            !keys.same(&decoded(key), name)
        });
        let mut pairs: Vec<String> = others.map(str::to_owned).collect();
        let encode = |text| utf8_percent_encode(text, ENCODE);
        pairs.push(format!("{}={}", encode(name), encode(value)));
        self.encoded = pairs.join("&");
    }
}

fn encode_pair(pair: &str, out: &mut String) -> Result<(), Malformed> {
    let (name, value) = match pair.split_once('=') {
        Some((name, value)) => (name, Some(value)),
        None => (pair, None),
    };
    encode_text(name, out)?;
    if let Some(value) = value {
        out.push('=');
        encode_text(value, out)?;
    }
    Ok(())
}

fn encode_text(text: &str, out: &mut String) -> Result<(), Malformed> {
    if !text.contains(['%', '+']) {
        out.extend(utf8_percent_encode(text, ENCODE));
        return Ok(());
    }
    let bytes = percent_decode(text.as_bytes(), true).ok_or(Malformed::Query)?;
    let text = String::from_utf8(bytes).map_err(|_| Malformed::Query)?;
    if text.contains('\0') {
        return Err(Malformed::Query);
    }
    out.extend(utf8_percent_encode(&text, ENCODE));
    Ok(())
}

fn decoded(text: &str) -> Cow<'_, str> {
    percent_encoding::percent_decode_str(text).decode_utf8_lossy()
}
