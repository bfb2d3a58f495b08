//! `kill -9` of the gateway under load.

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::Value;

use crate::support::gateway::{TestGateway, until, yaml};
use crate::support::load;
use crate::support::upstream::Upstream;

const ROUTES: &str = "
  - { route: GET /things, upstream: app, permission: datasets:read }
  - { route: POST /things, upstream: app, permission: datasets:create }
";
const CLIENTS: usize = 8;
/// Answers before the blow.
const ENOUGH: usize = 400;

/// Sends reads and writes until the connection breaks; keeps the ids of the answers that
/// were read to their last byte.
fn send_until_cut(gateway: &TestGateway, key: &str, kept: &Mutex<Vec<String>>, all: &AtomicUsize) {
    let mut connection = gateway.connect();
    for method in ["GET", "POST"].iter().cycle() {
        connection.send(load::request(method, "/things", key));
        match connection.answer() {
            Some(answer) if answer.body == "ok" => {
                kept.lock().unwrap().extend(load::request_ids(&[answer]));
                all.fetch_add(1, Ordering::Relaxed);
            }
            Some(answer) => assert!(answer.body.is_empty(), "{answer:?}"),
            None => return,
        }
    }
}

fn is_interrupted(event: &Value) -> bool {
    event["reason"] == "gateway_interrupted"
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answered_request_has_its_event_after_a_kill() {
    let upstream = Upstream::ok();
    let mut gateway = TestGateway::start(&yaml(upstream.address(), ROUTES)).await;
    let keys = gateway.seed();
    let (answered, count) = (Mutex::default(), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for _ in 0..CLIENTS {
            scope.spawn(|| send_until_cut(&gateway, &keys.editor, &answered, &count));
        }
        until("enough answers", || count.load(Ordering::Relaxed) >= ENOUGH);
        gateway.signal(rustix::process::Signal::KILL);
    });
    gateway.wait();
    gateway.launch();
    gateway.wait_for_audit();
    let events = gateway.events().await;
    let mut by_id: HashMap<&str, &Value> = HashMap::new();
    for event in &events {
        let twice = by_id.insert(event["request_id"].as_str().unwrap(), event);
        assert!(twice.is_none(), "twice: {event}");
    }
    for id in answered.into_inner().unwrap() {
        let event = by_id
            .get(&*id)
            .unwrap_or_else(|| panic!("no event of {id}"));
        assert_eq!(event["result"], "success", "{event}");
    }
    for event in events.iter().filter(|event| is_interrupted(event)) {
        assert_eq!(
            (&event["method"], &event["result"]),
            (&"POST".into(), &"failed".into())
        );
    }
    for seen in upstream.received() {
        let id = seen.header("x-request-id")[0];
        let write = seen.line().starts_with("POST");
        assert!(
            !write || by_id.contains_key(id),
            "a write without a trace: {id}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_that_was_cut_off_is_recorded_as_interrupted() {
    // Never answers: the request is surely under way when the gateway dies.
    let upstream = Upstream::with(|_, stream| std::io::Read::read(stream, &mut [0]).map(drop));
    let mut gateway = TestGateway::start(&yaml(upstream.address(), ROUTES)).await;
    let keys = gateway.seed();
    let mut connection = gateway.connect();
    connection.send(load::request("POST", "/things", &keys.editor));
    until("the write at the backend", || {
        !upstream.received().is_empty()
    });
    gateway.kill();
    assert!(connection.answer().is_none());
    gateway.launch();
    gateway.wait_for_audit();
    gateway.kill();
    gateway.launch();
    gateway.wait_for_audit();
    let events = gateway.events().await;
    assert_eq!(events.len(), 1, "{events:#?}");
    assert!(is_interrupted(&events[0]), "{}", events[0]);
    assert_eq!(events[0]["event"], "datasets.create");
    assert_eq!(events[0]["actor_email"], "editor@example.com");
    assert_eq!(
        events[0]["request_id"],
        upstream.only().header("x-request-id")[0]
    );
}
