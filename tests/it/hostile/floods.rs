//! Class 12: frames that cost a server more than the client.

use std::io::Write as _;

use super::Bench;
use crate::support::gateway::{resident_kib, until};
use crate::support::http2::{
    CONTINUATION, DATA, END_HEADERS, END_STREAM, Fate, HEADERS, Http2, PING, PRIORITY, RST_STREAM,
    SETTINGS, WINDOW_UPDATE, block, frame,
};

/// What a flood may make a gateway grow by.
const ALLOWED_KIB: u64 = 16 << 10;
/// Frames of a flood; each of them ends the connection long before.
const FLOOD: u32 = 20_000;

const GET: [(&str, &str); 4] = [
    (":method", "GET"),
    (":scheme", "http"),
    (":authority", "gw"),
    (":path", "/open"),
];

/// Sends until the gateway has hung up, in pieces that fill a packet.
fn flood(bench: &Bench, what: &str, first: &[u8], one: impl Fn(u32) -> Vec<u8>) {
    let before = resident_kib(bench.gateway.pid());
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
    let grown = resident_kib(bench.gateway.pid()).saturating_sub(before);
    assert!(grown < ALLOWED_KIB, "{what}: {grown} KiB more");
    // Others are served as before.
    let mut other = Http2::open(bench.gateway.public());
    other.headers(1, &GET, true);
    assert_eq!(other.fate(1), Fate::Answered(200), "{what}");
}

#[tokio::test(flavor = "multi_thread")]
async fn class_12_floods_end_their_connection() {
    let bench = Bench::start().await;
    let get = block(&GET);
    let stream = |n: u32| 1 + 2 * n;
    flood(&bench, "rapid reset", b"", |n| {
        let open = frame(HEADERS, END_HEADERS | END_STREAM, stream(n), &get);
        let reset = frame(RST_STREAM, 0, stream(n), &[0, 0, 0, 8]);
        [open, reset].concat()
    });
    let open = frame(HEADERS, 0, 1, &get);
    flood(&bench, "continuation", &open, |_| {
        frame(CONTINUATION, 0, 1, b"")
    });
    let open = frame(HEADERS, 0, 1, &get);
    let more = block(&[("x-some", &"y".repeat(1000))]);
    flood(&bench, "continuation with fields", &open, |_| {
        frame(CONTINUATION, 0, 1, &more)
    });
    let open = frame(HEADERS, END_HEADERS, 1, &get);
    flood(&bench, "empty data", &open, |_| frame(DATA, 0, 1, b""));
    flood(&bench, "pings", b"", |_| frame(PING, 0, 0, &[0; 8]));
    flood(&bench, "settings", b"", |_| frame(SETTINGS, 0, 0, b""));
    flood(&bench, "priorities", b"", |n| {
        frame(PRIORITY, 0, stream(n), &[0, 0, 0, 0, 1])
    });
    // Makes the server reset what it has begun (CVE-2025-8671).
    flood(&bench, "resets by the server", b"", |n| {
        let open = frame(HEADERS, END_HEADERS, stream(n), &get);
        let wrong = frame(WINDOW_UPDATE, 0, stream(n), &[0; 4]);
        [open, wrong].concat()
    });
    flood(&bench, "malformed requests", b"", |n| {
        let bad = block(&[(":method", "GET"), (":scheme", "http"), (":path", "/")]);
        frame(HEADERS, END_HEADERS | END_STREAM, stream(n), &bad)
    });
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
