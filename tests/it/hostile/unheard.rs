//! Requests over HTTP/2 that the protocol's parser answers itself: each leaves its one event.

use serde_json::Value;

use super::Bench;
use crate::support::gateway::until;
use crate::support::http2::{
    ACK, CONTINUATION, DATA, END_HEADERS, END_STREAM, Fate, GOAWAY, HEADERS, Http2, PING, block,
    frame, request,
};
use crate::support::upstream::Upstream;

const GET: [(&str, &str); 4] = request("GET", "/open");

/// Event, status and reason of all events that are there in the end.
async fn told(bench: &Bench) -> Vec<String> {
    bench.gateway.wait_for_audit();
    let events = bench.gateway.events().await;
    let word = |value: &Value| value.to_string().replace('"', "");
    let told = events.iter().map(|event| {
        let words = ["event", "status", "reason"].map(|name| word(&event[name]));
        words.join(" ")
    });
    told.collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn class_10_a_request_that_the_parser_resets_leaves_one_event() {
    let bench = Bench::start().await;
    let [method, scheme, authority, path] = GET;
    let malformed: [&[(&str, &str)]; 8] = [
        &[method, scheme, authority, path, path],
        &[method, scheme, authority, path, (":status", "200")],
        &[method, scheme, authority, path, ("connection", "close")],
        &[
            method,
            scheme,
            authority,
            path,
            ("transfer-encoding", "chunked"),
        ],
        &[method, scheme, authority, path, ("te", "chunked")],
        &[method, scheme, authority, (":path", "/open x")],
        &[method, scheme, (":authority", "gw "), path],
        &[method, scheme, ("x-first", "1"), authority, path],
    ];
    let mut connection = Http2::open(bench.gateway.public());
    let mut stream = 1;
    for fields in malformed {
        connection.headers(stream, fields, true);
        assert_eq!(connection.fate(stream), Fate::Reset(1), "{fields:?}");
        stream += 2;
        // In pieces, behind a good one, and before another, in a single packet.
        let (begin, end) = (block(&fields[..2]), block(&fields[2..]));
        connection.raw(
            &[
                frame(HEADERS, END_HEADERS | END_STREAM, stream, &block(&GET)),
                frame(HEADERS, END_STREAM, stream + 2, &begin),
                frame(CONTINUATION, END_HEADERS, stream + 2, &end),
                frame(HEADERS, END_HEADERS | END_STREAM, stream + 4, &block(&GET)),
            ]
            .concat(),
        );
        let last = connection.fate(stream + 4);
        assert_eq!(last, Fate::Answered(200), "{fields:?}");
        stream += 6;
    }
    let told = told(&bench).await;
    let malformed = told
        .iter()
        .filter(|it| *it == "request.malformed null malformed_field");
    assert_eq!((told.len(), malformed.count()), (32, 16), "{told:#?}");
    assert_eq!(bench.upstream.received().len(), 16);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_beyond_the_limit_of_streams_leaves_one_event() {
    let (upstream, go) = Upstream::held();
    let bench = Bench::before(upstream, "limits: { streams: 2 }\n").await;
    let mut connection = Http2::open(bench.gateway.public());
    connection.headers(1, &GET, true);
    connection.headers(3, &GET, true);
    until("both to be there", || bench.upstream.received().len() == 2);
    connection.headers(5, &GET, true);
    assert_eq!(connection.fate(5), Fate::Reset(7));
    for _ in 0..2 {
        go.send(()).unwrap();
    }
    assert_eq!(connection.fate(1), Fate::Answered(200));
    let mut told = told(&bench).await;
    told.sort();
    assert_eq!(
        told,
        [
            "authz.denied null overloaded",
            "request.forwarded 200 null",
            "request.forwarded 200 null",
        ]
    );
}

/// What was served is counted once, however its stream ends.
#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_is_reset_in_its_midst_leaves_one_event() {
    let bench = Bench::start().await;
    let mut connection = Http2::open(bench.gateway.public());
    let post = [&request("POST", "/open")[..], &[("content-length", "3")]].concat();
    for stream in [1, 3, 5] {
        connection.headers(stream, &post, false);
        connection.frame(DATA, END_STREAM, stream, b"abcd");
        assert_ne!(connection.fate(stream), Fate::Closed);
    }
    // Trailers open no stream.
    let post = request("POST", "/open");
    connection.headers(7, &post, false);
    connection.frame(DATA, 0, 7, b"abcd");
    connection.headers(7, &[("x-trailer", "1")], true);
    assert!(matches!(connection.fate(7), Fate::Answered(_)));
    connection.headers(9, &GET, true);
    assert_eq!(connection.fate(9), Fate::Answered(200));
    assert_eq!(told(&bench).await.len(), 5);
}

/// Sent and hung up, in one packet.
#[tokio::test(flavor = "multi_thread")]
async fn a_request_right_before_the_end_of_its_connection_leaves_one_event() {
    let bench = Bench::start().await;
    for _ in 0..20 {
        let mut connection = Http2::open(bench.gateway.public());
        let sender = connection.sender();
        connection.headers(1, &GET, true);
        sender.shutdown(std::net::Shutdown::Write).unwrap();
        connection.until_closed();
    }
    let opened = || bench.gateway.metric("portcullis_connections");
    until("the connections to end", || opened() == 0);
    assert_eq!(told(&bench).await.len(), 20);
}

/// A client that was told of the end and stays is a client like any other, until it has heard
/// which request was the last.
#[tokio::test(flavor = "multi_thread")]
async fn after_the_word_of_the_end_requests_leave_their_events_as_before() {
    let bench = Bench::before(Upstream::ok(), "limits: { idle: 1s, streams: 2 }\n").await;
    let mut connection = Http2::open(bench.gateway.public());
    connection.headers(1, &GET, true);
    assert_eq!(connection.fate(1), Fate::Answered(200));
    let first = connection.next_of(GOAWAY).expect("a word of the end");
    assert_eq!(first.payload[..4], [0x7f, 0xff, 0xff, 0xff]);
    let malformed = [&GET[..], &[("connection", "close")]].concat();
    for n in 0..40_u32 {
        if !connection.headers(3 + 2 * n, &malformed, true) {
            break;
        }
    }
    connection.until_closed();
    let ended = bench.gateway.ended_at_last(1).await;
    assert_eq!(ended[0]["reason"], "http2_malformed_requests", "{ended:?}");
    let told = told(&bench).await;
    let malformed = told.iter().filter(|it| it.ends_with("malformed_field"));
    assert_eq!((told.len(), malformed.count()), (34, 33), "{told:#?}");
}

/// The last that is served is told once the client has heard that there will be one; what comes
/// behind it is none of ours.
#[tokio::test(flavor = "multi_thread")]
async fn what_comes_behind_the_last_leaves_no_event() {
    let bench = Bench::before(Upstream::ok(), "limits: { idle: 1s }\n").await;
    let mut connection = Http2::open(bench.gateway.public());
    connection.headers(1, &GET, true);
    assert_eq!(connection.fate(1), Fate::Answered(200));
    connection.next_of(GOAWAY).expect("a word of the end");
    let ping = connection.next_of(PING).expect("whether it was heard");
    let behind = frame(HEADERS, END_HEADERS | END_STREAM, 3, &block(&GET));
    connection.raw(&[frame(PING, ACK, 0, &ping.payload), behind].concat());
    let last = connection.next_of(GOAWAY).expect("which was the last");
    assert_eq!(last.payload[..4], [0, 0, 0, 1]);
    connection.until_closed();
    let open = || bench.gateway.metric("portcullis_connections");
    until("the connection to end", || open() == 0);
    assert_eq!(told(&bench).await, ["request.forwarded 200 null"]);
}

/// All of it in one packet.
#[tokio::test(flavor = "multi_thread")]
async fn requests_right_before_a_breach_of_the_protocol_leave_one_event_each() {
    let bench = Bench::start().await;
    let mut connection = Http2::open(bench.gateway.public());
    let mut packet = Vec::new();
    for n in 0..20 {
        packet.extend(frame(
            HEADERS,
            END_HEADERS | END_STREAM,
            1 + 2 * n,
            &block(&GET),
        ));
    }
    packet.extend(frame(DATA, 0, 2, b"no such stream"));
    connection.raw(&packet);
    connection.until_closed();
    bench.gateway.ended_at_last(1).await;
    let told = told(&bench).await;
    let left = told.iter().filter(|it| it.ends_with("client_closed"));
    assert_eq!((told.len(), left.count()), (20, 20), "{told:#?}");
    assert!(bench.upstream.received().is_empty());
}
