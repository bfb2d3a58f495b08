//! An exchange with a backend that is the gateway's own, not Pingora's: from the first attempt
//! to the head of the answer.

use http::header;
use pingora::http::{RequestHeader, ResponseHeader};
use pingora::protocols::http::client::HttpSession;
use pingora::proxy::Session;
use pingora::upstreams::peer::HttpPeer;
use pingora::{Error, ErrorSource, ErrorType};

use super::asking::wire;
use super::attempt::Attempts;
use super::exchange::Exchange;
use super::gateway::Gateway;

/// Builds the head that goes upstream, once for each attempt.
pub(super) type Head = fn(&Gateway, &mut Session, &mut Exchange) -> pingora::Result<RequestHeader>;

/// The request was sent, and the head of its answer has come.
pub(super) struct Begun {
    pub(super) http: HttpSession,
    pub(super) peer: Box<HttpPeer>,
    pub(super) head: ResponseHeader,
}

impl Gateway {
    /// Forwards a permitted request and waits for the head of the answer. By the same rules
    /// for attempts and time-outs as Pingora's own exchanges.
    pub(super) async fn begin(
        &self,
        session: &mut Session,
        exchange: &mut Exchange,
        head: Head,
    ) -> pingora::Result<Begun> {
        exchange.attempts = Attempts::default();
        loop {
            let peer = self.next_peer(exchange)?;
            let connected = self.lineage.asker().connect(&peer).await;
            let (mut http, reused) = match connected {
                Ok(connected) => connected,
                Err(mut error) => {
                    Self::not_connected(exchange, &peer, &mut error);
                    if error.retry() {
                        continue;
                    }
                    return Err(error.into_up());
                }
            };
            let asked = self.converse(session, exchange, &mut http, &peer, head);
            match asked.await {
                Ok(head) => return Ok(Begun { http, peer, head }),
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
        head: Head,
    ) -> pingora::Result<ResponseHeader> {
        let head = head(self, session, exchange)?;
        let Some(upstream) = exchange.upstream.clone() else {
            return Error::e_explain(ErrorType::InternalError, "no upstream");
        };
        http.set_write_timeout(peer.options.write_timeout);
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
        let head = wire::read_head(http, peer);
        let head = if exchange.changes_objects() {
            // Whoever asked for it may be gone: it is done all the same.
            head.await?
        } else {
            tokio::select! {
                head = head => head?,
                gone = client_gone(session) => return Err(gone),
            }
        };
        exchange.status = Some(head.status);
        Self::answered(exchange);
        Ok(head)
    }
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
pub(super) async fn client_gone(session: &mut Session) -> Box<Error> {
    loop {
        if let Err(error) = session.as_downstream_mut().read_body_or_idle(true).await {
            return error.into_down();
        }
        // Bytes of a next request: it waits.
        std::future::pending::<()>().await;
    }
}
