//! A held answer, to the client.

use bytes::Bytes;
use http::{HeaderName, Method, StatusCode, header};
use pingora::Error;
use pingora::http::ResponseHeader;
use pingora::proxy::Session;

use super::Captured;
use crate::proxy::exchange::Exchange;
use crate::proxy::gateway::Gateway;
use crate::proxy::stages::drain;

/// Fields of the connection to the backend, and of the body as it was.
const LEFT_OUT: [HeaderName; 8] = [
    header::CONNECTION,
    header::TRANSFER_ENCODING,
    header::TRAILER,
    header::UPGRADE,
    header::PROXY_AUTHENTICATE,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    header::CONTENT_LENGTH,
];

/// Fields that tell of a list what is not in it any more.
const TELL_TALES: [HeaderName; 9] = [
    header::ETAG,
    header::LAST_MODIFIED,
    header::ACCEPT_RANGES,
    header::CONTENT_RANGE,
    header::LINK,
    HeaderName::from_static("content-md5"),
    HeaderName::from_static("digest"),
    HeaderName::from_static("repr-digest"),
    HeaderName::from_static("x-total-count"),
];

impl Exchange {
    /// Whether an answer with this status has no body (RFC 9110 §6.4.1).
    pub(in crate::proxy) fn has_no_answer_body(&self, status: StatusCode) -> bool {
        self.method == Some(Method::HEAD)
            || matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED)
    }
}

impl Gateway {
    pub(super) async fn deliver(
        &self,
        session: &mut Session,
        exchange: &mut Exchange,
        answer: Captured,
    ) -> pingora::Result<()> {
        let status = answer.head.status;
        let mut head = head(exchange, &answer)?;
        self.pass_head(session, &mut head, exchange)?;
        self.pass_body(answer.body.len(), true, exchange);
        let body = if exchange.has_no_answer_body(status) {
            Bytes::new()
        } else {
            answer.body
        };
        exchange.leave();
        let write = async {
            let downstream = session.as_downstream_mut();
            downstream.write_response_header(Box::new(head)).await?;
            downstream.write_response_body(body, true).await
        };
        write.await.map_err(Error::into_down)?;
        drain(session).await;
        Ok(())
    }
}

fn head(exchange: &Exchange, answer: &Captured) -> pingora::Result<ResponseHeader> {
    let status = answer.head.status;
    let mut head = ResponseHeader::build(status, Some(answer.head.headers.len()))?;
    let filtered = (status.is_success() && exchange.filters()) || exchange.rewrites_answer();
    for (name, value) in &answer.head.headers {
        let is_tell_tale = filtered && TELL_TALES.contains(name);
        if !is_tell_tale && !LEFT_OUT.contains(name) {
            head.append_header(name.clone(), value.clone())?;
        }
    }
    if !exchange.has_no_answer_body(status) {
        head.insert_header(header::CONTENT_LENGTH, answer.body.len().to_string())?;
    } else if let Some(length) = answer.head.headers.get(header::CONTENT_LENGTH)
        && exchange.method == Some(Method::HEAD)
        && !filtered
    {
        head.insert_header(header::CONTENT_LENGTH, length.clone())?;
    }
    Ok(head)
}
