//! The way to a backend over HTTP/1: one request and one answer at a time.
//!
//! A connection is lent for one exchange ([`lease`]). The lease follows what is written until
//! the request is complete, and reads the answer as strictly as the front reads requests:
//! Pingora is given one answer that has one meaning, and then the end of the stream. Only if
//! both are complete, and nothing came behind, is the connection kept ([`pool`]).
//!
//! What a backend sends when it was asked for nothing may still be on its way when the next
//! request goes out; then nothing tells it from the answer. So a kept connection serves only
//! whoever it served before: what comes too late reaches nobody else.
//!
//! HTTP/2 needs none of this. There an answer names its stream, and the number of a stream is
//! never used again.

mod asked;
mod dial;
mod lease;
mod pool;

pub(super) use dial::Dial;
pub(super) use pool::{Holder, Place, Pool};
