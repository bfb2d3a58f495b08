//! How much of the stream belongs to the request that is being served.

use std::io;
use std::task::Context;

use super::abuse::Abuse;
use super::connection::Connection;
use super::frames::Frames;
use crate::policy::{Chunked, Framing};

/// What may still be read of the stream.
#[derive(Debug)]
pub(super) enum Span {
    /// Nothing: the request is complete.
    Ended,
    /// So many bytes, more than none.
    Length(u64),
    /// What is left of the chunks.
    Chunked(Chunked),
    /// All of it, as HTTP/2 frames.
    Frames(Box<Frames>),
}

impl From<Framing> for Span {
    fn from(framing: Framing) -> Self {
        match framing {
            Framing::Empty => Self::Ended,
            Framing::Length(length) => Self::Length(length),
            Framing::Chunked => Self::Chunked(Chunked::default()),
        }
    }
}

impl Span {
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
            Self::Ended => Ok(0),
            Self::Length(left) => {
                let taken = usize::try_from(*left).map_or(bytes.len(), |n| n.min(bytes.len()));
                *left -= taken as u64;
                if *left == 0 {
                    *self = Self::Ended;
                }
                Ok(taken)
            }
            Self::Chunked(chunks) => {
                let taken = chunks.follow(bytes).map_err(|malformed| {
                    connection.found_malformed();
                    io::Error::new(io::ErrorKind::InvalidData, malformed)
                })?;
                if chunks.is_done() {
                    *self = Self::Ended;
                }
                Ok(taken)
            }
            Self::Frames(frames) => match frames.follow(bytes) {
                Ok(()) => Ok(bytes.len()),
                Err(abuse) => Err(ended_for(abuse, connection)),
            },
        }
    }

    /// What goes out allows a client of HTTP/2 more.
    pub(super) fn follow_sent(&mut self, bytes: &[u8]) {
        if let Self::Frames(frames) = self {
            frames.follow_sent(bytes);
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
            _ => Ok(()),
        }
    }
}

/// The connection knows why; whoever reads it learns only that it ends.
fn ended_for(abuse: Abuse, connection: &Connection) -> io::Error {
    connection.found_abuse(abuse);
    io::Error::other(abuse.code())
}
