//! Exactly one event a request, whatever becomes of it, of the gateway or of Postgres.

mod database_faults;
mod full;
mod full_disk;
mod kill;
mod one_event;
mod outage;

use serde_json::Value;

/// Request ids of events that met a route, sorted.
fn recorded(events: &[Value]) -> Vec<String> {
    let id = |event: &Value| event["request_id"].as_str().unwrap().to_owned();
    let routed = events.iter().filter(|event| !event["route"].is_null());
    let mut ids: Vec<_> = routed.map(id).collect();
    ids.sort();
    ids
}

/// Route, status, result and reason.
fn told(event: &Value) -> String {
    let word = |name: &str| event[name].to_string().replace('"', "");
    ["route", "status", "result", "reason"]
        .map(word)
        .join(" | ")
}
