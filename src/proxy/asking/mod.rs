//! The gateway's own requests to a backend.
//!
//! They go where the clients' requests go and by the same rules: addresses in turn, those
//! left alone that gave no answers, and time-outs. What comes back is bounded and read
//! strictly: a backend may be wrong, and may be hostile.
//!
//! | file | what |
//! |---|---|
//! | `question.rs` | a request, with ids put into it |
//! | `wire.rs` | one request and its answer on one connection |
//! | `parents.rs` | which object another belongs to |
//! | `listing.rs` | all objects that a backend has |
//! | `visible.rs` | whether a backend shows an object to a project |
//! | `owners.rs` | whose an object is, in the end |
//! | `search.rs` | the same, outside of a gateway |

mod listing;
mod owners;
mod parents;
mod question;
mod search;
mod visible;
pub(super) mod wire;

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, header};
use pingora::connectors::http::Connector;
use pingora::http::RequestHeader;
use pingora::protocols::http::client::HttpSession;
use pingora::upstreams::peer::{HttpPeer, Peer as _};
use pingora::{Error, ErrorType};
use smallvec::SmallVec;

pub use listing::{ListedObject, ListingError, Listings};
pub use owners::Lineage;
pub(super) use owners::Unresolved;
pub(super) use question::Question;
pub use search::{OwnerSearch, OwnersUnknown};

use super::assertion::Assertions;
use super::back::Holder;
use super::headers::put_identity;
use super::rescue::Failure;
use super::upstream::Upstream;
use crate::config::HostRewrite;
use crate::policy::{Permit, RouteTimeouts};

/// Longest answer to a question of the gateway's own, in bytes.
const MAX_ANSWER: usize = 8 << 20;
/// Attempts for one question.
const ATTEMPTS: usize = 3;
/// Of one question, all attempts together.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Asks backends.
pub struct Asker {
    connector: Connector,
    assertions: Option<Assertions>,
}

impl Default for Asker {
    fn default() -> Self {
        Self {
            connector: Connector::new(None),
            assertions: None,
        }
    }
}

impl Asker {
    /// One that can sign for whoever it asks for.
    #[must_use]
    pub fn asserting(assertions: Assertions) -> Self {
        Self {
            assertions: Some(assertions),
            ..Self::default()
        }
    }
}

/// What a backend answered.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) body: Bytes,
}

/// An attempt that came to nothing.
struct Failed {
    error: Box<Error>,
    /// Whether nothing of the question can have been carried out.
    harmless: bool,
}

impl Asker {
    /// A connection to a peer.
    pub(super) async fn connect(&self, peer: &HttpPeer) -> pingora::Result<(HttpSession, bool)> {
        self.connector.get_http_session(peer).await
    }

    /// Gives a connection back after a whole answer. One of HTTP/1 is a lease: offered to be
    /// kept it ends, and knows by itself whether it can serve again.
    pub(super) async fn release(&self, http: HttpSession, peer: &HttpPeer) {
        let idle = peer.idle_timeout();
        self.connector.release_http_session(http, peer, idle).await;
    }

    /// Asks. Another attempt is made where the last cannot have done anything.
    pub(super) async fn ask(
        &self,
        upstream: &Upstream,
        question: &Question,
    ) -> Result<Reply, Failure> {
        self.ask_for(upstream, question, None).await
    }

    /// Asks with the identity that a permitted request would have there.
    pub(super) async fn ask_for(
        &self,
        upstream: &Upstream,
        question: &Question,
        permit: Option<&Permit>,
    ) -> Result<Reply, Failure> {
        // Many futures deep already: the compiler follows only so many.
        let attempts = Box::pin(self.attempts(upstream, question, permit));
        let asked = tokio::time::timeout(TIMEOUT, attempts).await;
        asked.unwrap_or(Err(Failure::UpstreamTimeout))
    }

    async fn attempts(
        &self,
        upstream: &Upstream,
        question: &Question,
        permit: Option<&Permit>,
    ) -> Result<Reply, Failure> {
        let mut unreachable: SmallVec<[SocketAddr; ATTEMPTS]> = SmallVec::new();
        let mut last = None;
        for _ in 0..ATTEMPTS {
            let timeouts = RouteTimeouts::default();
            let Some(way) = upstream.way(&timeouts, Holder::Gateway, &unreachable) else {
                break;
            };
            let address = way.address;
            match self.attempt(upstream, question, permit, &way.peer).await {
                Ok(reply) => {
                    address.inspect(|address| upstream.addresses.answered(address));
                    return Ok(reply);
                }
                Err(Failed { error, harmless }) => {
                    tracing::debug!(%error, "a question of the gateway's own");
                    address.inspect(|address| upstream.addresses.failed(address));
                    let failure = Failure::of_upstream(&error);
                    if !harmless && !question.method.is_safe() {
                        return Err(failure);
                    }
                    unreachable.extend(address);
                    last = Some(failure);
                }
            }
        }
        Err(last.unwrap_or_else(|| Failure::UpstreamUnavailable {
            retry_after: upstream.addresses.retry_after(),
        }))
    }

    async fn attempt(
        &self,
        upstream: &Upstream,
        question: &Question,
        permit: Option<&Permit>,
        peer: &HttpPeer,
    ) -> Result<Reply, Failed> {
        let (mut http, _) = self.connect(peer).await.map_err(|error| Failed {
            error,
            harmless: true,
        })?;
        let sent = async {
            let mut header = header(question, upstream, peer)?;
            if let Some(permit) = permit {
                put_identity(&mut header, permit, &upstream.identity)?;
                if let Some(assertions) = &self.assertions {
                    assertions.put(&mut header, permit, upstream)?;
                }
            }
            wire::write_head(&mut http, header, upstream).await?;
            wire::write_body(&mut http, question.body.clone().unwrap_or_default()).await?;
            let head = wire::read_head(&mut http, peer).await?;
            let body = wire::read_body(&mut http, MAX_ANSWER, peer).await?;
            Ok(Reply {
                status: head.status.as_u16(),
                body,
            })
        };
        let reply = sent.await.map_err(|error| Failed {
            error,
            harmless: false,
        })?;
        self.release(http, peer).await;
        Ok(reply)
    }
}

fn header(
    question: &Question,
    upstream: &Upstream,
    peer: &HttpPeer,
) -> pingora::Result<RequestHeader> {
    let method = question.method.clone();
    let mut built = RequestHeader::build(method, question.target.as_bytes(), Some(6))?;
    let host = match &upstream.host {
        HostRewrite::Upstream(host) | HostRewrite::Literal(host) => host.to_string(),
        // There is no client whose word for it could be used.
        HostRewrite::Client => peer.address().to_string(),
    };
    let host = HeaderValue::try_from(host)
        .map_err(|_| Error::explain(ErrorType::InternalError, "the upstream's host"))?;
    built.insert_header(header::HOST, host)?;
    built.insert_header(header::ACCEPT, "application/json")?;
    built.insert_header(header::ACCEPT_ENCODING, "identity")?;
    if let Some(body) = &question.body {
        built.insert_header(header::CONTENT_TYPE, "application/json")?;
        built.insert_header(header::CONTENT_LENGTH, body.len().to_string())?;
    }
    Ok(built)
}
