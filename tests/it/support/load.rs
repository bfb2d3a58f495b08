//! Clients that send as fast as they are answered.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use super::gateway::TestGateway;
use super::raw::Answer;

/// Sends `each` requests on each of `connections` kept-alive connections; `write` makes
/// the request of a number. Ends early on a connection that closes.
pub fn send(
    gateway: &TestGateway,
    connections: usize,
    each: usize,
    write: impl Fn(usize) -> String + Sync,
) -> Vec<Answer> {
    let answers = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for client in 0..connections {
            let (write, answers) = (&write, &answers);
            scope.spawn(move || {
                let mut connection = gateway.connect();
                for number in client * each..(client + 1) * each {
                    connection.send(write(number));
                    let Some(answer) = connection.answer() else {
                        break;
                    };
                    answers.lock().unwrap().push(answer);
                }
            });
        }
    });
    answers.into_inner().unwrap()
}

/// Sends on kept-alive connections while `work` goes on, one request after the other on
/// each; `write` makes the request of a number. Returns number and answer of each.
///
/// # Panics
///
/// If one is not answered.
pub fn during(
    gateway: &TestGateway,
    connections: usize,
    write: impl Fn(usize) -> String + Sync,
    work: impl FnOnce(),
) -> Vec<(usize, Answer)> {
    let (answers, done) = (Mutex::new(Vec::new()), AtomicBool::new(false));
    std::thread::scope(|scope| {
        for client in 0..connections {
            let (write, answers, done) = (&write, &answers, &done);
            scope.spawn(move || {
                let mut connection = gateway.connect();
                let mut number = client;
                while !done.load(Ordering::Relaxed) {
                    connection.send(write(number));
                    let answer = connection.answer().expect("an answer");
                    answers.lock().unwrap().push((number, answer));
                    number += connections;
                }
            });
        }
        // Or a failure in it would leave the clients at work for ever.
        let worked = catch_unwind(AssertUnwindSafe(work));
        done.store(true, Ordering::Relaxed);
        worked.unwrap_or_else(|panic| resume_unwind(panic));
    });
    answers.into_inner().unwrap()
}

/// A request with a bearer key, on a connection that stays.
pub fn request(method: &str, target: &str, key: &str) -> String {
    let length = if method == "POST" {
        "Content-Length: 0\r\n"
    } else {
        ""
    };
    format!("{method} {target} HTTP/1.1\r\nHost: gw\r\nAuthorization: Bearer {key}\r\n{length}\r\n")
}

/// The ids of the requests that these answer.
pub fn request_ids(answers: &[Answer]) -> Vec<String> {
    let id = |answer: &Answer| answer.header("x-request-id")[0].to_owned();
    answers.iter().map(id).collect()
}
