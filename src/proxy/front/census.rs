//! How many connections there are, in all and per address.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};

use prometheus::IntGauge;

/// Addresses are counted under one of so many locks.
const SHARDS: usize = 16;

/// Why a connection finds no seat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Full {
    /// There are `limits.connections`.
    Total,
    /// The address has `limits.connections_per_address`.
    Address,
}

/// Counts open connections.
#[derive(Clone, Debug)]
pub(super) struct Census(Arc<Counts>);

#[derive(Debug)]
struct Counts {
    total: IntGauge,
    hasher: ahash::RandomState,
    by_address: [Mutex<HashMap<IpAddr, usize, ahash::RandomState>>; SHARDS],
}

/// A connection's place; given back when it is dropped.
#[derive(Debug)]
pub(super) struct Seat {
    census: Census,
    address: Option<IpAddr>,
}

impl Census {
    /// The total is the metric itself: it cannot lag behind.
    pub(super) fn new(total: IntGauge) -> Self {
        Self(Arc::new(Counts {
            total,
            hasher: ahash::RandomState::new(),
            by_address: Default::default(),
        }))
    }

    /// A place for a connection whose address is not told yet.
    pub(super) fn enter(&self, limit: usize) -> Result<Seat, Full> {
        // One task accepts for each listener: at most their number too many get in.
        if usize::try_from(self.0.total.get()).is_ok_and(|open| open >= limit) {
            return Err(Full::Total);
        }
        self.0.total.inc();
        Ok(Seat {
            census: self.clone(),
            address: None,
        })
    }

    fn shard(
        &self,
        address: IpAddr,
    ) -> std::sync::MutexGuard<'_, HashMap<IpAddr, usize, ahash::RandomState>> {
        let hash = self.0.hasher.hash_one(address);
        let shard = usize::try_from(hash % SHARDS as u64).unwrap_or_default();
        let shard = &self.0.by_address[shard];
        shard.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seat {
    /// Counts it under its address as well.
    pub(super) fn take_for(&mut self, address: IpAddr, limit: usize) -> Result<(), Full> {
        let address = network(address);
        let mut shard = self.census.shard(address);
        let open = shard.entry(address).or_default();
        if *open >= limit {
            return Err(Full::Address);
        }
        *open += 1;
        drop(shard);
        self.address = Some(address);
        Ok(())
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.census.0.total.dec();
        let Some(address) = self.address else {
            return;
        };
        let mut shard = self.census.shard(address);
        if let Some(open) = shard.get_mut(&address) {
            *open -= 1;
            if *open == 0 {
                shard.remove(&address);
            }
        }
    }
}

/// Whoever has one IPv6 address has its /64.
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

    fn census() -> Census {
        Census::new(IntGauge::new("open", "Open.").unwrap())
    }

    #[test]
    fn seats_are_bounded_and_given_back() {
        let census = census();
        let seats = [census.enter(2).unwrap(), census.enter(2).unwrap()];
        assert_eq!(census.enter(2).err(), Some(Full::Total));
        drop(seats);
        assert!(census.enter(2).is_ok());
    }

    #[test]
    fn an_address_is_bounded_by_itself() {
        let census = census();
        let one: IpAddr = "192.0.2.1".parse().unwrap();
        let seat = |address: &str| {
            let mut seat = census.enter(9).unwrap();
            seat.take_for(address.parse().unwrap(), 1).map(|()| seat)
        };
        let first = seat("192.0.2.1").unwrap();
        assert_eq!(seat("192.0.2.1").err(), Some(Full::Address));
        assert_eq!(seat("::ffff:192.0.2.1").err(), Some(Full::Address));
        let other = seat("192.0.2.2").unwrap();
        drop(first);
        assert!(seat("192.0.2.1").is_ok());
        drop(other);
        assert!(census.shard(one).is_empty());
        assert_eq!(census.0.total.get(), 0);
    }

    #[test]
    fn ipv6_addresses_of_one_network_are_one() {
        let census = census();
        let mut first = census.enter(9).unwrap();
        first.take_for("2001:db8::1".parse().unwrap(), 1).unwrap();
        let mut second = census.enter(9).unwrap();
        let taken = second.take_for("2001:db8::2".parse().unwrap(), 1);
        assert_eq!(taken, Err(Full::Address));
        let taken = second.take_for("2001:db8:0:1::1".parse().unwrap(), 1);
        assert_eq!(taken, Ok(()));
    }
}
