//! One request and its answer on one connection, for exchanges that are not Pingora's.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{StatusCode, Uri, Version, header};
use pingora::http::{RequestHeader, ResponseHeader};
use pingora::protocols::http::client::HttpSession;
use pingora::upstreams::peer::HttpPeer;
use pingora::{Error, ErrorType};

use crate::proxy::backend_answer::is_interim;
use crate::proxy::stages::content_length;
use crate::proxy::upstream::Upstream;

/// Interim answers (100, 103 and the like) before the answer.
const MAX_INTERIM: usize = 32;

/// Sends the head of a request.
pub(in crate::proxy) async fn write_head(
    http: &mut HttpSession,
    mut head: RequestHeader,
    upstream: &Upstream,
) -> pingora::Result<()> {
    let speaks_http2 = http.as_http2().is_some();
    if upstream.http2 != speaks_http2 {
        let problem = Error::explain(ErrorType::H2Error, "the backend speaks another HTTP");
        return Err(problem.into_up());
    }
    if speaks_http2 {
        address_by_uri(&mut head, upstream)?;
    }
    let written = http.write_request_header(Box::new(head)).await;
    written.map_err(Error::into_up)
}

/// HTTP/2 has `:authority` and `:scheme` in the place of `Host`.
fn address_by_uri(head: &mut RequestHeader, upstream: &Upstream) -> pingora::Result<()> {
    let unusable = |_| Error::explain(ErrorType::InternalError, "no target for HTTP/2");
    let target = std::str::from_utf8(head.raw_path())
        .unwrap_or_default()
        .to_owned();
    let host = head.remove_header(&header::HOST);
    let host = host.ok_or_else(|| Error::new(ErrorType::InternalError))?;
    let uri = Uri::builder()
        .scheme(upstream.scheme())
        .authority(host.as_bytes())
        .path_and_query(target)
        .build()
        .map_err(unusable)?;
    head.set_uri(uri);
    head.set_version(Version::HTTP_2);
    Ok(())
}

/// Sends all of a body, and its end.
pub(in crate::proxy) async fn write_body(
    http: &mut HttpSession,
    body: Bytes,
) -> pingora::Result<()> {
    let write = async {
        if !body.is_empty() {
            http.write_request_body(body, true).await?;
        }
        http.finish_request_body().await
    };
    write.await.map_err(Error::into_up)
}

/// The head of the answer. All of it is due as long after the first byte as that may take.
pub(in crate::proxy) async fn read_head(
    http: &mut HttpSession,
    peer: &HttpPeer,
) -> pingora::Result<ResponseHeader> {
    http.set_read_timeout(peer.options.read_timeout);
    let read = async {
        for _ in 0..MAX_INTERIM {
            http.read_response_header().await?;
            let head = http.response_header().cloned();
            let head = head.ok_or_else(|| Error::new(ErrorType::InternalError))?;
            if head.status == StatusCode::SWITCHING_PROTOCOLS {
                return Error::e_explain(ErrorType::InvalidHTTPHeader, "101 without being asked");
            }
            if !is_interim(head.status) {
                return Ok(head);
            }
        }
        Error::e_explain(ErrorType::InvalidHTTPHeader, "too many interim answers")
    };
    in_time(patience(peer), read).await
}

/// All of the body of the answer, which is due in as long as the backend may be silent.
pub(in crate::proxy) async fn read_body(
    http: &mut HttpSession,
    most: usize,
    peer: &HttpPeer,
) -> pingora::Result<Bytes> {
    let announced = http.response_header();
    let announced = announced.and_then(|head| content_length(&head.headers));
    if announced.is_some_and(|length| length > most as u64) {
        return Err(Error::explain(ErrorType::ReadError, "the answer is too long").into_up());
    }
    let read = async {
        let mut body = BytesMut::new();
        while let Some(bytes) = http.read_response_body().await? {
            if body.len() + bytes.len() > most {
                return Error::e_explain(ErrorType::ReadError, "the answer is too long");
            }
            body.extend_from_slice(&bytes);
        }
        if let HttpSession::H2(stream) = http {
            stream.check_response_end_or_error()?;
        }
        Ok(body.freeze())
    };
    in_time(patience(peer), read).await
}

fn patience(peer: &HttpPeer) -> Option<Duration> {
    peer.options.read_timeout.map(|silence| silence * 2)
}

async fn in_time<T>(
    patience: Option<Duration>,
    work: impl Future<Output = pingora::Result<T>>,
) -> pingora::Result<T> {
    let done = match patience {
        Some(patience) => tokio::time::timeout(patience, work).await,
        None => Ok(work.await),
    };
    let late = || Error::explain(ErrorType::ReadTimedout, "the answer is late");
    done.unwrap_or_else(|_| Err(late())).map_err(Error::into_up)
}
