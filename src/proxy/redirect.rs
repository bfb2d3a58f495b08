//! The answer of an address that knows nothing but the way to TLS.
//!
//! It needs no permit and makes none, so nothing behind it can be reached.

use pingora::proxy::Session;

use super::answer::Answer;
use super::exchange::{Exchange, Outcome};
use super::gateway::Gateway;
use super::stages::drain;
use crate::policy::{CanonicalRequest, Facts};

/// What `https://` means without a port.
const DEFAULT_PORT: u16 = 443;

impl Gateway {
    /// Sends a well-formed request to the same target at `port`.
    pub(super) async fn redirect(
        &self,
        session: &mut Session,
        exchange: &mut Exchange,
        port: u16,
    ) -> pingora::Result<()> {
        let request = match self.within_bounds(session, exchange) {
            Ok(()) => self.understood(session, exchange).await,
            Err(denial) => Err(denial),
        };
        let request = match request {
            Ok(request) => request,
            Err(denial) => {
                return self
                    .refuse(session, exchange, denial, Facts::default())
                    .await;
            }
        };
        let answer = Answer::redirect(location(&request, port), exchange.request_id());
        exchange.request = Some(request);
        exchange.outcome = Outcome::Redirected;
        exchange.status = Some(answer.status());
        self.record(exchange);
        answer.write(session, &exchange.rate).await?;
        drain(session).await;
        Ok(())
    }
}

fn location(request: &CanonicalRequest, port: u16) -> String {
    let (host, target) = (request.host(), request.target());
    if port == DEFAULT_PORT {
        format!("https://{host}{target}")
    } else {
        format!("https://{host}:{port}{target}")
    }
}
