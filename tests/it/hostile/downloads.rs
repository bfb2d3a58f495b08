//! What an honest client does while it downloads is no flood; what looks like it may be one.

use std::io::{self, Write as _};
use std::net::TcpStream;

use bytes::Bytes;

use super::{Bench, ROUTES};
use crate::support::gateway::{TestGateway, yaml};
use crate::support::http2::{
    DATA, END_STREAM, Fate, Http2, PING, SETTINGS, WINDOW_UPDATE, block, frame, request,
};
use crate::support::upstream::{Received, Upstream};

const MEBIBYTE: usize = 1 << 20;
const GET: [(&str, &str); 4] = request("GET", "/open");
/// `SETTINGS_INITIAL_WINDOW_SIZE` (RFC 9113 §6.5.2).
const INITIAL_WINDOW: [u8; 2] = [0, 4];

/// A backend with a body of this size.
async fn with_body(size: usize) -> Bench {
    let answer = move |_: &Received, stream: &mut TcpStream| -> io::Result<()> {
        write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {size}\r\n\r\n")?;
        let piece = vec![b'.'; MEBIBYTE.min(size)];
        (0..size / piece.len()).try_for_each(|_| stream.write_all(&piece))
    };
    let upstream = Upstream::with(answer);
    let gateway = TestGateway::start(&yaml(upstream.address(), ROUTES)).await;
    Bench::around(upstream, gateway)
}

/// Opens both windows after each piece of data, and pings now and then, as the simplest of
/// clients would. Returns how much came and how many windows were opened for it.
fn download(connection: &mut Http2, window: u32) -> (usize, u32) {
    let setting = [&INITIAL_WINDOW[..], &window.to_be_bytes()].concat();
    connection.frame(SETTINGS, 0, 0, &setting);
    connection.headers(1, &GET, true);
    let (mut come, mut opened) = (0, 0);
    while let Some(received) = connection.next() {
        if received.kind != DATA {
            continue;
        }
        come += received.payload.len();
        if received.flags & END_STREAM != 0 {
            break;
        }
        let Ok(more @ 1..) = u32::try_from(received.payload.len()) else {
            continue;
        };
        let more = more.to_be_bytes();
        let mut answer = frame(WINDOW_UPDATE, 0, 0, &more);
        answer.extend(frame(WINDOW_UPDATE, 0, 1, &more));
        if opened % 10 == 0 {
            answer.extend(frame(PING, 0, 0, &[0; 8]));
        }
        connection.raw(&answer);
        opened += 2;
    }
    (come, opened)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_window_for_each_piece_of_a_large_body_is_no_flood() {
    let size = 100 * MEBIBYTE;
    let bench = with_body(size).await;
    let mut connection = Http2::open(bench.gateway.public());
    let (come, opened) = download(&mut connection, 1 << 14);
    assert_eq!(come, size);
    assert!(opened > 10_000, "{opened} windows were opened");
}

/// As the library does it: whenever half of a small window is used.
#[tokio::test(flavor = "multi_thread")]
async fn so_with_a_library_and_a_window_of_four_kibibytes() {
    let size = 8 * MEBIBYTE;
    let bench = with_body(size).await;
    let stream = tokio::net::TcpStream::connect(bench.gateway.public());
    let mut client = h2::client::Builder::new();
    client.initial_window_size(1 << 12);
    let connected = client.handshake::<_, Bytes>(stream.await.unwrap());
    let (mut send, connection) = connected.await.unwrap();
    tokio::spawn(connection);
    let request = http::Request::get("http://gw/open").body(()).unwrap();
    let (answer, _) = send.send_request(request, true).unwrap();
    let mut body = answer.await.unwrap().into_body();
    let read = crate::support::http2_peers::read(&mut body).await.unwrap();
    assert_eq!(read.len(), size);
}

/// A window opened by single bytes makes the gateway send as many frames as there are bytes
/// (CVE-2019-9511).
#[tokio::test(flavor = "multi_thread")]
async fn class_12_crumbs_end_their_connection() {
    let bench = with_body(MEBIBYTE).await;
    let mut connection = Http2::open(bench.gateway.public());
    let (come, _) = download(&mut connection, 1);
    assert!(come < MEBIBYTE / 10, "{come} bytes in crumbs");
    bench.gateway.wait_for_audit();
    let events = bench.gateway.ended_at_last(1).await;
    assert_eq!(events.len(), 1);
    assert_eq!(events[0]["reason"], "http2_idle_frames");
    // The twin: few crumbs are a short answer.
    let bench = with_body(500).await;
    let mut connection = Http2::open(bench.gateway.public());
    assert_eq!(download(&mut connection, 1).0, 500);
    connection.raw(&frame(1, 5, 3, &block(&GET)));
    connection.frame(WINDOW_UPDATE, 0, 3, &1000_u32.to_be_bytes());
    assert_eq!(connection.fate(3), Fate::Answered(200));
}
