//! Bounds: on what a request may be, and on how much there may be of it.

use std::io::Write as _;
use std::time::Duration;

use portcullis::clock::Clock;

use super::{Bench, bearer, request};
use crate::support::gateway::until;
use crate::support::raw::Connection;

/// Between two bytes of a slow client.
const DRIP: Duration = Duration::from_millis(100);

/// A byte now and then keeps nobody waiting: the deadline is for the whole.
#[tokio::test(flavor = "multi_thread")]
async fn class_13_a_dripping_header_has_a_deadline() {
    let bench = Bench::with("limits: { header_timeout: 1s }\n").await;
    let whole = bench.viewer("GET /things/7", "");
    for begun in [
        "G",
        "GET / HTTP/1.1\r\n",
        "GET / HTTP/1.1\r\nHost: gw\r\nX-",
        &whole[..whole.len() - 1],
        // A request may follow an empty line; none follows ever more of them.
        "\r\n\r\n",
    ] {
        let piece: &[u8] = if begun.starts_with('\r') {
            b"\r\n"
        } else {
            b"x"
        };
        let mut connection = bench.gateway.connect();
        let mut sender = connection.sender();
        let began = Clock::system().instant();
        connection.send(begun);
        let drip = std::thread::spawn(move || {
            // Until the gateway hangs up.
            while sender.write_all(piece).is_ok() {
                std::thread::sleep(DRIP);
            }
        });
        let answer = connection.answer().unwrap();
        let took = began.elapsed();
        assert_eq!(answer.status, 408, "{begun:?}");
        assert!(
            took >= Duration::from_secs(1) && took < Duration::from_secs(8),
            "{took:?}"
        );
        bench.remember(&answer);
        drop(connection);
        drip.join().unwrap();
    }
    // The twin: in two pieces, in time.
    let mut connection = bench.gateway.connect();
    connection.send(&whole[..20]);
    connection.send(&whole[20..]);
    let answer = connection.answer().unwrap();
    assert_eq!(answer.status, 200);
    bench.remember(&answer);
    bench.audited().await;
}

/// Nor does the beginning of HTTP/2 buy time.
#[tokio::test(flavor = "multi_thread")]
async fn class_13_a_dripping_preface_has_a_deadline() {
    let bench = Bench::with("limits: { header_timeout: 1s }\n").await;
    let mut connection = bench.gateway.connect();
    let mut sender = connection.sender();
    let began = Clock::system().instant();
    let drip = std::thread::spawn(move || {
        for byte in b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" {
            // Fails when the gateway hangs up.
            if sender.write_all(&[*byte]).is_err() {
                break;
            }
            std::thread::sleep(DRIP * 5);
        }
    });
    let answer = connection.answer().unwrap();
    let took = began.elapsed();
    assert_eq!(answer.status, 408);
    assert!(took < Duration::from_secs(8), "{took:?}");
    drop(connection);
    drip.join().unwrap();
}

/// A refusal is an answer: the body that was never sent keeps no place from others.
#[tokio::test(flavor = "multi_thread")]
async fn the_bodies_of_refused_requests_take_no_places() {
    let bench = Bench::with("limits: { requests: 2 }\n").await;
    bench.gateway.make_known(&bench.keys.viewer);
    let refused: Vec<_> = (0..6)
        .map(|_| {
            let mut connection = bench.gateway.connect();
            connection.send(request("POST /things", "Content-Length: 9\r\n"));
            let answer = connection.answer().unwrap();
            assert_eq!(answer.status, 401);
            connection
        })
        .collect();
    // A place is given back just after the answer's last byte.
    until("the places to be free", || {
        bench.gateway.metric("portcullis_requests_in_flight") == 0
    });
    bench.passes("somebody else", bench.viewer("GET /things/7", ""));
    drop(refused);
}

/// Bytes sent ahead do not hide that the client has gone.
#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_goes_away_is_noticed_whatever_it_sent_ahead() {
    let (go, wait) = std::sync::mpsc::channel::<()>();
    let wait = std::sync::Mutex::new(wait);
    let upstream = crate::support::upstream::Upstream::with(move |_, stream| {
        // Ends with the test at the latest.
        let _ = wait.lock().unwrap().recv();
        crate::support::upstream::respond(stream, "200 OK", b"ok")
    });
    let text = crate::support::gateway::yaml(upstream.address(), super::ROUTES);
    let gateway = crate::support::gateway::TestGateway::start(&text).await;
    for ahead in ["", "G", "GET / HTTP/1.1\r\n"] {
        let mut connection = gateway.connect();
        connection.send(request("GET /open", "") + ahead);
        until("it to be served", || {
            gateway.metric("portcullis_requests_in_flight") == 1
        });
        drop(connection);
        until("its end", || {
            gateway.metric("portcullis_requests_in_flight") == 0
        });
    }
    drop(go);
}

