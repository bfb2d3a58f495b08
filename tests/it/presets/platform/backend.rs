//! A REST platform that knows no tenants: ids for everybody, lists of everything, and whatever
//! is sent is kept.

use std::collections::BTreeMap;
use std::io;
use std::net::TcpStream;
use std::sync::Mutex;

use serde_json::{Map, Value, json};

use crate::support::upstream::{Received, Upstream, respond};

/// Collections, each with its objects in the order of their making.
#[derive(Default)]
struct Platform {
    collections: BTreeMap<String, Vec<Value>>,
    settings: BTreeMap<String, Value>,
    made: u64,
}

/// Starts one.
pub fn start() -> Upstream {
    let platform = Mutex::<Platform>::default();
    Upstream::with(move |request, stream| {
        let mut platform = platform.lock().unwrap();
        let (status, answer) = platform.answer(request);
        send(stream, status, &answer)
    })
}

fn send(stream: &mut TcpStream, status: u16, answer: &Value) -> io::Result<()> {
    let phrase = format!("{status} whatever");
    if answer.is_null() {
        return respond(stream, &phrase, b"");
    }
    respond(stream, &phrase, answer.to_string().as_bytes())
}

impl Platform {
    fn answer(&mut self, request: &Received) -> (u16, Value) {
        let mut line = request.line().split(' ');
        let (method, target) = (line.next().unwrap(), line.next().unwrap());
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let query: BTreeMap<_, _> = query
            .split('&')
            .filter_map(|it| it.split_once('='))
            .collect();
        let sent = serde_json::from_slice(&request.body).unwrap_or(Value::Null);
        let path: Vec<_> = path.trim_start_matches("/api/v1/").split('/').collect();
        match (method, path.as_slice()) {
            (_, ["settings" | "members" | "project"]) => {
                let key = format!("{}/{}", query["project"], path[0]);
                if method != "GET" {
                    self.settings.insert(key.clone(), sent);
                }
                (200, self.settings.get(&key).cloned().unwrap_or(json!({})))
            }
            (_, ["/healthz"]) => (200, json!({})),
            ("GET", [collection]) => (200, self.page(collection, &query)),
            ("POST", [collection]) => (201, self.make(collection, sent)),
            ("POST", ["deployments", deployment, "predict"]) => {
                let prediction = json!({ "deployment_id": deployment, "score": 0.5 });
                (200, self.make("predictions", prediction))
            }
            (_, [collection, id, ..]) => self.one(method, collection, id, sent),
            _ => (404, json!({ "error": "no such path" })),
        }
    }

    fn page(&self, collection: &str, query: &BTreeMap<&str, &str>) -> Value {
        let number = |name: &str, default: usize| {
            let given = query.get(name).map(|text| text.parse().unwrap());
            given.unwrap_or(default)
        };
        let (from, limit) = (number("page_token", 0), number("limit", 50));
        let empty = Vec::new();
        let all = self.collections.get(collection).unwrap_or(&empty);
        let items: Vec<_> = all.iter().skip(from).take(limit).collect();
        let next = from + items.len();
        let mut page = json!({ "items": items });
        if next < all.len() {
            page["next_page_token"] = next.to_string().into();
        }
        page
    }

    fn make(&mut self, collection: &str, sent: Value) -> Value {
        self.made += 1;
        let mut object = match sent {
            Value::Object(entries) => entries,
            _ => Map::new(),
        };
        let id = format!("{}-{}", collection.trim_end_matches('s'), self.made);
        object.insert("id".to_owned(), id.into());
        let object = Value::Object(object);
        let objects = self.collections.entry(collection.to_owned());
        objects.or_default().push(object.clone());
        object
    }

    fn one(&mut self, method: &str, collection: &str, id: &str, sent: Value) -> (u16, Value) {
        let missing = (404, json!({ "error": "no such object" }));
        let Some(objects) = self.collections.get_mut(collection) else {
            return missing;
        };
        let Some(at) = objects.iter().position(|object| object["id"] == id) else {
            return missing;
        };
        if method == "DELETE" {
            objects.remove(at);
            return (204, Value::Null);
        }
        if let Value::Object(changes) = sent {
            let object = objects[at].as_object_mut().unwrap();
            object.extend(changes);
        }
        (200, objects[at].clone())
    }
}
