//! Class 12: frames that cost a server more than the client.

use std::io::Write as _;

use super::Bench;
use crate::support::gateway::{resident_kib, until};
use crate::support::http2::{
    ACK, CONTINUATION, DATA, END_HEADERS, END_STREAM, Fate, GOAWAY, HEADERS, Http2, PADDED, PING,
    PRIORITY, RST_STREAM, SETTINGS, WINDOW_UPDATE, block, frame, request,
};

/// What a flood may make a gateway grow by.
const ALLOWED_KIB: u64 = 16 << 10;
/// Frames of a flood; each of them ends the connection long before.
const FLOOD: u32 = 20_000;

const GET: [(&str, &str); 4] = request("GET", "/open");
const POST: [(&str, &str); 4] = request("POST", "/open");

/// How many connections were ended for this reason.
fn ended(bench: &Bench, reason: &str) -> u64 {
    let name = format!("portcullis_connections_ended_total{{reason=\"{reason}\"}} ");
    let text = bench.gateway.private_get("/metrics").body;
    let count = text.lines().find_map(|line| line.strip_prefix(&name));
    count.map_or(0, |count| count.parse().unwrap())
}

/// Sends until the gateway has hung up, in pieces that fill a packet; that is counted for
/// this reason.
fn flood(bench: &Bench, what: &str, reason: &str, first: &[u8], one: impl Fn(u32) -> Vec<u8>) {
    let before = resident_kib(bench.gateway.pid());
    let counted = ended(bench, reason);
    let mut connection = Http2::open(bench.gateway.public());
    connection.raw(first);
    let pieces: Vec<Vec<u8>> = (0..FLOOD / 20)
        .map(|piece| (piece * 20..piece * 20 + 20).flat_map(&one).collect())
        .collect();
    let mut sender = connection.sender();
    let sending = std::thread::spawn(move || {
        // Fails when the gateway hangs up.
        let _ = pieces.iter().try_for_each(|piece| sender.write_all(piece));
    });
    // Hung up on at once: one that merely waits is left alone for a minute, and then this
    // panics.
    connection.until_closed();
    sending.join().unwrap();
    let opened = || bench.gateway.metric("portcullis_connections");
    until("the connection to end", || opened() == 0);
    assert_eq!(ended(bench, reason), counted + 1, "{what}");
    let grown = resident_kib(bench.gateway.pid()).saturating_sub(before);
    assert!(grown < ALLOWED_KIB, "{what}: {grown} KiB more");
    // Others are served as before.
    let mut other = Http2::open(bench.gateway.public());
    other.headers(1, &GET, true);
    assert_eq!(other.fate(1), Fate::Answered(200), "{what}");
}

const RESETS: &str = "http2_resets";
const IDLE: &str = "http2_idle_frames";
const PARSER: &str = "http2_flood";

const fn stream(n: u32) -> u32 {
    1 + 2 * n
}

