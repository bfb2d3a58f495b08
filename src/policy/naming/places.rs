//! The values in the places of a request.

use std::borrow::Cow;

use super::super::{
    AmbiguousParameter, Body, BodyValue, Keys, Malformed, Params, Question, Source, deciding_header,
};

/// A request, with its body if its route reads that.
#[derive(Clone, Copy)]
pub(in crate::policy) struct Places<'q> {
    question: &'q Question<'q>,
    params: Option<Params<'q>>,
    body: Option<&'q Body>,
    keys: Keys,
}

/// What stands in a place.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::policy) enum Found<'q> {
    Text(Cow<'q, str>),
    /// As spelt.
    Number(&'q str),
    Bool(bool),
    /// An array or an object.
    Several,
}

impl<'q> Places<'q> {
    pub fn new(question: &'q Question<'q>, body: Option<&'q Body>) -> Self {
        Self {
            question,
            params: question.params(),
            body,
            keys: question.keys(),
        }
    }

    /// What stands in a place: one value, or as many as a list has. `None` stands for what is
    /// not there, null, or an empty text.
    pub fn values(&self, source: &Source) -> Result<Vec<Option<Found<'q>>>, Malformed> {
        let query = self.question.request.query();
        let values: Vec<Option<Found<'q>>> = match source {
            Source::Path(name) => {
                let value = self.params;
                let value = value.and_then(|params| params.get(name, &self.question.path));
                // The value may borrow from this look-up.
                vec![value.map(|text| Found::Text(Cow::Owned(text.into_owned())))]
            }
            Source::Query(name) => {
                let value = query.single(name, self.keys);
                let value = value.map_err(|AmbiguousParameter| Malformed::RepeatedParameter)?;
                vec![value.map(Found::Text)]
            }
            Source::QueryEach(name) => {
                let values = query.all(name, self.keys);
                values.map(Found::Text).map(Some).collect()
            }
            Source::Header(name) => {
                let value = deciding_header(self.question.headers, name)?;
                vec![value.map(|text| Found::Text(Cow::Borrowed(text)))]
            }
            Source::Body(pointer) => match self.body {
                Some(body) => {
                    let found = body.find(pointer)?;
                    found.into_iter().map(|it| it.map(Found::of)).collect()
                }
                None => vec![None],
            },
        };
        let stands = |value: &Found<'_>| !matches!(value, Found::Text(text) if text.is_empty());
        Ok(values
            .into_iter()
            .map(|value| value.filter(stands))
            .collect())
    }
}

impl<'q> Found<'q> {
    fn of(value: BodyValue<'q>) -> Self {
        match value {
            BodyValue::Text(text) => Self::Text(Cow::Borrowed(text)),
            BodyValue::Number(spelt) => Self::Number(spelt),
            BodyValue::Bool(value) => Self::Bool(value),
            BodyValue::Bytes(bytes) => Self::Text(Cow::Owned(hex(bytes))),
            BodyValue::Several => Self::Several,
        }
    }

    /// The one text that it can be compared as: that of a text, of true and false, and of a
    /// whole number in its plain spelling. Other numbers have several.
    pub fn text(self) -> Result<Cow<'q, str>, Malformed> {
        match self {
            Self::Text(text) => Ok(text),
            Self::Bool(true) => Ok("true".into()),
            Self::Bool(false) => Ok("false".into()),
            Self::Number(spelt) if is_plain(spelt) => Ok(spelt.into()),
            Self::Number(_) | Self::Several => Err(Malformed::BodyShape),
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: [char; 16] = [
        '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f',
    ];
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits.map(|digit| DIGITS[usize::from(digit)]).collect()
}

/// A whole number as everybody writes it; JSON itself has no leading zeros.
fn is_plain(spelt: &str) -> bool {
    let digits = spelt.strip_prefix('-').unwrap_or(spelt);
    digits.bytes().all(|byte| byte.is_ascii_digit()) && spelt != "-0"
}
