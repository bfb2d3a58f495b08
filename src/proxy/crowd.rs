//! How many of something one address has.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Addresses are counted under one of so many locks.
const SHARDS: usize = 16;

type Shard = HashMap<IpAddr, usize, ahash::RandomState>;

/// Counts by address; an IPv6 address by its /64, which whoever has one of it has.
#[derive(Clone, Debug, Default)]
pub(super) struct Crowd(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    hasher: ahash::RandomState,
    shards: [Mutex<Shard>; SHARDS],
}

/// One of an address; given back when it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    crowd: Crowd,
    address: IpAddr,
}

impl Crowd {
    /// A place for one more of this address; `None` if it has as many as it may.
    pub(super) fn admit(&self, address: IpAddr, limit: usize) -> Option<Place> {
        let address = network(address);
        let mut shard = self.shard(address);
        let taken = shard.entry(address).or_default();
        if *taken >= limit {
            return None;
        }
        *taken += 1;
        drop(shard);
        Some(Place {
            crowd: self.clone(),
            address,
        })
    }

    fn shard(&self, address: IpAddr) -> MutexGuard<'_, Shard> {
        let hash = self.0.hasher.hash_one(address);
        let shard = usize::try_from(hash % SHARDS as u64).unwrap_or_default();
        let shard = &self.0.shards[shard];
        shard.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut shard = self.crowd.shard(self.address);
        if let Some(taken) = shard.get_mut(&self.address) {
            *taken -= 1;
            if *taken == 0 {
                shard.remove(&self.address);
            }
        }
    }
}

fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let prefix = u128::from(address) >> 64 << 64;
            IpAddr::V6(Ipv6Addr::from(prefix))
        }
        address @ IpAddr::V4(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admit(crowd: &Crowd, address: &str) -> Option<Place> {
        crowd.admit(address.parse().unwrap(), 1)
    }

    #[test]
    fn an_address_is_bounded_by_itself() {
        let crowd = Crowd::default();
        let first = admit(&crowd, "192.0.2.1").unwrap();
        assert!(admit(&crowd, "192.0.2.1").is_none());
        assert!(admit(&crowd, "::ffff:192.0.2.1").is_none());
        let other = admit(&crowd, "192.0.2.2").unwrap();
        drop(first);
        assert!(admit(&crowd, "192.0.2.1").is_some());
        drop(other);
        let left: usize = crowd
            .0
            .shards
            .iter()
            .map(|it| it.lock().unwrap().len())
            .sum();
        assert_eq!(left, 0);
    }

    #[test]
    fn ipv6_addresses_of_one_network_are_one() {
        let crowd = Crowd::default();
        let _first = admit(&crowd, "2001:db8::1").unwrap();
        assert!(admit(&crowd, "2001:db8::2").is_none());
        assert!(admit(&crowd, "2001:db8:0:1::1").is_some());
    }
}
