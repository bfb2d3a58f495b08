//! The counters of this process.
//!
//! Counters are spread over shards, each with a lock of its own, so that requests of
//! different clients do not wait for each other. A request that several rules count holds
//! the locks of all its counters at once, in the order of the shards: it is counted by all
//! or by none, and nobody sees it half counted.
//!
//! Memory is bounded. A counter that is as if unused is forgotten without loss. If a shard
//! is full of others, those nearest to it go first, and are told in a metric. Each
//! dimension has shards of its own, so that a flood of addresses displaces addresses only.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use prometheus::IntCounter;
use smallvec::SmallVec;

use super::gcra;
use super::subject::{Charge, CounterKey};
use crate::domain::Dimension;

/// Shards a dimension.
const SHARDS: usize = 64;
/// Counters in a shard at most: with [`SHARDS`] some 229,000 a dimension, in 11 MiB.
const MOST: usize = 3584;
/// Counters in a shard that are never swept.
const FEW: usize = 64;

/// Debts, in the order of the charges: for most requests without an allocation.
pub(super) type Debts = SmallVec<[u64; 8]>;

/// What came of it.
#[derive(Debug)]
pub(super) struct Charged {
    /// Whether all rules let it pass. If not, none has counted it.
    pub admitted: bool,
    /// What each counter says now.
    pub debts: Debts,
}

/// All counters.
#[derive(Debug)]
pub(super) struct Counters {
    shards: Box<[Mutex<Shard>]>,
    hasher: ahash::RandomState,
    displaced: IntCounter,
}

/// Some counters: each is the moment at which it will be as if unused.
#[derive(Debug)]
struct Shard {
    unused_at: HashMap<CounterKey, u64, ahash::RandomState>,
    /// At this size it is swept.
    sweep_at: usize,
}

impl Counters {
    /// None yet. `displaced` counts those that were forgotten before they were unused.
    pub fn new(displaced: IntCounter) -> Self {
        let hasher = ahash::RandomState::new();
        let shard = || Shard {
            unused_at: HashMap::with_hasher(hasher.clone()),
            sweep_at: FEW,
        };
        let count = SHARDS * Dimension::ALL.len();
        Self {
            shards: (0..count).map(|_| Mutex::new(shard())).collect(),
            hasher,
            displaced,
        }
    }

    /// Counts a request by all of `asked` or, if one of them refuses it, by none.
    pub fn charge(&self, now: u64, asked: &[Charge]) -> Charged {
        let places: SmallVec<[usize; 8]> = asked.iter().map(|charge| self.place(charge)).collect();
        let mut locked = self.lock(&places);
        let mut debts: Debts = asked
            .iter()
            .zip(&places)
            .map(|(charge, place)| gcra::debt(locked.shard(*place).get(charge.key()), now))
            .collect();
        let quotas = asked.iter().map(|charge| charge.rule.quota);
        let admitted = quotas
            .zip(&debts)
            .all(|(quota, debt)| gcra::admits(quota, *debt));
        if admitted {
            for ((charge, place), debt) in asked.iter().zip(&places).zip(&mut debts) {
                *debt += charge.rule.quota.interval();
                let displaced = locked.shard(*place).set(charge.key(), now + *debt, now);
                self.displaced.inc_by(displaced as u64);
            }
        }
        Charged { admitted, debts }
    }

    /// Gives back what a request took at `taken_at`; tells what the counter says then.
    pub fn give_back(&self, now: u64, charge: &Charge, taken_at: u64) -> u64 {
        let place = self.place(charge);
        let mut locked = self.lock(&[place]);
        let shard = locked.shard(place);
        let refund = gcra::refund(charge.rule.quota, now.saturating_sub(taken_at));
        let unused_at = shard.get(charge.key()).saturating_sub(refund);
        if let Some(counter) = shard.unused_at.get_mut(&charge.key()) {
            *counter = unused_at;
        }
        gcra::debt(unused_at, now)
    }

    fn place(&self, charge: &Charge) -> usize {
        let hash = self.hasher.hash_one(charge.key());
        // Not the bits by which the map itself places it.
        let within = (hash >> 32) as usize % SHARDS;
        charge.rule.dimension as usize * SHARDS + within
    }

    /// In the order of the places, which is the same for all: nobody waits in a circle.
    fn lock(&self, places: &[usize]) -> Locked<'_> {
        let mut sorted: SmallVec<[usize; 8]> = places.into();
        sorted.sort_unstable();
        sorted.dedup();
        let lock = |place: usize| (place, lock(&self.shards[place]));
        Locked(sorted.into_iter().map(lock).collect())
    }

    #[cfg(test)]
    fn len(&self) -> usize {
        let shards = self.shards.iter();
        shards.map(|shard| lock(shard).unused_at.len()).sum()
    }
}

/// The locked shards of one request, by place.
struct Locked<'a>(SmallVec<[(usize, MutexGuard<'a, Shard>); 8]>);

impl Locked<'_> {
    fn shard(&mut self, place: usize) -> &mut Shard {
        let found = self.0.iter_mut().find(|(at, _)| *at == place);
        let (_, shard) = found.expect("every place of the request is locked");
        shard
    }
}

impl Shard {
    fn get(&self, key: CounterKey) -> u64 {
        self.unused_at.get(&key).copied().unwrap_or_default()
    }

    /// Returns how many counters were forgotten for it.
    fn set(&mut self, key: CounterKey, unused_at: u64, now: u64) -> usize {
        let is_new = !self.unused_at.contains_key(&key);
        let displaced = if is_new && self.unused_at.len() >= self.sweep_at {
            self.sweep(now)
        } else {
            0
        };
        self.unused_at.insert(key, unused_at);
        displaced
    }

    /// Forgets what is as if unused; of what is left, in a full shard, the quarter that is
    /// nearest to it. So seldom that each new counter pays for a few old ones.
    fn sweep(&mut self, now: u64) -> usize {
        self.unused_at.retain(|_, unused_at| *unused_at > now);
        let used = self.unused_at.len();
        if used > MOST * 3 / 4 {
            let mut moments: Vec<u64> = self.unused_at.values().copied().collect();
            let (_, bound, _) = moments.select_nth_unstable(used / 4);
            let bound = *bound;
            self.unused_at.retain(|_, unused_at| *unused_at > bound);
        }
        let kept = self.unused_at.len();
        self.sweep_at = (kept * 2).clamp(FEW, MOST);
        self.unused_at.shrink_to(self.sweep_at);
        used - kept
    }
}

/// A panic leaves no counter half written.
fn lock(shard: &Mutex<Shard>) -> MutexGuard<'_, Shard> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
