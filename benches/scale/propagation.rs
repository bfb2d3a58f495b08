//! How soon a change of a binding is felt at two gateways.
//!
//! Bindings are made and deleted by the administration API of the first. From before each
//! such request is sent, both gateways are asked again and again, as the one whose binding it
//! is, until both answer accordingly. Others send requests to both all the while.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::client::Client;
use crate::data::{Data, Probe};
use crate::gateway::Gateway;
use crate::report::{Report, millis};
use crate::timing::{Times, now};
use crate::{Result, say};

/// Half of them made, half deleted.
const CHANGES: usize = 300;
const ASK_EVERY: Duration = Duration::from_micros(500);
/// Connections to each gateway that send all the while.
const OTHERS: usize = 2;
const OTHERS_EVERY: Duration = Duration::from_millis(4);
const PATIENCE: Duration = Duration::from_secs(30);

const API: &str = "/.portcullis/api/v1/tenants";

#[derive(Default)]
struct Felt {
    /// Since the request was sent.
    sent: Times,
    /// Since its answer was there; nothing if it was felt before.
    answered: Times,
    /// The change alone.
    changes: Times,
}

pub fn measure(data: &Data, gateways: [&Gateway; 2], report: &mut Report) -> Result<()> {
    say("changes of bindings, with two gateways under load");
    let done = AtomicBool::new(false);
    let (felt, load) = std::thread::scope(|scope| {
        let others: Vec<_> = gateways
            .iter()
            .flat_map(|gateway| [gateway; OTHERS])
            .map(|gateway| scope.spawn(|| others(gateway, data, &done)))
            .collect();
        let felt = changes(data, gateways);
        done.store(true, Ordering::Relaxed);
        let load = others
            .into_iter()
            .map(|it| it.join().map_err(|_| "a client panicked")?);
        (felt, load.collect::<Result<Vec<_>>>())
    });
    let (felt, load) = (felt?, load?);
    report.count("changes of bindings", CHANGES);
    report.tell("a change by the API, p50", millis(felt.changes.p50()), "ms");
    report.tell("sent → felt at both, p50", millis(felt.sent.p50()), "ms");
    report.aim(
        "sent → felt at both, p99",
        millis(felt.sent.p99()),
        "ms",
        100.0,
    );
    report.tell(
        "sent → felt at both, slowest",
        millis(felt.sent.quantile(1000)),
        "ms",
    );
    report.tell(
        "answered → felt at both, p50",
        millis(felt.answered.p50()),
        "ms",
    );
    report.tell(
        "answered → felt at both, p99",
        millis(felt.answered.p99()),
        "ms",
    );
    report.count(
        "other requests meanwhile",
        load.iter().map(Times::len).sum(),
    );
    let slow = load.iter().map(Times::p99).max().unwrap_or_default();
    report.tell(
        "such a request, p99 of the slowest client",
        millis(slow),
        "ms",
    );
    Ok(())
}

/// A client at leisure.
fn others(gateway: &Gateway, data: &Data, done: &AtomicBool) -> Result<Times> {
    let mut client = gateway.client()?;
    let mut times = Times::default();
    for number in (1..=250_000).cycle() {
        if done.load(Ordering::Relaxed) {
            break;
        }
        // Mostly objects that are known, a few that are not.
        let dataset = if number % 20 == 0 {
            number * 10
        } else {
            number % 20 * 10
        };
        let target = format!("/datasets/ds-{dataset}");
        times.of(|| client.get(&target, &data.keys.heavy))?;
        std::thread::sleep(OTHERS_EVERY);
    }
    Ok(times)
}

fn changes(data: &Data, gateways: [&Gateway; 2]) -> Result<Felt> {
    let mut felt = Felt::default();
    let mut admin = gateways[0].client()?;
    let probes: Vec<_> = data.probes().collect();
    for probe in probes.iter().cycle().take(CHANGES / 2) {
        for gateway in gateways {
            if ask(&mut gateway.client()?, probe)? == 200 {
                return Err(format!("{} has a role already", probe.email).into());
            }
        }
        let body = json!({"principal": probe.email, "role": "viewer", "project": probe.project});
        let target = format!("{API}/{}/bindings", probe.tenant);
        let create = || admin.ask("POST", &target, &data.keys.admin, &body.to_string());
        let made = felt.change(gateways, probe, true, create)?;
        let made: Value = serde_json::from_str(&made.body)?;
        let id = made["id"].as_str().ok_or("no binding was made")?;
        let target = format!("{target}/{id}");
        let delete = || admin.ask("DELETE", &target, &data.keys.admin, "");
        felt.change(gateways, probe, false, delete)?;
    }
    Ok(felt)
}

impl Felt {
    fn change<T>(
        &mut self,
        gateways: [&Gateway; 2],
        probe: &Probe<'_>,
        open: bool,
        change: impl FnOnce() -> Result<T>,
    ) -> Result<T> {
        let clients = [gateways[0].client()?, gateways[1].client()?];
        std::thread::scope(|scope| {
            let watchers = clients.map(|client| scope.spawn(|| watch(client, probe, open)));
            let sent = now();
            let changed = change()?;
            let answered = now();
            let mut last = sent;
            for watcher in watchers {
                last = last.max(watcher.join().map_err(|_| "a client panicked")??);
            }
            self.changes.add(answered - sent);
            self.sent.add(last - sent);
            self.answered.add(last.saturating_duration_since(answered));
            Ok(changed)
        })
    }
}

/// Asks until the answer is as it should be, and says when that was.
fn watch(mut client: Client, probe: &Probe<'_>, open: bool) -> Result<Instant> {
    let begin = now();
    while (ask(&mut client, probe)? == 200) != open {
        if now() - begin > PATIENCE {
            return Err("a change is not felt".into());
        }
        std::thread::sleep(ASK_EVERY);
    }
    Ok(now())
}

fn ask(client: &mut Client, probe: &Probe<'_>) -> Result<u16> {
    client.get(&format!("/datasets/ds-{}", probe.dataset), probe.key)
}
