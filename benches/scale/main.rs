//! Measures gateways on a large installation: start, memory, decisions, how soon a change of
//! a binding is felt everywhere.
//!
//! `scripts/bench-scale` says what it needs and where it keeps the data.

mod backend;
mod client;
mod data;
mod decisions;
mod gateway;
mod propagation;
mod report;
mod start;
mod timing;

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;

use self::backend::Backend;
use self::data::Data;
use self::gateway::Gateway;
use self::report::Report;

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// Where data and report are kept, unless the environment says so.
const HERE: &str = concat!(env!("CARGO_TARGET_TMPDIR"), "/scale");

#[tokio::main]
async fn main() -> Result<ExitCode> {
    let dir = std::env::var_os("PORTCULLIS_SCALE_DIR").map_or_else(|| HERE.into(), PathBuf::from);
    let data = Data::open(&dir).await?;
    let measured = measure(&data);
    data.close().await;
    let report = measured?;
    report.print();
    let path = dir.join("report.json");
    std::fs::write(&path, report.to_json())?;
    println!("\nmachine-readable: {}", path.display());
    Ok(if report.all_met() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn measure(data: &Data) -> Result<Report> {
    let mut report = Report::default();
    let load = std::fs::read_to_string("/proc/loadavg")?;
    let load = load.split(' ').next().ok_or("no load")?.parse()?;
    report.tell(
        "load of the machine before, 1 min (be alone on it)",
        load,
        "",
    );
    let backend = Backend::start()?;
    let idle = start::idle(backend.address())?;
    let first = start::loaded(data, backend.address(), idle, &mut report)?;
    say("a second gateway");
    let second = Gateway::start(Some(data.url()), backend.address())?;
    decisions::measure(data, &first, &backend, &mut report)?;
    propagation::measure(data, [&first, &second], &mut report)?;
    start::after_all(&first, idle, &mut report)?;
    for gateway in [first, second] {
        gateway.stop()?;
    }
    Ok(report)
}

/// Progress.
fn say(what: &str) {
    eprintln!("==> {what}");
}
