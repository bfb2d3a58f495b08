//! How much of a stream belongs to the message that is being read.

use super::super::Malformed;
use super::chunked::Chunked;
use super::framing::Framing;

/// What is still to come of a body.
#[derive(Clone, Debug)]
pub enum BodySpan {
    /// Nothing: the message is complete.
    Ended,
    /// So many bytes, more than none.
    Length(u64),
    /// What is left of the chunks.
    Chunked(Chunked),
}

impl From<Framing> for BodySpan {
    fn from(framing: Framing) -> Self {
        match framing {
            Framing::Empty => Self::Ended,
            Framing::Length(length) => Self::Length(length),
            Framing::Chunked => Self::Chunked(Chunked::default()),
        }
    }
}

impl BodySpan {
    /// Whether the message is complete.
    #[must_use]
    pub const fn has_ended(&self) -> bool {
        matches!(self, Self::Ended)
    }

    /// How many of these bytes belong to it; the rest comes behind the message.
    ///
    /// # Errors
    ///
    /// [`Malformed::Chunk`] if they have no single meaning.
    pub fn follow(&mut self, bytes: &[u8]) -> Result<usize, Malformed> {
        let taken = match self {
            Self::Ended => 0,
            Self::Length(left) => {
                let taken = usize::try_from(*left).map_or(bytes.len(), |n| n.min(bytes.len()));
                *left -= taken as u64;
                taken
            }
            Self::Chunked(chunks) => chunks.follow(bytes)?,
        };
        let ended = match self {
            Self::Ended => true,
            Self::Length(left) => *left == 0,
            Self::Chunked(chunks) => chunks.is_done(),
        };
        if ended {
            *self = Self::Ended;
        }
        Ok(taken)
    }

    /// Whether these bytes, which come next, have a single meaning; nothing is taken.
    ///
    /// # Errors
    ///
    /// As of [`Self::follow`].
    pub fn foresee(&self, bytes: &[u8]) -> Result<(), Malformed> {
        match self {
            Self::Chunked(chunks) => chunks.clone().follow(bytes).map(drop),
            Self::Ended | Self::Length(_) => Ok(()),
        }
    }
}
