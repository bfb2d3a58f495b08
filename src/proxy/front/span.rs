//! How much of the stream belongs to the request that is being served.

use std::io;

use super::connection::Connection;
use super::frames::Frames;
use crate::policy::{BodySpan, Framing, Malformed};

/// What may still be read of the stream.
#[derive(Debug)]
pub(super) enum Span {
    /// What is left of a request over HTTP/1.
    Body(BodySpan),
    /// All of it, as HTTP/2 frames.
    Frames(Box<Frames>),
}

impl From<Framing> for Span {
    fn from(framing: Framing) -> Self {
        Self::Body(framing.into())
    }
}

impl Span {
    /// Nothing may be read.
    pub(super) const CLOSED: Self = Self::Body(BodySpan::Ended);

    /// Whether the request is complete.
    pub(super) const fn has_ended(&self) -> bool {
        matches!(self, Self::Body(body) if body.has_ended())
    }

    /// Whether these bytes, which come next, can be read; nothing is taken.
    ///
    /// # Errors
    ///
    /// If they have no single meaning.
    pub(super) fn foresee(&self, bytes: &[u8], connection: &Connection) -> io::Result<()> {
        match self {
            Self::Body(body) => body.foresee(bytes).map_err(|it| malformed(it, connection)),
            Self::Frames(_) => Ok(()),
        }
    }

    /// How many of these bytes belong to it; the rest is for the next request.
    ///
    /// # Errors
    ///
    /// If they have no single meaning, or cost more than they may.
    pub(super) fn follow(&mut self, bytes: &[u8], connection: &Connection) -> io::Result<usize> {
        if bytes.is_empty() {
            return Ok(0);
        }
        match self {
            Self::Body(body) => body.follow(bytes).map_err(|it| malformed(it, connection)),
            Self::Frames(frames) => frames.follow(bytes).map(|()| bytes.len()),
        }
    }
}

fn malformed(malformed: Malformed, connection: &Connection) -> io::Error {
    connection.found_malformed();
    io::Error::new(io::ErrorKind::InvalidData, malformed)
}
