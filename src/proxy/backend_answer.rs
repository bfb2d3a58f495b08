//! The answer of a backend on its way to the client: what of it passes, and where it ends.

use http::{HeaderMap, HeaderName, Method, StatusCode, Version, header};
use pingora::http::ResponseHeader;
use pingora::proxy::Session;
use pingora::{Error, ErrorType};

use super::client::X_REQUEST_ID;
use super::control_plane;
use super::exchange::Exchange;
use super::gateway::Gateway;
use super::stages::content_length;
use super::{cookies, grpc};

/// All of a head, as lines.
const MAX_BYTES: usize = 64 * 1024;
/// Field lines.
const MAX_FIELDS: usize = 256;
/// What a line has besides name and value: colon, blank, CR and LF.
const LINE: usize = 4;
/// Fields that mean nothing but harm behind a body.
const HEADS: [HeaderName; 9] = [
    header::SET_COOKIE,
    header::CONTENT_LENGTH,
    header::CONTENT_TYPE,
    header::CONTENT_ENCODING,
    header::CONTENT_RANGE,
    header::LOCATION,
    header::CACHE_CONTROL,
    header::WWW_AUTHENTICATE,
    header::HOST,
];

impl Gateway {
    /// The head of an answer came, an interim one or the one.
    pub(super) fn pass_head(
        &self,
        session: &Session,
        response: &mut ResponseHeader,
        exchange: &mut Exchange,
    ) -> pingora::Result<()> {
        let status = response.status;
        bounded(response)?;
        strip_framing(&session.req_header().method, response);
        if is_interim(status) {
            // Whose cookies and ids these are does not depend on when they are said.
            strip_own(response)?;
            response.remove_header(&X_REQUEST_ID);
            return exchange.count_interim();
        }
        if status == StatusCode::SWITCHING_PROTOCOLS {
            exchange.switch_protocols()?;
        }
        exchange.status = Some(status);
        Self::answered(exchange);
        if grpc::is_spoken(&response.headers) {
            exchange.grpc_status = grpc::outcome(&response.headers);
        }
        if let Some(sent) = exchange.sent_upstream {
            let spent = self.clock.instant().duration_since(sent);
            let seconds = &self.metrics.requests.upstream_seconds;
            seconds.observe(spent.as_secs_f64());
        }
        let request = session.req_header();
        if request.version == Version::HTTP_10 {
            // It knows no chunks (RFC 9112 §6.1): the connection's end is the body's.
            response.remove_header(&header::TRANSFER_ENCODING);
        }
        if exchange.upstream.as_ref().is_some_and(|it| it.is_own()) {
            exchange.refused = control_plane::take_refusal(response);
        } else {
            strip_own(response)?;
        }
        response.insert_header(X_REQUEST_ID, exchange.request_id())?;
        exchange.rate.tell(response)?;
        exchange.body_left = content_length(&response.headers);
        if exchange.ends_with_head || ends_with_head(&request.method, response) {
            self.record(exchange);
        }
        Ok(())
    }

    /// So many bytes of its body came. The event is in the spool before the last of them
    /// leaves.
    pub(super) fn pass_body(&self, length: usize, is_end: bool, exchange: &mut Exchange) {
        let left = exchange.body_left.as_mut();
        let complete = left.is_some_and(|left| {
            *left = left.saturating_sub(length as u64);
            *left == 0
        });
        if complete || is_end {
            self.record(exchange);
        }
    }

    /// Trailers come last: as the last byte of a body, they wait for the event.
    pub(super) fn pass_trailers(&self, trailers: &mut HeaderMap, exchange: &mut Exchange) {
        exchange.grpc_status = grpc::outcome(trailers).or(exchange.grpc_status);
        keep_trailers(trailers);
        self.record(exchange);
    }
}

/// An answer follows: 100, 103 and the like.
pub(super) fn is_interim(status: StatusCode) -> bool {
    status.is_informational() && status != StatusCode::SWITCHING_PROTOCOLS
}

/// Where there is no body, nothing is said of its coding, nor of a length that it cannot
/// have (RFC 9110 §8.6): a client that believes it would wait for one.
fn strip_framing(method: &Method, response: &mut ResponseHeader) {
    let status = response.status;
    let never = status.is_informational() || status == StatusCode::NO_CONTENT;
    if never {
        response.remove_header(&header::CONTENT_LENGTH);
    }
    if never || status == StatusCode::NOT_MODIFIED || method == Method::HEAD {
        response.remove_header(&header::TRANSFER_ENCODING);
    }
}

/// Of an answer's trailers: what must be said in its head (RFC 9110 §6.5.1), or by the gateway
/// alone, is not believed behind it either.
fn keep_trailers(trailers: &mut HeaderMap) {
    let heads = |name: &HeaderName| HEADS.contains(name) || is_own(name);
    let dropped: Vec<_> = trailers.keys().filter(|it| heads(it)).cloned().collect();
    for name in dropped {
        trailers.remove(name);
    }
}

fn is_own(name: &HeaderName) -> bool {
    name.as_str().starts_with("x-portcullis-") || *name == X_REQUEST_ID
}

/// A backend of HTTP/1 is held to the same ([`crate::policy::AnswerReader`]).
fn bounded(response: &ResponseHeader) -> pingora::Result<()> {
    let sizes = response.headers.iter();
    let sizes = sizes.map(|(name, value)| name.as_str().len() + value.len() + LINE);
    let legal = response.status.as_u16() < 600
        && response.headers.len() <= MAX_FIELDS
        && sizes.sum::<usize>() <= MAX_BYTES;
    if legal {
        return Ok(());
    }
    Err(Error::explain(
        ErrorType::InvalidHTTPHeader,
        "no answer, or too large a head",
    )
    .into_up())
}

/// What only the gateway says, and sets, does not come from a backend.
fn strip_own(response: &mut ResponseHeader) -> pingora::Result<()> {
    let names = response.headers.keys();
    let own: Vec<_> = names
        .filter(|name| name.as_str().starts_with("x-portcullis-"))
        .cloned()
        .collect();
    for name in own {
        response.remove_header(&name);
    }
    if let Some(kept) = cookies::set_without_own(&response.headers) {
        response.remove_header(&header::SET_COOKIE);
        for cookie in kept {
            response.append_header(header::SET_COOKIE, cookie)?;
        }
    }
    Ok(())
}

/// RFC 9110 §6.4.1, and an upgrade, after which there is no more HTTP.
fn ends_with_head(method: &Method, response: &ResponseHeader) -> bool {
    method == Method::HEAD
        || matches!(
            response.status,
            StatusCode::SWITCHING_PROTOCOLS | StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED
        )
        || content_length(&response.headers) == Some(0)
}
