//! The answer as text. It was asked for as it is; some backends compress all the same.

use std::io::Read as _;

use bytes::Bytes;
use flate2::read::MultiGzDecoder;
use http::header;

use super::{Captured, fail, unreadable};
use crate::policy::json_text::Unreadable;
use crate::proxy::exchange::Exchange;
use crate::proxy::rescue::Failure;

impl Captured {
    /// Takes the compression off.
    pub(super) fn decode(&mut self, exchange: &mut Exchange) -> pingora::Result<()> {
        let codings = self.head.headers.get_all(header::CONTENT_ENCODING);
        let mut codings = codings.iter().map(http::HeaderValue::as_bytes);
        let plain = match (codings.next(), codings.next()) {
            (None, _) => return Ok(()),
            (Some(b"identity"), None) => Some(self.body.clone()),
            (Some(b"gzip" | b"x-gzip"), None) if self.body.is_empty() => Some(Bytes::new()),
            (Some(b"gzip" | b"x-gzip"), None) => gunzip(&self.body, exchange.rules.limits.answer),
            _ => None,
        };
        self.body = plain.ok_or_else(|| fail(exchange, Failure::UpstreamBroken))?;
        self.head.remove_header(&header::CONTENT_ENCODING);
        Ok(())
    }

    pub(super) fn text(&self, exchange: &mut Exchange) -> pingora::Result<&str> {
        let text = std::str::from_utf8(&self.body).map_err(|_| Unreadable);
        text.map_err(unreadable(exchange))
    }
}

/// Never more than an answer may be long, whatever it was packed into.
fn gunzip(packed: &[u8], most: usize) -> Option<Bytes> {
    let mut plain = Vec::new();
    let most = most as u64;
    let mut reader = MultiGzDecoder::new(packed).take(most + 1);
    let read = reader.read_to_end(&mut plain).ok()?;
    (read as u64 <= most).then(|| plain.into())
}
