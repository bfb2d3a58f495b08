//! Clients that send at a steady pace, whatever happens to their answers.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread::{Scope, ScopedJoinHandle};
use std::time::Duration;

use portcullis::clock::Clock;

use crate::support::gateway::Keys;
use crate::support::load::request;
use crate::support::raw::{Answer, Connection};

/// Connections at once.
const CLIENTS: u32 = 32;
/// Of the measurement.
const MEASURED: Duration = Duration::from_secs(3);

/// Who sends, how much, and where.
pub struct Load {
    address: SocketAddr,
    /// From one request of a client to its next.
    interval: Duration,
    editor: String,
    viewer: String,
    /// A key that changes hands.
    guest: Mutex<String>,
}

/// What became of the requests.
#[derive(Debug, Default)]
pub struct Tally {
    /// Ids of those that got the head of an answer.
    pub ids: Vec<String>,
    pub statuses: HashMap<u16, usize>,
    /// Sent, but the connection closed instead of an answer.
    pub unanswered: usize,
    /// How far a client was behind its pace, at most.
    pub latest: Duration,
}

impl Tally {
    pub fn of(parts: Vec<Self>) -> Self {
        let mut all = Self::default();
        for part in parts {
            all.ids.extend(part.ids);
            all.unanswered += part.unanswered;
            all.latest = all.latest.max(part.latest);
            for (status, times) in part.statuses {
                *all.statuses.entry(status).or_default() += times;
            }
        }
        all
    }

    /// Notes an answer, or that there was none.
    pub fn note(&mut self, answer: Option<Answer>) {
        let Some(answer) = answer else {
            self.unanswered += 1;
            return;
        };
        *self.statuses.entry(answer.status).or_default() += 1;
        self.ids.push(answer.header("x-request-id")[0].to_owned());
    }
}

/// Requests a second that the gateway answers at most, a little longer than it can be
/// lucky.
pub fn capacity(address: SocketAddr, key: &str) -> u32 {
    let clock = Clock::system();
    let (began, answered) = (clock.instant(), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let mut connection = Connection::open(address);
                while clock.instant() - began < MEASURED {
                    connection.send(request("GET", "/things", key));
                    assert_eq!(connection.answer().unwrap().status, 200);
                    answered.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
    });
    let millis = (clock.instant() - began).as_millis();
    u32::try_from(answered.into_inner() as u128 * 1000 / millis).unwrap()
}

impl Load {
    pub fn new(address: SocketAddr, rate: u32, keys: &Keys) -> Self {
        Self {
            address,
            interval: Duration::from_secs(u64::from(CLIENTS)) / rate.max(1),
            editor: keys.editor.clone(),
            viewer: keys.viewer.clone(),
            guest: Mutex::new(keys.stranger.clone()),
        }
    }

    /// Gives the guests another key; returns the one they had.
    pub fn change_guest_key(&self, new: String) -> String {
        let mut guest = self.guest.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut guest, new)
    }

    /// Starts all clients; they end when `done` is set.
    pub fn start<'s>(
        &'s self,
        scope: &'s Scope<'s, '_>,
        done: &'s AtomicBool,
    ) -> Vec<ScopedJoinHandle<'s, Tally>> {
        (0..CLIENTS)
            .map(|number| scope.spawn(move || self.client(number, done)))
            .collect()
    }

    fn client(&self, number: u32, done: &AtomicBool) -> Tally {
        let clock = Clock::system();
        let mut tally = Tally::default();
        let mut connection = Connection::open(self.address);
        // Spread over one interval.
        let mut due = clock.instant() + self.interval * number / CLIENTS;
        for turn in number.. {
            if done.load(Ordering::Relaxed) {
                break;
            }
            let now = clock.instant();
            match due.checked_duration_since(now) {
                Some(early) => std::thread::sleep(early),
                None => tally.latest = tally.latest.max(now - due),
            }
            // The pace is that of the clock: who was held up catches up.
            due += self.interval;
            connection.send(self.request(turn));
            let answer = connection.answer();
            let closes = answer.as_ref().is_none_or(closes);
            tally.note(answer);
            if closes {
                connection = Connection::open(self.address);
            }
        }
        tally
    }

    fn request(&self, turn: u32) -> String {
        match turn % 5 {
            0 | 1 => request("GET", "/things", &self.viewer),
            2 => request("POST", "/things", &self.editor),
            3 => request("POST", "/things", &self.viewer),
            _ => {
                let guest = self.guest.lock().unwrap_or_else(PoisonError::into_inner);
                request("GET", "/things", &guest)
            }
        }
    }
}

/// Whether the connection ends with this answer.
fn closes(answer: &Answer) -> bool {
    let length = answer.header("content-length");
    let length = length
        .first()
        .and_then(|length| length.parse::<usize>().ok());
    answer
        .header("connection")
        .iter()
        .any(|word| word.eq_ignore_ascii_case("close"))
        || length.is_some_and(|length| answer.body.len() < length)
}
