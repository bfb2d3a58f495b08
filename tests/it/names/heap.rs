//! A backend with one heap of names for all: it says which are taken, to anybody.

use std::io::{self, Write as _};
use std::net::TcpStream;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use crate::support::raw::Connection;
use crate::support::upstream::{Received, Upstream, respond};

/// The backend and what it holds.
pub struct Heap {
    /// What it was sent.
    pub upstream: Upstream,
}

#[derive(Default)]
struct State {
    /// Models are known by their names.
    models: Vec<String>,
    /// Things have numbers.
    things: Vec<String>,
}

impl Heap {
    /// An empty one.
    pub fn start() -> Self {
        let state = Arc::new(Mutex::new(State::default()));
        let upstream = Upstream::with(move |request, stream| {
            let (status, body) = state.lock().unwrap().answer(request);
            send(stream, status, &body)
        });
        Self { upstream }
    }

    /// A request past the gateway, as everything was made before it came.
    pub fn make_before(&self, target: &str, name: &str) {
        let address = self.upstream.address();
        let body = json!({ "name": name }).to_string();
        let mut connection = Connection::open(address);
        connection.send(format!(
            "POST {target} HTTP/1.1\r\nHost: {address}\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        ));
        assert_eq!(connection.answer().unwrap().status, 200);
    }

    /// What it was sent last: the request line, or the body where there is one.
    pub fn last(&self) -> String {
        let received = self.upstream.received();
        let last = received.last().unwrap();
        if last.body.is_empty() {
            return last.line().to_owned();
        }
        String::from_utf8(last.body.clone()).unwrap()
    }

    /// How many requests it was sent.
    pub fn asked(&self) -> usize {
        self.upstream.received().len()
    }
}

fn send(stream: &mut TcpStream, status: &str, body: &Value) -> io::Result<()> {
    respond(stream, status, body.to_string().as_bytes())?;
    stream.flush()
}

impl State {
    fn answer(&mut self, request: &Received) -> (&'static str, Value) {
        let mut words = request.line().split(' ');
        let (method, target) = (words.next().unwrap(), words.next().unwrap());
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let name = query.strip_prefix("name=").unwrap_or_default();
        let body: Value = serde_json::from_slice(&request.body).unwrap_or(Value::Null);
        let text = |key: &str| body[key].as_str().unwrap_or_default().to_owned();
        match (method, path) {
            ("POST", "/models") => self.make_model(&text("name")),
            ("POST", "/models/rename") => {
                let made = self.make_model(&text("new_name"));
                if made.0 == "200 OK" {
                    self.models.retain(|model| *model != text("name"));
                }
                made
            }
            ("POST", "/models/source") => (
                "200 OK",
                json!({ "model": { "name": body["name"], "source": body["source"] } }),
            ),
            ("GET", "/models/get") if self.models.iter().any(|it| it == name) => {
                ("200 OK", json!({ "model": { "name": name } }))
            }
            (_, "/models/search") => {
                let model = |name: &String| json!({ "name": name });
                let models: Vec<Value> = self.models.iter().map(model).collect();
                ("200 OK", json!({ "models": models }))
            }
            ("POST", "/things") => {
                let name = text("name");
                if self.things.contains(&name) {
                    return taken(&name);
                }
                self.things.push(name);
                (
                    "200 OK",
                    json!({ "id": (self.things.len() - 1).to_string() }),
                )
            }
            ("GET", "/things/by-name") => {
                let found = self.things.iter().position(|thing| thing == name);
                found.map_or(none(), |at| {
                    (
                        "200 OK",
                        json!({ "thing": { "id": at.to_string(), "name": name } }),
                    )
                })
            }
            _ => none(),
        }
    }

    fn make_model(&mut self, name: &str) -> (&'static str, Value) {
        if self.models.iter().any(|it| it == name) {
            return taken(name);
        }
        self.models.push(name.to_owned());
        ("200 OK", json!({ "model": { "name": name } }))
    }
}

fn taken(name: &str) -> (&'static str, Value) {
    (
        "409 Conflict",
        json!({ "error": format!("there is a {name} already") }),
    )
}

fn none() -> (&'static str, Value) {
    ("404 Not Found", json!({ "error": "none" }))
}
