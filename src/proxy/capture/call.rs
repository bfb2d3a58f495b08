//! One exchange with the backend, attempts included.

use http::header;
use pingora::http::RequestHeader;
use pingora::protocols::http::client::HttpSession;
use pingora::proxy::Session;
use pingora::upstreams::peer::HttpPeer;
use pingora::{Error, ErrorSource, ErrorType};

use super::Captured;
use crate::proxy::asking::{MAX_ANSWER, wire};
use crate::proxy::attempt::Attempts;
use crate::proxy::exchange::Exchange;
use crate::proxy::gateway::Gateway;

/// Fields that ask for a part of the answer.
const PARTIAL: [header::HeaderName; 2] = [header::RANGE, header::IF_RANGE];
/// Fields that ask for a list if it is another than before: what is taken out may be.
const CONDITIONAL: [header::HeaderName; 4] = [
    header::IF_NONE_MATCH,
    header::IF_MODIFIED_SINCE,
    header::IF_MATCH,
    header::IF_UNMODIFIED_SINCE,
];

impl Gateway {
    /// Forwards the request and reads the answer.
    pub(super) async fn call(
        &self,
        session: &mut Session,
        exchange: &mut Exchange,
    ) -> pingora::Result<Captured> {
        exchange.attempts = Attempts::default();
        loop {
            let peer = self.next_peer(exchange)?;
            let asker = self.lineage.asker();
            let (mut http, reused) = match asker.connect(&peer).await {
                Ok(connected) => connected,
                Err(mut error) => {
                    Self::not_connected(exchange, &peer, &mut error);
                    if error.retry() {
                        continue;
                    }
                    return Err(error.into_up());
                }
            };
            match self.converse(session, exchange, &mut http, &peer).await {
                Ok(answer) => {
                    asker.release(http, &peer).await;
                    return Ok(answer);
                }
                Err(mut error) => {
                    http.shutdown().await;
                    self.not_answered(session, exchange, &peer, &mut error, reused);
                    if !error.retry() {
                        return Err(error);
                    }
                }
            }
        }
    }

    async fn converse(
        &self,
        session: &mut Session,
        exchange: &mut Exchange,
        http: &mut HttpSession,
        peer: &HttpPeer,
    ) -> pingora::Result<Captured> {
        let head = whole_answer(session, exchange)?;
        let Some(upstream) = exchange.upstream.clone() else {
            return Error::e_explain(ErrorType::InternalError, "no upstream");
        };
        wire::write_head(http, head, &upstream).await?;
        let sent = match exchange.forwarded.body.clone() {
            Some(whole) => wire::write_body(http, whole).await,
            None => stream(session, exchange, http).await,
        };
        if let Err(error) = sent
            && (*error.esource() != ErrorSource::Upstream || exchange.failure.is_some())
        {
            return Err(error);
        }
        // A backend may have answered before it read all, and then closed.
        if exchange.changes_objects() {
            // Whoever asked for it may be gone: it is done all the same.
            return receive(exchange, http, peer).await;
        }
        tokio::select! {
            answer = receive(exchange, http, peer) => answer,
            gone = client_gone(session) => Err(gone),
        }
    }
}

async fn receive(
    exchange: &mut Exchange,
    http: &mut HttpSession,
    peer: &HttpPeer,
) -> pingora::Result<Captured> {
    let head = wire::read_head(http, peer).await?;
    exchange.status = Some(head.status);
    Gateway::answered(exchange);
    let body = wire::read_body(http, MAX_ANSWER, peer).await?;
    Ok(Captured { head, body })
}

/// The head that goes upstream, less what would make the answer partial or unreadable.
fn whole_answer(session: &mut Session, exchange: &mut Exchange) -> pingora::Result<RequestHeader> {
    let mut head = Gateway::rebuilt(session, exchange)?;
    head.insert_header(header::ACCEPT_ENCODING, "identity")?;
    // The client is told to go on here.
    head.remove_header(&header::EXPECT);
    for name in &PARTIAL {
        head.remove_header(name);
    }
    if exchange.rewrites_answer() {
        for name in &CONDITIONAL {
            head.remove_header(name);
        }
    }
    let streams = exchange.forwarded.body.is_none() && !session.as_mut().is_body_empty();
    let is_http1 = exchange.upstream.as_ref().is_some_and(|it| !it.http2);
    if streams && is_http1 && !head.headers.contains_key(header::CONTENT_LENGTH) {
        head.insert_header(header::TRANSFER_ENCODING, "chunked")?;
    }
    Ok(head)
}

/// Passes the client's body on as it comes.
async fn stream(
    session: &mut Session,
    exchange: &mut Exchange,
    http: &mut HttpSession,
) -> pingora::Result<()> {
    let waits = session.req_header().headers.contains_key(header::EXPECT);
    if waits && !session.as_mut().is_body_empty() {
        let told = session.as_downstream_mut().write_continue_response().await;
        told.map_err(Error::into_down)?;
    }
    while !session.as_mut().is_body_done() {
        let read = session.as_downstream_mut().read_request_body().await;
        let Some(bytes) = read.map_err(Error::into_down)? else {
            break;
        };
        exchange.body_came(false);
        exchange.count_body(bytes.len())?;
        if !bytes.is_empty() {
            let written = http.write_request_body(bytes, false).await;
            written.map_err(Error::into_up)?;
        }
    }
    exchange.body_came(true);
    let finished = http.finish_request_body().await;
    finished.map_err(Error::into_up)
}

/// Waits for the client to go away.
async fn client_gone(session: &mut Session) -> Box<Error> {
    loop {
        if let Err(error) = session.as_downstream_mut().read_body_or_idle(true).await {
            return error.into_down();
        }
        // Bytes of a next request: it waits.
        std::future::pending::<()>().await;
    }
}
