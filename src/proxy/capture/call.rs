//! A whole answer of the backend.

use http::header;
use pingora::http::RequestHeader;
use pingora::proxy::Session;

use super::Captured;
use crate::proxy::asking::wire;
use crate::proxy::call::{Begun, client_gone};
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
        let begun = self.begin(session, exchange, whole_answer).await?;
        let Begun {
            mut http,
            peer,
            head,
        } = begun;
        let read = wire::read_body(&mut http, exchange.rules.limits.answer, &peer);
        let read = if exchange.changes_objects() {
            read.await
        } else {
            tokio::select! {
                read = read => read,
                gone = client_gone(session) => Err(gone),
            }
        };
        match read {
            Ok(body) => {
                self.lineage.asker().release(http, &peer).await;
                Ok(Captured {
                    head,
                    body,
                    has_items: false,
                })
            }
            Err(error) => {
                http.shutdown().await;
                Err(error)
            }
        }
    }
}

/// The head that goes upstream, less what would make the answer partial or unreadable.
fn whole_answer(
    gateway: &Gateway,
    session: &mut Session,
    exchange: &mut Exchange,
) -> pingora::Result<RequestHeader> {
    let mut head = gateway.upstream_head(session, exchange)?;
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
