//! A soak: half of what the machine can take, for a long time, with a fault every few
//! seconds. At the end there is one event for each request, none is doubled, and memory is
//! where it was.
//!
//! `make test` runs half a minute of it; `scripts/soak` ten, or as many seconds as told.

mod backend;
mod faults;
mod load;

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};

use portcullis::clock::Clock;

use self::backend::Backend;
use self::faults::Faults;
use self::load::{Load, Tally};
use crate::support::gateway::{TestGateway, resident_kib, until};

/// How long, if nobody says.
const SHORT: u64 = 30;
/// What may be held more at the end than after a fifth of the time: buffers of requests
/// that happen to be under way, connections, the allocator's own.
const ALLOWED_KIB: u64 = 24 << 10;
/// And of what there was, in percent.
const ALLOWED_PERCENT: u64 = 15;

fn config(backend: &Backend, reloads: u32) -> String {
    format!(
        "upstreams:\n  app:\n    url: \"http://{}\"\n    circuit: {{ failures: 5, cooldown: 500ms }}\n    \
           timeouts: {{ connect: 1s, read: 1s, write: 1s }}\n\
         routes:\n  - {{ route: GET /things, upstream: app, permission: datasets:read }}\n  \
           - {{ route: POST /things, upstream: app, permission: datasets:create }}\n  \
           - {{ route: GET /reload-{reloads}, upstream: app, permission: datasets:read }}\n",
        backend.address()
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn half_of_capacity_with_faults() {
    let seconds = std::env::var("PORTCULLIS_SOAK_SECONDS");
    let seconds = seconds.map_or(SHORT, |text| text.parse().expect("a number of seconds"));
    let backend = Backend::start();
    let mut gateway = TestGateway::start(&config(&backend, 0)).await;
    let keys = gateway.seed();
    gateway.make_known(&keys.editor);
    let capacity = load::capacity(gateway.public(), &keys.editor);
    let rate = capacity / 2;
    eprintln!("soak: {capacity} requests/s at most; {rate} requests/s for {seconds} s");
    gateway.wait_for_audit();
    let before = recorded(&gateway).await.len();
    let load = Load::new(gateway.public(), rate, &keys);
    let clock = Clock::system();
    let (began, done) = (clock.instant(), AtomicBool::new(false));
    let elapsed = || (clock.instant() - began).as_secs();
    let mut faults = Faults::new(&backend, &load);
    let mut early = None;
    let tallies = std::thread::scope(|scope| {
        let clients = load.start(scope, &done);
        let runtime = tokio::runtime::Handle::current();
        tokio::task::block_in_place(|| {
            while elapsed() < seconds {
                runtime.block_on(faults.next(&mut gateway));
                if early.is_none() && elapsed() * 5 >= seconds {
                    early = Some(resident_kib(gateway.pid()));
                }
                eprintln!(
                    "soak: {:>4} s, {} faults, {} KiB",
                    elapsed(),
                    faults.count(),
                    resident_kib(gateway.pid())
                );
            }
        });
        done.store(true, Ordering::Relaxed);
        clients
            .into_iter()
            .map(|client| client.join().unwrap())
            .collect::<Vec<Tally>>()
    });
    let late = resident_kib(gateway.pid());
    let mut tally = Tally::of(tallies);
    until("the backend to be forgiven", || {
        let answer = gateway.get("/things", &keys.editor);
        let status = answer.status;
        tally.note(Some(answer));
        status == 200
    });
    gateway.wait_for_audit();
    report(&tally, &faults, early.unwrap(), late);
    check(&gateway, &tally, before).await;
    let allowed = early.unwrap() * (100 + ALLOWED_PERCENT) / 100 + ALLOWED_KIB;
    assert!(late <= allowed, "memory grew from {early:?} to {late} KiB");
}

fn report(tally: &Tally, faults: &Faults<'_>, early: u64, late: u64) {
    let mut statuses: Vec<_> = tally.statuses.iter().collect();
    statuses.sort();
    eprintln!(
        "soak: answered {}, cut off {}",
        tally.ids.len(),
        tally.unanswered
    );
    eprintln!("soak: statuses {statuses:?}");
    eprintln!("soak: faults {:?}", faults.by_kind());
    eprintln!("soak: late by at most {} ms", tally.latest.as_millis());
    eprintln!("soak: memory {early} KiB after a fifth, {late} KiB at the end");
}

/// Request and event ids of all requests.
async fn recorded(gateway: &TestGateway) -> Vec<(String, String)> {
    let mut owner = gateway.postgres.owner().await;
    let sql = "SELECT request_id, id::text FROM audit_events WHERE method IS NOT NULL";
    sqlx::query_as(sql).fetch_all(&mut owner).await.unwrap()
}

/// One event for each answer, at most one for each request that got none, no id twice.
async fn check(gateway: &TestGateway, tally: &Tally, before: usize) {
    let recorded = recorded(gateway).await;
    let ids: HashSet<&str> = recorded.iter().map(|(_, id)| id.as_str()).collect();
    assert_eq!(ids.len(), recorded.len(), "an event id twice");
    let events: HashSet<&str> = recorded
        .iter()
        .map(|(request, _)| request.as_str())
        .collect();
    assert_eq!(events.len(), recorded.len(), "two events of one request");
    let lost = tally.ids.iter().filter(|id| !events.contains(id.as_str()));
    assert_eq!(lost.collect::<Vec<_>>(), Vec::<&String>::new(), "lost");
    let answered: HashSet<_> = tally.ids.iter().collect();
    assert_eq!(answered.len(), tally.ids.len(), "a request id twice");
    let others = recorded.len() - before - tally.ids.len();
    assert!(others <= tally.unanswered, "{others} events of nobody");
    eprintln!("soak: each of {} answers has its event", tally.ids.len());
    for counter in [
        "rejected_events",
        "dropped_events",
        "failed_events",
        "refused_requests",
    ] {
        let counted = gateway.metric(&format!("portcullis_audit_{counter}"));
        assert_eq!(counted, 0, "{counter}");
    }
}