#[tokio::test(flavor = "multi_thread")]
async fn class_13_headers_are_small_and_few() {
    let bench = Bench::start().await;
    let field = |bytes: usize| format!("X-Some: {}\r\n", "y".repeat(bytes));
    for (what, fields) in [
        ("1 MiB", field(1 << 20)),
        ("just too much", field(64 << 10)),
        ("10,000 fields", field(1).repeat(10_000)),
        ("101 fields", field(1).repeat(99)),
    ] {
        bench.refused(what, 431, bench.viewer("GET /things/7", &fields));
    }
    let long = format!("GET /things/{}", "y".repeat(16 << 10));
    bench.refused("a long line", 414, bench.viewer(&long, ""));
    bench.refused("a line that never ends", 414, "G".repeat(1 << 20));
    bench.passes(
        "98 more fields",
        bench.viewer("GET /things/7", &field(1).repeat(98)),
    );
    bench.passes("much", bench.viewer("GET /things/7", &field(60 << 10)));
    let long = format!("GET /things/7?{}", "y".repeat(15 << 10));
    bench.passes("a long line", bench.viewer(&long, ""));
    bench.audited().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_are_bounded_by_their_route() {
    let bench = Bench::with("limits: { body: 8B }\n").await;
    let key = bearer(&bench.keys.editor);
    let post = |fields: &str, body: &str| request("POST /things", &format!("{key}{fields}")) + body;
    bench.refused("announced", 413, post("Content-Length: 9\r\n", "123456789"));
    let mut connection = bench.gateway.connect();
    connection.send(post(
        "Transfer-Encoding: chunked\r\n",
        "9\r\n123456789\r\n0\r\n\r\n",
    ));
    let answer = connection.answer().unwrap();
    assert_eq!(answer.status, 413, "not announced");
    bench.remember(&answer);
    assert!(
        bench.upstream.received().is_empty(),
        "a whole request arrived"
    );
    let most = post("Content-Length: 8\r\n", "12345678");
    assert_eq!(bench.passes("just enough", most).body, b"12345678");
    let most = post(
        "Transfer-Encoding: chunked\r\n",
        "8\r\n12345678\r\n0\r\n\r\n",
    );
    assert_eq!(bench.passes("in chunks", most).body, b"12345678");
    let events = bench.audited().await;
    let reasons: Vec<_> = events
        .iter()
        .map(|event| event["reason"].as_str())
        .collect();
    assert_eq!(
        reasons,
        [Some("body_too_large"), Some("body_too_large"), None, None]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_sends_nothing_is_left() {
    let bench = Bench::with("limits: { idle: 1s }\n").await;
    let mut silent = bench.gateway.connect();
    let mut kept = bench.gateway.connect();
    kept.send(bench.viewer("GET /things/7", ""));
    let answer = kept.answer().unwrap();
    bench.remember(&answer);
    let mut stuck = bench.gateway.connect();
    let fields = format!("{}Content-Length: 9\r\n", bearer(&bench.keys.editor));
    stuck.send(request("POST /things", &fields) + "1");
    let answer = stuck.answer();
    if let Some(answer) = &answer {
        bench.remember(answer);
    }
    assert!(answer.is_none_or(|answer| answer.status >= 400));
    assert!(silent.is_closed() && kept.is_closed() && stuck.is_closed());
}

/// Class 48.
#[tokio::test(flavor = "multi_thread")]
async fn too_many_connections_are_turned_away_while_health_answers() {
    let bench = Bench::with("limits: { connections: 4, connections_per_address: 3 }\n").await;
    let opened = || bench.gateway.metric("portcullis_connections");
    until("the seeding's connections to close", || opened() == 0);
    let seats: Vec<_> = (0..3).map(|_| bench.gateway.connect()).collect();
    until("three connections", || opened() == 3);
    let shed = |from: [u8; 4]| {
        let mut connection = Connection::from(from, bench.gateway.public());
        let answer = connection.answer().unwrap();
        assert_eq!(answer.status, 503);
        assert_eq!(answer.header("retry-after"), ["1"]);
        assert!(connection.is_closed());
    };
    shed([127, 0, 0, 1]);
    let other = Connection::from([127, 0, 0, 2], bench.gateway.public());
    until("four connections", || opened() == 4);
    shed([127, 0, 0, 3]);
    for path in ["/livez", "/readyz"] {
        assert_eq!(bench.gateway.private_get(path).status, 200);
    }
    let count = |limit: &str| {
        let name = format!("portcullis_connections_shed_total{{limit=\"{limit}\"}}");
        bench.gateway.metric(&name)
    };
    assert_eq!(
        (count("connections"), count("connections_per_address")),
        (1, 1)
    );
    drop((seats, other));
    until("all to be given back", || opened() == 0);
    bench.passes("a free seat", bench.viewer("GET /things/7", ""));
}

/// Class 48.
#[tokio::test(flavor = "multi_thread")]
async fn too_many_requests_are_shed_while_health_answers() {
    let (go, wait) = std::sync::mpsc::channel::<()>();
    let wait = std::sync::Mutex::new(wait);
    let upstream = crate::support::upstream::Upstream::with(move |received, stream| {
        if received.line().contains("/things/slow") {
            // Ends with the test at the latest.
            let _ = wait.lock().unwrap().recv();
        }
        crate::support::upstream::respond(stream, "200 OK", b"ok")
    });
    let text = crate::support::gateway::yaml(upstream.address(), super::ROUTES);
    let gateway =
        crate::support::gateway::TestGateway::start(&format!("{text}limits: {{ requests: 1 }}\n"))
            .await;
    let bench = Bench::around(upstream, gateway);
    let mut slow = bench.gateway.connect();
    slow.send(bench.viewer("GET /things/slow", ""));
    until("it to reach the backend", || {
        bench.upstream.received().len() == 1
    });
    let answer = bench.refused("one more", 503, bench.viewer("GET /things/7", ""));
    assert_eq!(answer.header("retry-after"), ["1"]);
    assert_eq!(answer.json()["code"], "overloaded");
    for path in ["/livez", "/readyz"] {
        assert_eq!(bench.gateway.private_get(path).status, 200);
    }
    go.send(()).unwrap();
    let answer = slow.answer().unwrap();
    assert_eq!(answer.status, 200);
    bench.remember(&answer);
    until("it to end", || {
        bench.gateway.metric("portcullis_requests_in_flight") == 0
    });
    bench.passes("afterwards", bench.viewer("GET /things/7", ""));
    bench.audited().await;
}

/// The places of all are not one address's to take.
#[tokio::test(flavor = "multi_thread")]
async fn an_address_has_so_many_requests_at_once() {
    let (upstream, go) = crate::support::upstream::Upstream::held();
    let text = crate::support::gateway::yaml(upstream.address(), super::ROUTES);
    let more = "trusted_proxies: [127.0.0.1]\nlimits: { requests_per_address: 2 }\n";
    let gateway = crate::support::gateway::TestGateway::start(&format!("{text}{more}")).await;
    let bench = Bench::around(upstream, gateway);
    let of = |address: &str| {
        let field = format!("X-Forwarded-For: {address}\r\n");
        let mut connection = bench.gateway.connect();
        connection.send(bench.viewer("GET /things/7", &field));
        connection
    };
    let mut held: Vec<_> = ["2001:db8::1", "2001:db8::2", "2001:db8:0:1::1"]
        .map(of)
        .into();
    until("them to reach the backend", || {
        bench.upstream.received().len() == 3
    });
    let refused = of("2001:db8::3").answer().unwrap();
    assert_eq!(
        (refused.status, refused.header("retry-after")),
        (503, vec!["1"])
    );
    assert_eq!(refused.json()["code"], "overloaded");
    bench.remember(&refused);
    // It has them back when they are answered; proxies are as many as their clients.
    for _ in 0..3 {
        go.send(()).unwrap();
    }
    for connection in &mut held {
        let answer = connection.answer().unwrap();
        assert_eq!(answer.status, 200);
        bench.remember(&answer);
    }
    let mut again = of("2001:db8::3");
    go.send(()).unwrap();
    let answer = again.answer().unwrap();
    assert_eq!(answer.status, 200);
    bench.remember(&answer);
    bench.audited().await;
}
