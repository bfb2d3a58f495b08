//! Many people at once, and what time tells.

use std::fs;
use std::time::Duration;

use portcullis::clock::Clock;

use super::{Bench, TYPED};
use crate::support::browser::OWN_PAGE;
use crate::support::raw::{Answer, Connection};

/// So that each comes from an address of their own, which no throttle knows yet.
const RULES: &str = "trusted_proxies: [127.0.0.1]\nsign_in: {}";
const CROWD: u32 = 1000;

fn sign_in(from: u32, who: &str, password: &str) -> String {
    let [_, a, b, c] = from.to_be_bytes();
    let form = format!("email={who}%40example.com&password={password}");
    format!(
        "POST /.portcullis/sign-in HTTP/1.1\r\nHost: gw\r\n{OWN_PAGE}X-Forwarded-For: \
         10.{a}.{b}.{c}\r\nX-Forwarded-Proto: https\r\nContent-Type: \
         application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{form}",
        form.len()
    )
}

impl Bench {
    fn sign_in_from(&self, from: u32, who: &str, password: &str) -> Answer {
        let mut connection = self.gateway.connect();
        connection.send(sign_in(from, who, password));
        connection.answer().expect("an answer")
    }

    /// The most memory that it ever had resident.
    fn peak_mib(&self) -> u64 {
        let status = format!("/proc/{}/status", self.gateway.pid().as_raw_nonzero());
        let status = fs::read_to_string(status).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmHWM:"));
        let kib = line.unwrap().split_whitespace().nth(1).unwrap();
        kib.parse::<u64>().unwrap() / 1024
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_at_once_are_served_or_turned_away() {
    let bench = Bench::with_rules(RULES).await;
    assert_eq!(bench.sign_in_from(0, "viewer", TYPED).status, 303);
    let before = bench.peak_mib();
    let mut crowd: Vec<Connection> = (0..CROWD).map(|_| bench.gateway.connect()).collect();
    for (number, connection) in (1..).zip(&mut crowd) {
        connection.send(sign_in(number, "viewer", TYPED));
    }
    // Whoever is there already notices nothing, and who watches hears that all is well.
    for _ in 0..20 {
        assert_eq!(bench.gateway.private_get("/livez").status, 200);
        assert_eq!(bench.gateway.private_get("/readyz").status, 200);
        assert_eq!(bench.gateway.get("/things", &bench.keys.viewer).status, 200);
    }
    let answers: Vec<_> = crowd
        .iter_mut()
        .map(|connection| connection.answer().expect("an answer"))
        .collect();
    let (served, shed): (Vec<_>, Vec<_>) = answers.iter().partition(|it| it.status == 303);
    assert!(!served.is_empty() && !shed.is_empty(), "{}", served.len());
    for answer in shed {
        assert_eq!(answer.status, 503, "{answer:?}");
        assert_eq!(answer.header("retry-after"), ["1"]);
        assert!(answer.body.contains("Too many people are signing in"));
    }
    // Each hash takes 19 MiB: all at once would have taken 19 GiB, and what threads keep of it
    // hundreds.
    let grown = bench.peak_mib() - before;
    assert!(grown < 250, "{grown} MiB");
    assert_eq!(bench.sign_in_from(0, "viewer", TYPED).status, 303);
    // None was served or turned away without a word of it.
    bench.gateway.wait_for_audit();
    let events = bench.gateway.events().await;
    let tried = events
        .iter()
        .filter(|event| event["route"] == "POST /.portcullis/sign-in");
    assert_eq!(tried.count(), CROWD as usize + 2);
}

/// A measurement, for a machine at rest: `cargo nextest run --run-ignored only equal_time`.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement"]
async fn equal_time_whoever_is_asked_for() {
    const EACH: u32 = 100;
    let bench = Bench::with_rules(RULES).await;
    bench
        .gateway
        .cli(&["users", "disable", "editor@example.com"]);
    let clock = Clock::system();
    let kinds = [
        ("a wrong password", "viewer", "wrong+horse+battery"),
        ("nobody", "nobody", "wrong+horse+battery"),
        ("somebody disabled", "editor", TYPED),
        ("somebody without a password", "owner", TYPED),
        ("a password that is none", "viewer", "short"),
    ];
    let mut times = kinds.map(|_| Vec::new());
    for round in 0..EACH {
        for (at, (_, who, password)) in (0..).zip(kinds) {
            let began = clock.instant();
            let answer = bench.sign_in_from(round * 8 + at, who, password);
            times[at as usize].push(clock.instant() - began);
            assert_eq!(answer.status, 401);
        }
    }
    for ((what, ..), mut taken) in kinds.into_iter().zip(times) {
        taken.sort_unstable();
        let at = |share: usize| taken[taken.len() * share / 100];
        let [low, median, high]: [Duration; 3] = [at(10), at(50), at(90)];
        println!("{what:>28}: p10 {low:.1?}, p50 {median:.1?}, p90 {high:.1?}");
    }
}
