//! Counters under many threads and many addresses.

use std::net::{IpAddr, Ipv6Addr};
use std::sync::atomic::{AtomicUsize, Ordering};

use uuid::Uuid;

use super::*;
use crate::domain::{PrincipalId, Quota, RateRule, RateUnit, Rates};
use crate::rate::Subject;

const SECOND: u64 = 1_000_000_000;

fn counters() -> Counters {
    Counters::new(IntCounter::new("displaced", "help").unwrap())
}

fn rule(dimension: Dimension, limit: u32, unit: RateUnit) -> RateRule {
    let quota = Quota::new(limit, unit, limit).unwrap();
    let rates = Rates::of_all(&[(dimension, quota)]);
    *rates.iter().next().unwrap()
}

fn principal(rule: RateRule, number: u128) -> Charge {
    let subject = Subject::principal(PrincipalId(Uuid::from_u128(number)));
    Charge { rule, subject }
}

/// A client in a network of its own.
fn address(rule: RateRule, number: u64) -> Charge {
    let ip = Ipv6Addr::from_bits(u128::from(number) << 64 | 1);
    let subject = Subject::address(Some(IpAddr::V6(ip)));
    Charge { rule, subject }
}

#[test]
fn many_threads_get_exactly_the_quota_through() {
    let counters = counters();
    let charges = [
        principal(rule(Dimension::Principal, 700, RateUnit::Hour), 1),
        principal(rule(Dimension::Tenant, 1000, RateUnit::Hour), 2),
    ];
    let passed = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..500 {
                    if counters.charge(SECOND, &charges).admitted {
                        passed.fetch_add(1, Ordering::Relaxed);
                    }
                }
            });
        }
    });
    assert_eq!(passed.into_inner(), 700);
    // What the one refused, the other has not counted.
    let left = (0..1000).filter(|_| counters.charge(SECOND, &charges[1..]).admitted);
    assert_eq!(left.count(), 300);
}

#[test]
fn requests_that_are_counted_in_opposite_order_do_not_wait_for_each_other_for_ever() {
    let counters = counters();
    let quota = rule(Dimension::Principal, 1_000_000, RateUnit::Second);
    let charges: Vec<Charge> = (0..8).map(|number| principal(quota, number)).collect();
    let reversed: Vec<Charge> = charges.iter().rev().copied().collect();
    std::thread::scope(|scope| {
        for charges in [&charges, &reversed, &charges, &reversed] {
            scope.spawn(|| {
                for _ in 0..2000 {
                    counters.charge(SECOND, charges);
                }
            });
        }
    });
    let debt = counters.charge(SECOND, &charges[..1]).debts[0];
    assert_eq!(debt, 8001 * quota.quota.interval());
}

#[test]
fn what_is_given_back_is_there_for_the_next() {
    let counters = counters();
    let charge = principal(rule(Dimension::Key, 1, RateUnit::Hour), 1);
    assert!(counters.charge(SECOND, &[charge]).admitted);
    assert!(!counters.charge(SECOND, &[charge]).admitted);
    assert_eq!(counters.give_back(SECOND, &charge, SECOND), 0);
    assert!(counters.charge(SECOND, &[charge]).admitted);
    assert!(!counters.charge(SECOND, &[charge]).admitted);
}

#[test]
fn a_flood_of_addresses_takes_bounded_memory_and_displaces_no_principal() {
    let counters = counters();
    let known = principal(rule(Dimension::Principal, 1, RateUnit::Hour), 1);
    assert!(counters.charge(SECOND, &[known]).admitted);
    let spent = rule(Dimension::Address, 10, RateUnit::Hour);
    let flooder = address(spent, 0);
    while counters.charge(SECOND, &[flooder]).admitted {}
    for number in 1..250_000 {
        assert!(counters.charge(SECOND, &[address(spent, number)]).admitted);
    }
    assert!(counters.len() <= SHARDS * MOST + 1, "{}", counters.len());
    assert!(counters.displaced.get() > 0);
    assert!(!counters.charge(SECOND, &[known]).admitted);
    // It has the most debt of all, so it stays.
    assert!(!counters.charge(SECOND, &[flooder]).admitted);
}

#[test]
fn counters_that_are_as_if_unused_make_room() {
    let counters = counters();
    let quota = rule(Dimension::Address, 1, RateUnit::Second);
    for number in 0..60_000 {
        let now = SECOND + number * SECOND / 1000;
        assert!(counters.charge(now, &[address(quota, number)]).admitted);
    }
    // A thousand are in use at any time.
    assert!(
        counters.len() < 2 * 1000 + SHARDS * FEW,
        "{}",
        counters.len()
    );
    assert_eq!(counters.displaced.get(), 0);
}
