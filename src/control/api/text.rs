//! Texts in bodies: bounded, and without characters that would do something.

use std::fmt;

use serde::de::{Deserializer, Error};
use serde::{Deserialize, Serialize};

use crate::domain::PrincipalName;

/// One line of 1 to `MOST` characters.
#[derive(Clone, Debug, Serialize)]
#[serde(transparent)]
pub(super) struct Text<const MOST: usize>(pub(super) String);

impl<'de, const MOST: usize> Deserialize<'de> for Text<MOST> {
    fn deserialize<D: Deserializer<'de>>(reader: D) -> Result<Self, D::Error> {
        let text = String::deserialize(reader)?;
        let length = text.chars().count();
        if length == 0 || length > MOST {
            return Err(D::Error::custom(format!(
                "a text has 1 to {MOST} characters"
            )));
        }
        if text.chars().any(char::is_control) {
            return Err(D::Error::custom("a text has no control characters"));
        }
        Ok(Self(text))
    }
}

impl<const MOST: usize> fmt::Display for Text<MOST> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A principal: an e-mail address, an id, or `TENANT/NAME` of a service account.
#[derive(Clone, Debug)]
pub(super) struct Who(pub(super) PrincipalName);

impl<'de> Deserialize<'de> for Who {
    fn deserialize<D: Deserializer<'de>>(reader: D) -> Result<Self, D::Error> {
        let text = Text::<254>::deserialize(reader)?;
        text.0.parse().map(Self).map_err(D::Error::custom)
    }
}
