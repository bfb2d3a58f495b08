//! A graceful stop: what was accepted ends, until its deadline.

use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use portcullis::clock::Clock;
use rustix::process::Signal;

use crate::support::gateway::{TestGateway, until, yaml};
use crate::support::load;
use crate::support::upstream::Upstream;

const ROUTES: &str = "
  - { route: GET /things, upstream: app, permission: datasets:read }
  - { route: POST /things, upstream: app, permission: datasets:create }
";

async fn start(upstream: &Upstream, settings: &str) -> TestGateway {
    let yaml = format!("{}\n{settings}", yaml(upstream.address(), ROUTES));
    TestGateway::start(&yaml).await
}

#[tokio::test(flavor = "multi_thread")]
async fn accepted_requests_end_and_new_connections_are_refused() {
    let (upstream, go) = Upstream::held();
    let mut gateway = start(&upstream, "").await;
    let keys = gateway.seed();
    let mut slow = gateway.connect();
    slow.send(load::request("GET", "/things", &keys.viewer));
    let mut upload = gateway.connect();
    upload.send(format!(
        "POST /things HTTP/1.1\r\nHost: gw\r\nAuthorization: Bearer {}\r\nContent-Length: 8\r\n\r\nhalf",
        keys.editor
    ));
    let in_flight = || gateway.metric("portcullis_requests_in_flight");
    until("both", || {
        in_flight() == 2 && upstream.received().len() == 1
    });
    gateway.signal(Signal::TERM);
    until("the listener to close", || {
        TcpStream::connect(gateway.public()).is_err()
    });
    let ready = gateway.private_get("/readyz");
    assert_eq!(ready.status, 503);
    assert!(ready.body.contains("draining"), "{}", ready.body);
    upload.send("half");
    until("the upload", || upstream.received().len() == 2);
    go.send(()).unwrap();
    go.send(()).unwrap();
    for connection in [&mut slow, &mut upload] {
        let answer = connection.answer().unwrap();
        assert_eq!((answer.status, answer.body.as_str()), (200, "done"));
        assert!(connection.is_closed());
    }
    assert!(gateway.wait(), "exit code");
    let events = gateway.events().await;
    assert_eq!(events.len(), 2, "{events:#?}");
    assert!(events.iter().all(|event| event["result"] == "success"));
}

#[tokio::test(flavor = "multi_thread")]
async fn beyond_the_deadline_requests_are_cut_and_recorded() {
    let (upstream, _go) = Upstream::held();
    let mut gateway = start(&upstream, "shutdown: { deadline: 1s }").await;
    let keys = gateway.seed();
    let mut slow = gateway.connect();
    slow.send(load::request("GET", "/things", &keys.viewer));
    until("the request", || upstream.received().len() == 1);
    let clock = Clock::system();
    let start = clock.instant();
    assert!(gateway.stop(), "exit code");
    let took = clock.instant() - start;
    assert!(
        (Duration::from_secs(1)..Duration::from_secs(6)).contains(&took),
        "{took:?}"
    );
    while !slow.some_bytes().is_empty() {}
    let events = gateway.events().await;
    assert_eq!(events.len(), 1);
    assert_eq!(events[0]["result"], "failed", "{}", events[0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn idle_connections_hold_up_nothing() {
    let upstream = Upstream::ok();
    let mut gateway = start(&upstream, "").await;
    let keys = gateway.seed();
    let mut idle: Vec<_> = (0..5).map(|_| gateway.connect()).collect();
    for connection in &mut idle {
        connection.send(load::request("GET", "/things", &keys.viewer));
        assert_eq!(connection.answer().unwrap().status, 200);
    }
    let _silent = gateway.connect();
    let clock = Clock::system();
    let start = clock.instant();
    assert!(gateway.stop());
    let took = clock.instant() - start;
    assert!(took < Duration::from_secs(4), "{took:?}");
    assert!(
        idle.iter_mut()
            .all(super::super::support::raw::Connection::is_closed)
    );
    assert_eq!(gateway.events().await.len(), 5, "drained before the end");
}

/// Under load every request that was answered or begun is answered whole or never taken.
#[tokio::test(flavor = "multi_thread")]
async fn a_stop_under_load_cuts_nobody() {
    let upstream = Arc::new(Upstream::ok());
    let mut gateway = start(&upstream, "").await;
    let keys = gateway.seed();
    let answers = std::sync::Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let mut connection = gateway.connect();
                loop {
                    connection.send(load::request("GET", "/things", &keys.viewer));
                    let Some(answer) = connection.answer() else {
                        return;
                    };
                    assert_eq!((answer.status, answer.body.as_str()), (200, "ok"));
                    answers.lock().unwrap().push(answer);
                }
            });
        }
        until("some answers", || answers.lock().unwrap().len() > 200);
        gateway.signal(Signal::TERM);
    });
    assert!(gateway.wait());
    let (events, answers) = (gateway.events().await, answers.into_inner().unwrap());
    assert_eq!(events.len(), answers.len());
    assert_eq!(
        upstream.received().len(),
        answers.len(),
        "forwarded, but not answered"
    );
}
