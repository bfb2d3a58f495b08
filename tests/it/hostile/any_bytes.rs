//! Whatever bytes a client sends: either nothing reaches the backend, or what reaches it
//! has the meaning that was decided upon, read by another reader.

use std::collections::HashMap;
use std::sync::Mutex;

use http::{HeaderMap, HeaderName, HeaderValue, Method};
use portcullis::config::Settings;
use portcullis::policy::{
    CanonicalRequest, HeadLimits, HeadReader, Lookup, PathRef, RawRequest, RouteMap, Source,
};
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde_json::{Value, json};

use super::{Bench, ROUTES, bearer, request};
use crate::support::gateway::{Keys, TestGateway, yaml};
use crate::support::upstream::{Received, Upstream};

/// Byte strings that are sent.
const CASES: usize = 600;
/// Sent at once.
const CLIENTS: usize = 12;

/// What parsers have disagreed about.
const TOKENS: [&str; 40] = [
    "\r\n",
    "\n",
    "\r",
    "\0",
    " ",
    "\t",
    "%2e%2e",
    "%2F",
    "%5c",
    "%00",
    "%zz",
    "%252e",
    "//",
    "/../",
    "/./",
    ";",
    "\\",
    "#",
    "?",
    "&",
    "=",
    "*",
    "HTTP/1.0",
    "http://evil",
    "Content-Length: 5\r\n",
    "Content-Length: 0\r\n",
    "Content-Length: +3\r\n",
    "Transfer-Encoding: chunked\r\n",
    "Transfer-Encoding: x\r\n",
    "Host: evil\r\n",
    "X-Portcullis-Tenant: evil\r\n",
    "X_Portcullis_Principal: evil\r\n",
    "X-Portcullis-Project: globex/churn\r\n",
    "X-Original-URL: /closed\r\n",
    "Connection: x-portcullis-tenant\r\n",
    "Connection: close\r\n",
    "Upgrade: h2c\r\n",
    "0\r\n\r\n",
    "GET /closed HTTP/1.1\r\nHost: gw\r\n\r\n",
    "\u{e9}",
];

#[derive(Clone, Debug)]
enum Change {
    Insert(usize, usize),
    Remove(usize, usize),
    Flip(usize, u8),
    Repeat(usize, usize),
}

fn change() -> impl Strategy<Value = Change> {
    let at = 0..4096_usize;
    prop_oneof![
        6 => (at.clone(), 0..TOKENS.len()).prop_map(|(at, token)| Change::Insert(at, token)),
        2 => (at.clone(), 1..12_usize).prop_map(|(at, length)| Change::Remove(at, length)),
        2 => (at.clone(), any::<u8>()).prop_map(|(at, byte)| Change::Flip(at, byte)),
        1 => (at, 1..60_usize).prop_map(|(at, length)| Change::Repeat(at, length)),
    ]
}

fn apply(mut bytes: Vec<u8>, changes: &[Change]) -> Vec<u8> {
    for change in changes {
        let size = bytes.len();
        let within = |at: usize| at % (size + 1);
        match *change {
            Change::Insert(at, token) => {
                let at = within(at);
                bytes.splice(at..at, TOKENS[token].bytes());
            }
            Change::Remove(at, length) => {
                let at = within(at);
                bytes.drain(at..size.min(at + length));
            }
            Change::Flip(at, byte) if size > 0 => bytes[at % size] = byte,
            Change::Flip(..) => {}
            Change::Repeat(at, length) => {
                let at = within(at);
                let copy = bytes[at..size.min(at + length)].to_vec();
                bytes.splice(at..at, copy);
            }
        }
    }
    bytes
}

/// Requests that pass as they are.
fn seeds(keys: &Keys) -> Vec<Vec<u8>> {
    let (viewer, editor) = (bearer(&keys.viewer), bearer(&keys.editor));
    let post =
        |fields: &str, body: &str| request("POST /things", &format!("{editor}{fields}")) + body;
    let get = request("GET /things/7?a=b", &viewer);
    [
        get.clone(),
        request("GET /things/a%20b", &viewer),
        request("GET http://gw/things/7", &viewer),
        request("GET /open", "Cookie: a=b\r\n"),
        request("HEAD /headed", &viewer),
        post("Content-Length: 3\r\n", "abc"),
        post("Transfer-Encoding: chunked\r\n", "3\r\nabc\r\n0\r\n\r\n"),
        post("Content-Length: 3\r\n", "abc") + &get,
    ]
    .map(String::into_bytes)
    .to_vec()
}

