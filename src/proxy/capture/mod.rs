//! Answers that are understood before the client gets a byte of them: those that tell what
//! was made, and lists from which goes what the caller may not see.
//!
//! Pingora passes answers on as they come. Here the whole exchange is the gateway's own, by
//! the same rules for attempts, time-outs and header fields; the answer is held in memory,
//! within a bound.
//!
//! | file | what |
//! |---|---|
//! | `call.rs` | one exchange with the backend |
//! | `decode.rs` | the answer as text |
//! | `about.rs` | the one object that an answer is about |
//! | `names.rs` | names as people know them |
//! | `objects.rs` | what was made, and what is gone |
//! | `filter.rs` | what of a list stays |
//! | `pages.rs`, `token.rs` | pages that are full, and what names the next one |
//! | `deliver.rs` | to the client |

mod about;
mod call;
mod decode;
mod deliver;
mod filter;
mod names;
mod objects;
mod pages;
mod token;

use bytes::Bytes;
use pingora::http::ResponseHeader;
use pingora::proxy::Session;
use pingora::{BError, Error, ErrorType};

use super::exchange::Exchange;
use super::gateway::Gateway;
use super::rescue::Failure;
use crate::policy::json_text::Unreadable;

pub(super) use pages::Wanted;
pub use token::{Page, PageTokens};

/// A whole answer of the backend.
struct Captured {
    head: ResponseHeader,
    body: Bytes,
    /// Whether its lists are known to have items.
    has_items: bool,
}

impl Gateway {
    /// Forwards a permitted request and answers it.
    ///
    /// # Errors
    ///
    /// As Pingora's own flow, to be answered like that.
    pub(super) async fn capture(
        &self,
        session: &mut Session,
        exchange: &mut Exchange,
    ) -> pingora::Result<()> {
        let Some(route) = exchange.route() else {
            return Err(fail(exchange, Failure::Internal));
        };
        let objects = &route.objects;
        let mut answer = match (&objects.pages, &objects.answers) {
            (Some(pages), _) => self.full_page(session, exchange, &route, pages).await?,
            (None, Some(about)) => {
                match Box::pin(self.look_for(session, exchange, &route, about)).await? {
                    Ok(answer) => answer,
                    Err(denial) => {
                        let facts = exchange.take_facts();
                        return self.refuse(session, exchange, denial, facts).await;
                    }
                }
            }
            (None, None) => self.call(session, exchange).await?,
        };
        if answer.head.status.is_success() {
            answer.decode(exchange)?;
            self.settle(exchange, &route, &answer).await?;
            if route.objects.pages.is_none() {
                self.filter(exchange, &route, &mut answer).await?;
            }
            if !answer.has_items {
                Self::level(exchange, &route, &mut answer)?;
            }
            answer.hide(exchange, &route)?;
        }
        answer.show_names(exchange, &route)?;
        self.deliver(session, exchange, answer).await
    }
}

/// What went wrong, as an error of Pingora's flow.
#[expect(
    clippy::unnecessary_box_returns,
    reason = "an error of Pingora is boxed"
)]
fn fail(exchange: &mut Exchange, failure: Failure) -> BError {
    exchange.failure = Some(failure);
    Error::explain(ErrorType::InternalError, failure.code())
}

/// The answer is not what the route says: it cannot be passed on.
fn unreadable(exchange: &mut Exchange) -> impl FnOnce(Unreadable) -> BError + '_ {
    |error| {
        tracing::warn!(route = ?exchange.route().map(|route| route.label.clone()), %error);
        fail(exchange, Failure::UpstreamBroken)
    }
}
