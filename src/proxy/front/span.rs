//! How much of the stream belongs to the request that is being served.

use std::io;
use std::task::Context;

use super::abuse::Abuse;
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
            Self::Frames(frames) => match frames.follow(bytes) {
                Ok(()) => {
                    connection.have_been_taken(frames.requests());
                    Ok(bytes.len())
                }
                Err(abuse) => Err(ended_for(abuse, connection)),
            },
        }
    }

    /// All that came was read by whoever reads here.
    pub(super) fn settle(&self, connection: &Connection) {
        if let Self::Frames(frames) = self {
            connection.have_come(frames.requests());
        }
    }

    /// What goes out allows a client of HTTP/2 more.
    pub(super) fn follow_sent(&mut self, bytes: &[u8], connection: &Connection) {
        if let Self::Frames(frames) = self {
            connection.have_been_refused(frames.follow_sent(bytes));
            connection.end_with(frames.requests());
        }
    }

    /// Whether something of HTTP/2 took too long.
    ///
    /// # Errors
    ///
    /// If it did: the connection is to be ended.
    pub(super) fn poll_deadline(
        &mut self,
        cx: &mut Context<'_>,
        connection: &Connection,
    ) -> io::Result<()> {
        match self {
            Self::Frames(frames) => frames
                .poll_deadline(cx)
                .map_err(|abuse| ended_for(abuse, connection)),
            Self::Body(_) => Ok(()),
        }
    }
}

fn malformed(malformed: Malformed, connection: &Connection) -> io::Error {
    connection.found_malformed();
    io::Error::new(io::ErrorKind::InvalidData, malformed)
}

/// The connection knows why; whoever reads it learns only that it ends.
fn ended_for(abuse: Abuse, connection: &Connection) -> io::Error {
    connection.found_abuse(abuse);
    io::Error::other(abuse.code())
}