#[tokio::test(flavor = "multi_thread")]
async fn class_12_floods_end_their_connection() {
    let bench = Bench::start().await;
    let get = block(&GET);
    flood(&bench, "rapid reset", RESETS, b"", |n| {
        let open = frame(HEADERS, END_HEADERS | END_STREAM, stream(n), &get);
        let reset = frame(RST_STREAM, 0, stream(n), &[0, 0, 0, 8]);
        [open, reset].concat()
    });
    let open = frame(HEADERS, 0, 1, &get);
    flood(&bench, "continuation", PARSER, &open, |_| {
        frame(CONTINUATION, 0, 1, b"")
    });
    let open = frame(HEADERS, 0, 1, &get);
    let more = block(&[("x-some", &"y".repeat(1000))]);
    flood(&bench, "continuation with fields", PARSER, &open, |_| {
        frame(CONTINUATION, 0, 1, &more)
    });
    // Makes the server reset what it has begun (CVE-2025-8671).
    flood(&bench, "resets by the server", PARSER, b"", |n| {
        let open = frame(HEADERS, END_HEADERS, stream(n), &get);
        // More than a window can hold.
        let wrong = frame(WINDOW_UPDATE, 0, stream(n), &[0x7f, 0xff, 0xff, 0xff]);
        [open, wrong].concat()
    });
    bench.gateway.wait_for_audit();
    let events = bench.gateway.ended_at_last(4).await;
    let reasons: Vec<_> = events
        .iter()
        .map(|event| event["reason"].as_str().unwrap())
        .collect();
    assert_eq!(reasons, [RESETS, PARSER, PARSER, PARSER]);
    for event in &events {
        assert_eq!(
            (&event["result"], &event["ip"]),
            (&"denied".into(), &"127.0.0.1".into())
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn class_12_malformed_requests_end_their_connection_each_with_an_event() {
    let bench = Bench::start().await;
    let mut connection = Http2::open(bench.gateway.public());
    for n in 0..32 {
        connection.headers(stream(n), &GET[..2], true);
        assert_eq!(connection.fate(stream(n)), Fate::Answered(400));
    }
    connection.headers(stream(32), &GET, true);
    assert_eq!(connection.fate(stream(32)), Fate::Answered(200));
    connection.headers(stream(33), &GET[..2], true);
    assert_ne!(connection.fate(stream(33)), Fate::Answered(200));
    until("it to be counted", || {
        ended(&bench, "http2_malformed_requests") == 1
    });
    bench.gateway.wait_for_audit();
    let events = bench.gateway.events().await;
    let malformed = events
        .iter()
        .filter(|event| event["reason"] == "malformed_field");
    assert_eq!((events.len(), malformed.count()), (34, 33));
    assert_eq!(bench.gateway.ended_at_last(1).await.len(), 1);
}

/// What it is, what goes before, and the frame: its type, flags, stream and payload.
type Kind<'a> = (&'a str, &'a [u8], u8, u8, u32, &'a [u8]);

/// None of these asks for anything; each kind costs the server something.
#[tokio::test(flavor = "multi_thread")]
async fn class_12_frames_that_ask_for_nothing_end_their_connection() {
    let bench = Bench::start().await;
    let open = frame(HEADERS, END_HEADERS, 1, &block(&GET));
    let one = [0, 0, 0, 1];
    let kinds: [Kind<'_>; 8] = [
        ("pings", b"", PING, 0, 0, &[0; 8]),
        ("answers to no ping", b"", PING, ACK, 0, &[0; 8]),
        ("settings", b"", SETTINGS, 0, 0, b""),
        ("priorities", b"", PRIORITY, 0, 3, &[0, 0, 0, 0, 1]),
        ("windows of the connection", b"", WINDOW_UPDATE, 0, 0, &one),
        ("windows of a stream", &open, WINDOW_UPDATE, 0, 1, &one),
        ("frames of an unknown kind", b"", 0xbb, 0, 0, b"anything"),
        ("a new priority", b"", 0x10, 0, 0, b"\0\0\0\x01u=1"),
    ];
    for (what, first, kind, flags, stream, payload) in kinds {
        let one = frame(kind, flags, stream, payload);
        flood(&bench, what, IDLE, first, |_| one.clone());
    }
    bench.gateway.wait_for_audit();
    assert_eq!(
        bench.gateway.ended_at_last(kinds.len()).await.len(),
        kinds.len()
    );
}

/// Here the parser is the stricter one.
#[tokio::test(flavor = "multi_thread")]
async fn class_12_empty_data_ends_its_connection() {
    let bench = Bench::start().await;
    let open = frame(HEADERS, END_HEADERS, 1, &block(&POST));
    flood(&bench, "empty data", PARSER, &open, |_| {
        frame(DATA, 0, 1, b"")
    });
    flood(&bench, "padding alone", PARSER, &open, |_| {
        frame(DATA, PADDED, 1, &[255; 256])
    });
}

/// What is no HTTP/2 at all.
#[tokio::test(flavor = "multi_thread")]
async fn what_breaks_the_protocol_ends_the_connection_with_an_event() {
    let bench = Bench::start().await;
    let reason = "http2_protocol_error";
    for wrong in [
        frame(DATA, 0, 0, b"of no stream"),
        frame(WINDOW_UPDATE, 0, 0, &[0; 4]),
        frame(SETTINGS, 0, 0, b"odd"),
        frame(HEADERS, END_HEADERS, 1, &[0xff; 40]),
        frame(HEADERS, END_HEADERS, 2, &block(&GET)),
    ] {
        let before = ended(&bench, reason);
        let mut connection = Http2::open(bench.gateway.public());
        connection.raw(&wrong);
        let goodbye = connection.next_of(GOAWAY).expect("a reason");
        assert_ne!(goodbye.payload[4..8], [0; 4], "{wrong:?}");
        connection.until_closed();
        until("it to be counted", || ended(&bench, reason) == before + 1);
    }
    bench.gateway.wait_for_audit();
    assert_eq!(bench.gateway.ended_at_last(5).await.len(), 5);
    // A client that goes away has done nothing wrong.
    drop(Http2::open(bench.gateway.public()));
    let mut connection = Http2::open(bench.gateway.public());
    connection.frame(GOAWAY, 0, 0, &[0; 8]);
    connection.until_closed();
    let opened = || bench.gateway.metric("portcullis_connections");
    until("both to end", || opened() == 0);
    bench.gateway.wait_for_audit();
    assert_eq!(bench.gateway.ended().await.len(), 5);
}

/// As many as are allowed may come at once; one more ends the connection.
#[tokio::test(flavor = "multi_thread")]
async fn class_12_resets_are_bounded_at_their_limit() {
    let bench = Bench::with("limits: { resets: 60 }\n").await;
    let get = block(&GET);
    let pairs = |from: u32, count: u32| -> Vec<u8> {
        (from..from + count)
            .flat_map(|n| {
                let open = frame(HEADERS, END_HEADERS | END_STREAM, 1 + 2 * n, &get);
                [open, frame(RST_STREAM, 0, 1 + 2 * n, &[0, 0, 0, 8])].concat()
            })
            .collect()
    };
    let mut connection = Http2::open(bench.gateway.public());
    connection.raw(&pairs(0, 60));
    connection.headers(121, &GET, true);
    assert_eq!(connection.fate(121), Fate::Answered(200));
    connection.raw(&pairs(61, 1));
    connection.headers(125, &GET, true);
    assert_eq!(connection.fate(125), Fate::Closed);
}

/// The twin: a client that resets now and then, pings and sends much data.
#[tokio::test(flavor = "multi_thread")]
async fn class_12_a_busy_client_is_no_flood() {
    let bench = Bench::start().await;
    let editor = format!("Bearer {}", bench.keys.editor);
    let post = [
        (":method", "POST"),
        (":scheme", "http"),
        (":authority", "gw"),
        (":path", "/things"),
        ("authorization", editor.as_str()),
    ];
    let mut connection = Http2::open(bench.gateway.public());
    for turn in 0..50 {
        let stream = 1 + 4 * turn;
        connection.headers(stream, &GET, true);
        connection.frame(RST_STREAM, 0, stream, &[0, 0, 0, 8]);
        connection.frame(PING, 0, 0, &[0; 8]);
        connection.headers(stream + 2, &post, false);
        for _ in 0..20 {
            connection.frame(DATA, 0, stream + 2, &[b'.'; 50]);
        }
        connection.frame(DATA, END_STREAM, stream + 2, b"");
        assert_eq!(connection.fate(stream + 2), Fate::Answered(200), "{turn}");
    }
}
