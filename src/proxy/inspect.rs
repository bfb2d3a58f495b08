//! Bodies that are read before anything is decided.
//!
//! The backend gets none of it before the verdict, and then what was understood, not what
//! was sent ([`relay`](super::relay)).

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header;
use pingora::proxy::Session;

use super::exchange::Exchange;
use super::stages::content_length;
use crate::policy::{Body, BodyRule, Denial, has_no_body};

/// How long all of a body may take.
const PATIENCE: Duration = Duration::from_mins(1);

/// A body that was not read.
pub(super) enum Unread {
    /// It is refused.
    Refused(Denial),
    /// It broke off.
    Broken(Box<pingora::Error>),
}

impl From<Denial> for Unread {
    fn from(denial: Denial) -> Self {
        Self::Refused(denial)
    }
}

/// Reads the whole body; none of it if its head tells that it will be refused.
pub(super) async fn read(
    session: &mut Session,
    exchange: &Exchange,
    rule: &BodyRule,
    allowed: u64,
) -> Result<Body, Unread> {
    let most = rule.max.min(allowed);
    let announced = content_length(&session.req_header().headers);
    if announced.is_some_and(|length| length > most) {
        return Err(Denial::body_too_large().into());
    }
    let is_empty = has_no_body(&session.req_header().method) || session.as_mut().is_body_empty();
    rule.check(&session.req_header().headers, is_empty)?;
    if is_empty {
        return Ok(understood(session, rule, Bytes::new())?);
    }
    if session.req_header().headers.contains_key(header::EXPECT) {
        let told = session.as_downstream_mut().write_continue_response().await;
        told.map_err(|error| Unread::Broken(error.into_down()))?;
    }
    let whole = tokio::time::timeout(PATIENCE, collect(session, exchange, most)).await;
    let whole = whole.unwrap_or_else(|_| Err(Denial::body_timeout().into()))?;
    Ok(understood(session, rule, whole)?)
}

fn understood(session: &Session, rule: &BodyRule, whole: Bytes) -> Result<Body, Denial> {
    Body::read(rule, &session.req_header().headers, whole)
}

async fn collect(session: &mut Session, exchange: &Exchange, most: u64) -> Result<Bytes, Unread> {
    exchange.await_body();
    let mut whole = BytesMut::new();
    while let Some(bytes) = next(session).await? {
        if (whole.len() + bytes.len()) as u64 > most {
            return Err(Denial::body_too_large().into());
        }
        exchange.body_came(false);
        whole.extend_from_slice(&bytes);
    }
    exchange.body_came(true);
    Ok(whole.freeze())
}

async fn next(session: &mut Session) -> Result<Option<Bytes>, Unread> {
    let read = session.as_downstream_mut().read_request_body().await;
    read.map_err(|error| Unread::Broken(error.into_down()))
}
