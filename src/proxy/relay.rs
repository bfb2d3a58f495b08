//! Requests whose body was read before they were decided on.
//!
//! Pingora hands a body on only as it reads it, or out of the 64 KiB that it keeps for another
//! attempt. So an exchange whose body is there already is the gateway's own; the answer is
//! passed on as it comes.

use http::{Version, header};
use pingora::http::{RequestHeader, ResponseHeader};
use pingora::protocols::http::HttpTask;
use pingora::protocols::http::client::HttpSession;
use pingora::proxy::Session;
use pingora::{Error, ErrorType};

use super::call::{Begun, client_gone};
use super::exchange::Exchange;
use super::gateway::Gateway;
use super::stages::content_length;

impl Gateway {
    /// Forwards a permitted request and passes its answer on.
    ///
    /// # Errors
    ///
    /// As Pingora's own flow, to be answered like that.
    pub(super) async fn relay(
        &self,
        session: &mut Session,
        exchange: &mut Exchange,
    ) -> pingora::Result<()> {
        let begun = self.begin(session, exchange, as_decided).await?;
        let Begun {
            mut http,
            peer,
            head,
        } = begun;
        match self.pass_on(session, exchange, &mut http, head).await {
            Ok(()) => {
                self.lineage.asker().release(http, &peer).await;
                Ok(())
            }
            Err(error) => {
                http.shutdown().await;
                Err(error)
            }
        }
    }

    async fn pass_on(
        &self,
        session: &mut Session,
        exchange: &mut Exchange,
        http: &mut HttpSession,
        mut head: ResponseHeader,
    ) -> pingora::Result<()> {
        let mut ended = has_ended(http, exchange, &head)?;
        exchange.ends_with_head = ended;
        if head.status.is_success() {
            self.forget(exchange).await?;
        }
        frame(exchange, &mut head, ended)?;
        self.pass_head(session, &mut head, exchange)?;
        write(session, HttpTask::Header(Box::new(head), ended)).await?;
        while !ended {
            let read = tokio::select! {
                read = http.read_response_body() => read.map_err(Error::into_up)?,
                gone = client_gone(session) => return Err(gone),
            };
            let Some(bytes) = read else {
                break;
            };
            ended = http_ended(http)?;
            if !bytes.is_empty() || ended {
                self.pass_body(bytes.len(), ended, exchange);
                write(session, HttpTask::Body(Some(bytes), ended)).await?;
            }
        }
        if !ended {
            self.end(session, exchange, http).await?;
        }
        Ok(())
    }

    /// The end of a body that was not known to be it: trailers, or nothing.
    async fn end(
        &self,
        session: &mut Session,
        exchange: &mut Exchange,
        http: &mut HttpSession,
    ) -> pingora::Result<()> {
        let trailers = match http {
            HttpSession::H2(stream) => stream.read_trailers().await.map_err(Error::into_up)?,
            _ => None,
        };
        let task = if let Some(mut trailers) = trailers {
            self.pass_trailers(&mut trailers, exchange);
            HttpTask::Trailer(Some(Box::new(trailers)))
        } else {
            self.record(exchange);
            HttpTask::Done
        };
        write(session, task).await
    }
}

fn as_decided(
    gateway: &Gateway,
    session: &mut Session,
    exchange: &mut Exchange,
) -> pingora::Result<RequestHeader> {
    gateway.upstream_head(session, exchange)
}

async fn write(session: &mut Session, task: HttpTask) -> pingora::Result<()> {
    let written = session.write_response_tasks(vec![task]).await;
    written.map(drop).map_err(Error::into_down)
}

/// Whether the head is all of the answer.
fn has_ended(
    http: &mut HttpSession,
    exchange: &Exchange,
    head: &ResponseHeader,
) -> pingora::Result<bool> {
    let ended = http_ended(http)?;
    let length = content_length(&head.headers);
    if ended
        && http.as_http2().is_some()
        && !exchange.has_no_answer_body(head.status)
        && length.is_some_and(|length| length > 0)
    {
        let problem = "an answer of some length that ends with its head";
        return Err(Error::explain(ErrorType::H2Error, problem).into_up());
    }
    Ok(ended)
}

fn http_ended(http: &mut HttpSession) -> pingora::Result<bool> {
    match http {
        HttpSession::H2(stream) => stream.check_response_end_or_error().map_err(Error::into_up),
        _ => Ok(http.response_done()),
    }
}

/// A body whose length is not known goes in chunks over HTTP/1.1; HTTP/2 has no use for them,
/// and its writer drops what says so.
fn frame(exchange: &Exchange, head: &mut ResponseHeader, ended: bool) -> pingora::Result<()> {
    head.set_version(Version::HTTP_11);
    let told = head.headers.contains_key(header::CONTENT_LENGTH)
        || head.headers.contains_key(header::TRANSFER_ENCODING);
    if !told && !ended && !exchange.has_no_answer_body(head.status) {
        head.insert_header(header::TRANSFER_ENCODING, "chunked")?;
    }
    Ok(())
}
