//! Requests that never reach the gateway, because the protocol's parser resets them itself.
//!
//! The library tells of those that it hands out and of no others. What it has read is known,
//! though, by the frames: once it has nothing more to hand out, the difference is what it
//! keeps to itself.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;

use crate::proxy::front::connection::Connection;

/// Why the library does not hand out a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Why {
    /// It is none.
    Malformed,
    /// There are as many as there may be at once.
    TooMany,
}

/// The requests of a connection that are accounted for.
#[derive(Debug, Default)]
pub(super) struct Unheard {
    accounted: u64,
    refused: u64,
}

impl Unheard {
    /// The library has handed one out.
    pub(super) const fn heard(&mut self) {
        self.accounted += 1;
    }

    /// One that it did not hand out, if there is any; to be asked when it has no more.
    pub(super) fn find(&mut self, connection: &Connection) -> Option<Why> {
        if connection.come() <= self.accounted {
            return None;
        }
        self.accounted += 1;
        if connection.refused() > self.refused {
            self.refused += 1;
            return Some(Why::TooMany);
        }
        Some(Why::Malformed)
    }
}

/// Does the work; in every pause of it something else may be found.
pub(super) async fn beside<T, F>(
    work: impl Future<Output = T>,
    mut find: impl FnMut() -> Option<F>,
) -> Result<T, F> {
    let mut work = pin!(work);
    poll_fn(|cx| match work.as_mut().poll(cx) {
        Poll::Ready(done) => Poll::Ready(Ok(done)),
        Poll::Pending => find().map_or(Poll::Pending, |found| Poll::Ready(Err(found))),
    })
    .await
}
