//! A REST platform that knows no tenants: whoever reaches it may do anything.
//!
//! Datasets are listed in pages (`page_size`, `page_token` in the query; `size`, `token` in
//! the body of a search), experiments have runs, which can be asked for one by one or in bulk.

use std::collections::BTreeMap;
use std::io::{self, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard};

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};

use super::upstream::{Received, Upstream, respond};

/// The backend and what it holds.
pub struct Platform {
    /// What it was sent.
    pub upstream: Upstream,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    made: u64,
    datasets: BTreeMap<String, Value>,
    /// Experiment by run.
    runs: BTreeMap<String, String>,
    gzip: bool,
    answer: Option<(String, String)>,
}

impl Platform {
    /// An empty one.
    pub fn start() -> Self {
        let state = Arc::new(Mutex::new(State::default()));
        let shared = Arc::clone(&state);
        let upstream = Upstream::with(move |request, stream| {
            let mut state = shared.lock().unwrap();
            let (status, body) = match state.answer.clone() {
                Some((status, body)) => (status, body),
                None => state.answer(request),
            };
            let gzip = state.gzip;
            drop(state);
            send(stream, &status, &body, gzip)
        });
        Self { upstream, state }
    }

    /// Where it is.
    pub fn address(&self) -> SocketAddr {
        self.upstream.address()
    }

    /// Whether it compresses, asked or not.
    pub fn gzip(&self, gzip: bool) {
        self.state().gzip = gzip;
    }

    /// Has it answer everything with this; `None`: as it should.
    pub fn answer_all(&self, answer: Option<(&str, &str)>) {
        self.state().answer = answer.map(|(status, body)| (status.to_owned(), body.to_owned()));
    }

    /// Moves a run to another experiment, behind everybody's back.
    pub fn put_run(&self, run: &str, experiment: &str) {
        self.state()
            .runs
            .insert(run.to_owned(), experiment.to_owned());
    }

    /// How many requests began with this line.
    pub fn asked(&self, line: &str) -> usize {
        let received = self.upstream.received();
        received
            .iter()
            .filter(|request| request.line().starts_with(line))
            .count()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }
}

fn send(stream: &mut TcpStream, status: &str, body: &str, gzip: bool) -> io::Result<()> {
    if !gzip {
        return respond(stream, status, body.as_bytes());
    }
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    packed.write_all(body.as_bytes())?;
    let packed = packed.finish()?;
    let length = packed.len();
    write!(
        stream,
        "HTTP/1.1 {status}\r\nContent-Encoding: gzip\r\nContent-Length: {length}\r\n\r\n"
    )?;
    stream.write_all(&packed)
}

impl State {
    fn answer(&mut self, request: &Received) -> (String, String) {
        let line = request.line().to_owned();
        let mut words = line.split(' ');
        let (method, target) = (words.next().unwrap(), words.next().unwrap());
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let query: BTreeMap<&str, &str> = query
            .split('&')
            .filter_map(|pair| pair.split_once('='))
            .collect();
        let body = serde_json::from_slice(&request.body).unwrap_or(Value::Null);
        let steps: Vec<&str> = path.trim_matches('/').split('/').collect();
        let answer = match (method, steps.as_slice()) {
            ("POST", ["datasets"]) => Some(self.make(&body)),
            ("GET", ["datasets"]) => {
                let size = query.get("page_size").and_then(|size| size.parse().ok());
                Some(self.page(size, query.get("page_token").copied()))
            }
            ("POST", ["datasets", "search"]) => {
                let size = body["size"]
                    .as_u64()
                    .and_then(|size| usize::try_from(size).ok());
                Some(self.page(size, body["token"].as_str()))
            }
            ("POST", ["datasets", "rename"]) => self.rename(&body),
            ("GET", ["datasets", id]) => self.datasets.get(*id).cloned(),
            ("DELETE", ["datasets", id]) => self.datasets.remove(*id),
            ("POST", ["datasets", id, "copy"]) => {
                self.datasets.contains_key(*id).then(|| self.make(&body))
            }
            ("GET", ["runs", id]) => {
                let experiment = self.runs.get(*id);
                experiment.map(|of| json!({"run": {"id": id, "experiment": of}}))
            }
            ("POST", ["runs", "lookup"]) => Some(self.look_up(&body)),
            _ => Some(json!({"echo": line, "body": body})),
        };
        match answer {
            Some(answer) => ("200 OK".to_owned(), answer.to_string()),
            None => (
                "404 Not Found".to_owned(),
                json!({"error": "none"}).to_string(),
            ),
        }
    }

    fn make(&mut self, body: &Value) -> Value {
        self.made += 1;
        let id = match body["id"].as_str() {
            Some(id) => id.to_owned(),
            None => format!("ds-{:05}", self.made),
        };
        let made = json!({"id": id, "name": body["name"], "environment": body["environment"]});
        self.datasets.insert(id, made.clone());
        made
    }

    fn rename(&mut self, body: &Value) -> Option<Value> {
        let mut dataset = self.datasets.remove(body["id"].as_str()?)?;
        dataset["id"] = body["new_id"].clone();
        self.datasets
            .insert(body["new_id"].as_str()?.to_owned(), dataset.clone());
        Some(dataset)
    }

    fn page(&self, size: Option<usize>, token: Option<&str>) -> Value {
        let size = size.unwrap_or(100);
        let begin = token.unwrap_or_default();
        let mut rest = self.datasets.range(begin.to_owned()..);
        let items: Vec<_> = rest.by_ref().take(size).map(|(_, item)| item).collect();
        let next = rest.next().map(|(id, _)| id.clone());
        json!({"datasets": items, "next_page_token": next})
    }

    fn look_up(&self, body: &Value) -> Value {
        let ids = body["ids"].as_array().cloned().unwrap_or_default();
        let found = ids.iter().filter_map(|id| {
            let experiment = self.runs.get(id.as_str()?)?;
            Some(json!({"id": id, "experiment": experiment}))
        });
        json!({"runs": found.collect::<Vec<_>>()})
    }
}
