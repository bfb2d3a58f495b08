//! How soon a gateway is ready, and what it takes.

use std::net::SocketAddr;

use crate::data::{BINDINGS, Data};
use crate::gateway::Gateway;
use crate::report::Report;
use crate::timing::Times;
use crate::{Result, say};

const STARTS: usize = 3;
const MIB: f64 = 1024.0;

/// Resident memory of a gateway with nothing to remember, in KiB.
pub fn idle(backend: SocketAddr) -> Result<f64> {
    say("a gateway on an empty database");
    let gateway = Gateway::start(None, backend)?;
    gateway.settle()?;
    let resident = gateway.memory()?.resident;
    gateway.stop()?;
    Ok(resident)
}

/// Starts it several times; the last one stays.
pub fn loaded(data: &Data, backend: SocketAddr, idle: f64, report: &mut Report) -> Result<Gateway> {
    say("starting on the large database, three times");
    let mut times = Times::default();
    for _ in 1..STARTS {
        let gateway = Gateway::start(Some(data.url()), backend)?;
        times.add(gateway.ready_after);
        gateway.stop()?;
    }
    let gateway = Gateway::start(Some(data.url()), backend)?;
    let at_once = gateway.memory()?.resident;
    times.add(gateway.ready_after);
    gateway.settle()?;
    let settled = gateway.memory()?;
    let worst = times.quantile(1000).as_secs_f64();
    report.aim("start to ready, the slowest of 3", worst, "s", 20.0);
    report.tell("start to ready, median", times.p50().as_secs_f64(), "s");
    report.aim("resident memory, empty database", idle / MIB, "MiB", 64.0);
    report.tell("resident memory when ready", at_once / MIB, "MiB");
    report.tell(
        "resident memory when settled",
        settled.resident / MIB,
        "MiB",
    );
    report.tell(
        "resident memory at the start's peak",
        settled.peak / MIB,
        "MiB",
    );
    let each = (settled.resident - idle) * 1024.0 / BINDINGS;
    report.aim("memory a binding, all else included", each, "bytes", 400.0);
    Ok(gateway)
}

/// After requests and changes.
pub fn after_all(gateway: &Gateway, idle: f64, report: &mut Report) -> Result<()> {
    gateway.settle()?;
    let memory = gateway.memory()?;
    report.tell(
        "resident memory after all this",
        memory.resident / MIB,
        "MiB",
    );
    report.tell("resident memory at its peak", memory.peak / MIB, "MiB");
    let each = (memory.resident - idle) * 1024.0 / BINDINGS;
    report.tell("memory a binding after all this", each, "bytes");
    Ok(())
}
