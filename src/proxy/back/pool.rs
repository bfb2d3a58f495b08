//! Connections kept for the next request.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Waker};
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::socket::{MsgFlags, recv};
use pingora::protocols::Stream;
use tokio::io::AsyncReadExt as _;
use tokio::task::unconstrained;
use tokio::time::Instant;

use crate::domain::{CredentialId, PrincipalId};
use crate::policy::Permit;

/// Connections kept to all addresses of an upstream together, for known clients. A backend
/// may serve no more than a few hundred at once, idle ones included.
const MOST: usize = 256;
/// For strangers, of whom there may be any number.
const MOST_OF_STRANGERS: usize = 32;
/// How often those that are of no use any more are looked for.
const SWEEP_EVERY: Duration = Duration::from_secs(1);

/// Whom a kept connection serves: what a backend sends too late reaches nobody else.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(in crate::proxy) enum Holder {
    /// Whoever presents this credential.
    Credential(CredentialId),
    /// A principal known otherwise.
    Principal(PrincipalId),
    /// Strangers at this address, on public routes.
    Stranger(Option<IpAddr>),
    /// The gateway itself, for questions of its own.
    Gateway,
}

impl Holder {
    pub(in crate::proxy) fn of(permit: &Permit, ip: Option<IpAddr>) -> Self {
        match permit.subject() {
            None => Self::Stranger(ip),
            Some(subject) => match &subject.credential.id {
                Some(id) => Self::Credential(id.clone()),
                None => Self::Principal(subject.principal.id),
            },
        }
    }
}

/// Where a connection leads, and for whom.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(in crate::proxy) struct Place {
    pub(in crate::proxy) address: SocketAddr,
    pub(in crate::proxy) holder: Holder,
}

/// The connections kept to one upstream.
pub(in crate::proxy) struct Pool {
    known: Mutex<Kept>,
    strangers: Mutex<Kept>,
}

struct Kept {
    /// At each place the one that was used last is the last.
    by_place: HashMap<Place, Vec<Idle>>,
    count: usize,
    most: usize,
}

struct Idle {
    stream: Stream,
    since: Instant,
    until: Instant,
}

impl Default for Pool {
    fn default() -> Self {
        Self {
            known: Mutex::new(Kept::new(MOST)),
            strangers: Mutex::new(Kept::new(MOST_OF_STRANGERS)),
        }
    }
}

impl Pool {
    /// One on which nothing has come since it was kept.
    pub(super) fn take(&self, place: &Place) -> Option<Stream> {
        let now = Instant::now();
        loop {
            // In a statement of its own: the lock is not held while the connection is asked.
            let idle = self.kept(&place.holder).pop(place);
            let mut idle = idle?;
            if idle.until > now && is_quiet(&mut idle.stream) {
                return Some(idle.stream);
            }
        }
    }

    /// Keeps one for so long.
    pub(super) fn keep(&self, place: Place, stream: Stream, idle: Duration) {
        let since = Instant::now();
        let until = since + idle;
        let idle = Idle {
            stream,
            since,
            until,
        };
        // Closed when the lock is free again.
        let displaced = self.kept(&place.holder).push(place, idle);
        drop(displaced);
    }

    /// Closes what is of no use any more, for ever.
    pub(in crate::proxy) async fn sweep(self: Arc<Self>) -> ! {
        loop {
            tokio::time::sleep(SWEEP_EVERY).await;
            let now = Instant::now();
            // Place by place: requests need not wait for all of them.
            for kept in [&self.known, &self.strangers] {
                let places = lock(kept).places();
                for place in places {
                    lock(kept).drop_useless(&place, now);
                }
            }
        }
    }

    fn kept(&self, holder: &Holder) -> MutexGuard<'_, Kept> {
        match holder {
            Holder::Credential(_) | Holder::Principal(_) | Holder::Gateway => lock(&self.known),
            Holder::Stranger(_) => lock(&self.strangers),
        }
    }
}

fn lock(kept: &Mutex<Kept>) -> MutexGuard<'_, Kept> {
    kept.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Kept {
    fn new(most: usize) -> Self {
        Self {
            by_place: HashMap::new(),
            count: 0,
            most,
        }
    }

    fn pop(&mut self, place: &Place) -> Option<Idle> {
        let there = self.by_place.get_mut(place)?;
        let idle = there.pop();
        if there.is_empty() {
            self.by_place.remove(place);
        }
        self.count -= usize::from(idle.is_some());
        idle
    }

    /// Returns what it displaced.
    fn push(&mut self, place: Place, idle: Idle) -> Option<Idle> {
        let displaced = if self.count < self.most {
            None
        } else {
            self.pop_oldest()
        };
        self.by_place.entry(place).or_default().push(idle);
        self.count += 1;
        displaced
    }

    fn pop_oldest(&mut self) -> Option<Idle> {
        let firsts = self.by_place.iter();
        let firsts = firsts.filter_map(|(place, there)| Some((there.first()?.since, place)));
        let (_, place) = firsts.min_by_key(|(since, _)| *since)?;
        let place = place.clone();
        let there = self.by_place.get_mut(&place)?;
        let oldest = there.remove(0);
        if there.is_empty() {
            self.by_place.remove(&place);
        }
        self.count -= 1;
        Some(oldest)
    }

    fn places(&self) -> Vec<Place> {
        self.by_place.keys().cloned().collect()
    }

    fn drop_useless(&mut self, place: &Place, now: Instant) {
        let Some(there) = self.by_place.get_mut(place) else {
            return;
        };
        let before = there.len();
        there.retain_mut(|idle| idle.until > now && is_quiet(&mut idle.stream));
        self.count -= before - there.len();
        if there.is_empty() {
            self.by_place.remove(place);
        }
    }
}

/// Whether the connection is open and nothing has come on it: neither in what was read
/// already, TLS included, nor in the kernel. The runtime alone would not know of what came
/// since it last asked for events.
fn is_quiet(stream: &mut Stream) -> bool {
    let mut byte = [0];
    let read = pin!(unconstrained(stream.read(&mut byte)));
    if read
        .poll(&mut Context::from_waker(Waker::noop()))
        .is_ready()
    {
        return false;
    }
    let peek = MsgFlags::MSG_PEEK | MsgFlags::MSG_DONTWAIT;
    recv(stream.id(), &mut byte, peek) == Err(Errno::EAGAIN)
}
