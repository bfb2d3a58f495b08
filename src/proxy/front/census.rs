//! How many connections there are, in all and per address.

use std::net::IpAddr;
use std::sync::Arc;

use prometheus::IntGauge;

use crate::proxy::crowd::{Crowd, Place};

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
    by_address: Crowd,
}

/// A connection's place; given back when it is dropped.
#[derive(Debug)]
pub(super) struct Seat {
    census: Census,
    place: Option<Place>,
}

impl Census {
    /// The total is the metric itself: it cannot lag behind.
    pub(super) fn new(total: IntGauge) -> Self {
        Self(Arc::new(Counts {
            total,
            by_address: Crowd::default(),
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
            place: None,
        })
    }
}

impl Seat {
    /// Counts it under its address as well.
    pub(super) fn take_for(&mut self, address: IpAddr, limit: usize) -> Result<(), Full> {
        let place = self.census.0.by_address.admit(address, limit);
        self.place = Some(place.ok_or(Full::Address)?);
        Ok(())
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.census.0.total.dec();
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
        let seat = |address: &str| {
            let mut seat = census.enter(9).unwrap();
            seat.take_for(address.parse().unwrap(), 1).map(|()| seat)
        };
        let first = seat("192.0.2.1").unwrap();
        assert_eq!(seat("192.0.2.1").err(), Some(Full::Address));
        drop((first, seat("192.0.2.2").unwrap()));
        assert_eq!(census.0.total.get(), 0);
    }
}