fn cases(keys: &Keys) -> Vec<Vec<u8>> {
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[7; 32]);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    let seed = prop::sample::select(seeds(keys));
    let case = (seed, proptest::collection::vec(change(), 0..5));
    (0..CASES)
        .map(|_| {
            let (seed, changes) = case.new_tree(&mut runner).unwrap().current();
            apply(seed, &changes)
        })
        .collect()
}

/// What a request means: route, id of its resource, and who the backend is told it is.
type Meaning = (String, Value, Value);

/// Reads what the backend received as if for the first time.
fn read(received: &Received, routes: &RouteMap) -> Meaning {
    let limits = HeadLimits {
        request_line: 1 << 20,
        bytes: 1 << 20,
        fields: 1 << 10,
    };
    let head = format!("{}\r\n", received.head);
    let read = HeadReader::default().read(head.as_bytes(), &limits);
    let read = read.unwrap().expect("a whole head");
    assert_eq!(read.end, head.len());
    let mut lines = received.head.lines();
    let line: Vec<_> = lines.next().unwrap().split(' ').collect();
    let mut headers = HeaderMap::new();
    for (name, value) in lines.filter_map(|line| line.split_once(": ")) {
        let name: HeaderName = name.parse().unwrap();
        headers.append(name, HeaderValue::from_str(value).unwrap());
    }
    let method: Method = line[0].parse().unwrap();
    let request = CanonicalRequest::parse(&RawRequest {
        method: &method,
        target: line[1].as_bytes(),
        authority: None,
        headers: &headers,
    })
    .expect("one meaning");
    assert_eq!(request.target(), line[1], "already canonical");
    let segments = request.path().segments();
    let path = PathRef {
        segments: &segments,
        trailing_slash: request.path().trailing_slash(),
    };
    let Lookup::Found { route, params, .. } = routes.find(&method, request.host(), &path) else {
        panic!("no route: {received:#?}");
    };
    let id = route
        .resource
        .as_ref()
        .and_then(|rule| match rule.ids.first()? {
            Source::Path(name) => params.get(name, &path).map(|id| json!(id)),
            _ => None,
        });
    let principal = headers.get("x-portcullis-principal");
    let principal = principal.map(|value| json!(value.to_str().unwrap()));
    (
        route.label.to_string(),
        id.unwrap_or_default(),
        principal.unwrap_or_default(),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_decided_is_what_is_forwarded() {
    let upstream = Upstream::ok();
    let text = yaml(upstream.address(), ROUTES);
    let limits = "limits: { header_timeout: 1s, idle: 1s }\n";
    let gateway = TestGateway::start(&format!("{text}{limits}")).await;
    let bench = Bench::around(upstream, gateway);
    let cases = Mutex::new(cases(&bench.keys));
    std::thread::scope(|scope| {
        for _ in 0..CLIENTS {
            scope.spawn(|| {
                while let Some(case) = { cases.lock().unwrap().pop() } {
                    let mut connection = bench.gateway.connect();
                    connection.send(&case);
                    // Until it is hung up on, for what it sent or for its silence.
                    while !connection.some_bytes().is_empty() {}
                }
            });
        }
    });
    bench.gateway.wait_for_audit();
    let events = bench.gateway.events().await;
    let decided: HashMap<&str, &Value> = events
        .iter()
        .map(|event| (event["request_id"].as_str().unwrap(), event))
        .collect();
    assert_eq!(decided.len(), events.len(), "one event a request");
    let settings = Settings::parse("p.yaml", &format!("version: 1\n{text}"), &|_| None);
    let routes = settings.unwrap().routes;
    let received = bench.upstream.received();
    for received in &received {
        let event = decided[received.header("x-request-id")[0]];
        let meant = (
            event["route"].as_str().unwrap().to_owned(),
            event["resource_id"].clone(),
            event["actor_id"].clone(),
        );
        assert_eq!(read(received, &routes), meant, "{received:#?}");
    }
    // Neither all refused nor all passed: both ways were tried.
    let refused = events.len() - received.len();
    assert!(received.len() > CASES / 10, "{} passed", received.len());
    assert!(refused > CASES / 10, "{refused} refused");
}
