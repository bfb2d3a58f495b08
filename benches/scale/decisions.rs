//! How long a request takes whose object the gateway knows, and one whose object it does not.
//!
//! Over HTTP, through the real gateway to a small backend and back, one request after the
//! other: what is told of the gateway holds for it, the backend and the loopback together.

use rand::SeedableRng;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;

use crate::backend::Backend;
use crate::client::Client;
use crate::data::{COLD_KEYS, Data, cold_project, dataset_of};
use crate::gateway::Gateway;
use crate::report::{Report, millis};
use crate::timing::Times;
use crate::{Result, say};

const COLD: usize = 5_000;
const WARM: usize = 20_000;
/// The first tenant's projects of 2,500 resources each, 250 of them datasets.
const DATASETS: usize = 250_000;

pub fn measure(
    data: &Data,
    gateway: &Gateway,
    backend: &Backend,
    report: &mut Report,
) -> Result<()> {
    let mut chances = StdRng::seed_from_u64(41);
    let mut numbers: Vec<usize> = (1..=DATASETS).map(|n| n * 10).collect();
    numbers.shuffle(&mut chances);
    say("objects whose owners the gateway does not know");
    let mut client = gateway.client()?;
    pass(&mut client, numbers[COLD], &data.keys.heavy)?;
    let mut cold = Times::default();
    for number in &numbers[..COLD] {
        cold.of(|| pass(&mut client, *number, &data.keys.heavy))?;
    }
    report.tell(
        "cold decision (owner unknown), p50",
        millis(cold.p50()),
        "ms",
    );
    report.aim(
        "cold decision (owner unknown), p99",
        millis(cold.p99()),
        "ms",
        5.0,
    );

    say("keys and objects that the gateway does not know");
    let mut colder = Times::default();
    for (at, key) in data.keys.cold.iter().enumerate() {
        let number = dataset_of(cold_project(at));
        colder.of(|| pass(&mut client, number, key))?;
    }
    assert_eq!(colder.len(), COLD_KEYS);
    report.tell(
        "colder decision (key and owner unknown), p50",
        millis(colder.p50()),
        "ms",
    );
    report.aim(
        "colder decision (key and owner unknown), p99",
        millis(colder.p99()),
        "ms",
        5.0,
    );

    say("an object that the gateway knows");
    let known = numbers[0];
    let mut warm = Times::default();
    let before = gateway.busy()?;
    for _ in 0..WARM {
        warm.of(|| pass(&mut client, known, &data.keys.heavy))?;
    }
    let busy = gateway.busy()?.saturating_sub(before) / u32::try_from(WARM)?;
    let mut direct = Times::default();
    let mut straight = Client::connect(backend.address())?;
    for _ in 0..WARM {
        direct.of(|| pass(&mut straight, known, "none"))?;
    }
    let micros = |time: std::time::Duration| millis(time) * 1000.0;
    report.tell("warm request, p50", micros(warm.p50()), "µs");
    report.tell("warm request, p99", micros(warm.p99()), "µs");
    report.tell(
        "the same without the gateway, p50",
        micros(direct.p50()),
        "µs",
    );
    report.tell(
        "processor time of the gateway a warm request",
        micros(busy),
        "µs",
    );
    Ok(())
}

fn pass(client: &mut Client, dataset: usize, key: &str) -> Result<()> {
    match client.get(&format!("/datasets/ds-{dataset}"), key)? {
        200 => Ok(()),
        status => Err(format!("ds-{dataset}: {status}").into()),
    }
}
