//! Answers over HTTP/2 that are none, frame by frame: they end as those over HTTP/1 do.

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use portcullis::clock::Clock;
use serde_json::{Value, json};

use crate::support::gateway::{Keys, TestGateway};
use crate::support::http2::{
    ACK, CONTINUATION, DATA, END_HEADERS, END_STREAM, HEADERS, SETTINGS, block, frame,
};
use crate::support::http2_peers::{Client, request};

const READ: Duration = Duration::from_millis(500);
/// Between two bytes.
const DRIP: Duration = Duration::from_millis(100);
/// What a client says before its first frame (RFC 9113 §3.4).
const PREFACE: usize = 24;

/// Says hello, and gives each request's stream to `answer`.
fn converse(
    mut stream: TcpStream,
    answer: fn(u32, &mut TcpStream) -> io::Result<()>,
) -> io::Result<()> {
    stream.read_exact(&mut [0; PREFACE])?;
    stream.write_all(&frame(SETTINGS, 0, 0, b""))?;
    loop {
        let mut head = [0; 9];
        stream.read_exact(&mut head)?;
        let [_, high, low, kind, flags, id @ ..] = head;
        let mut payload = vec![0; usize::from(high) << 8 | usize::from(low)];
        stream.read_exact(&mut payload)?;
        match kind {
            SETTINGS if flags & ACK == 0 => stream.write_all(&frame(SETTINGS, ACK, 0, b""))?,
            HEADERS => answer(u32::from_be_bytes(id), &mut stream)?,
            _ => {}
        }
    }
}

fn backend(answer: fn(u32, &mut TcpStream) -> io::Result<()>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            std::thread::spawn(move || converse(stream.unwrap(), answer));
        }
    });
    address
}

async fn before(answer: fn(u32, &mut TcpStream) -> io::Result<()>) -> (TestGateway, Keys) {
    let gateway = TestGateway::start(&format!(
        "upstreams:\n  app: {{ url: \"http://{}\", http2: true, circuit: false, \
         timeouts: {{ read: 500ms }} }}\nroutes:\n  \
         - {{ route: \"GET|HEAD /x\", upstream: app, permission: datasets:read }}\n",
        backend(answer)
    ))
    .await;
    let keys = gateway.seed();
    (gateway, keys)
}

async fn told(gateway: &TestGateway) -> Vec<Value> {
    gateway.wait_for_audit();
    let events = gateway.events().await;
    let told = |event: &Value| json!([event["status"], event["result"], event["reason"]]);
    events.iter().map(told).collect()
}

/// A header block in as many frames as it takes.
fn head(stream: u32, fields: &[(&str, &str)], end: bool) -> Vec<u8> {
    let block = block(fields);
    let pieces: Vec<_> = block.chunks(16_000).collect();
    let last = pieces.len() - 1;
    let frames = pieces.iter().enumerate().map(|(at, piece)| {
        let kind = if at == 0 { HEADERS } else { CONTINUATION };
        let ends_stream = if at == 0 && end { END_STREAM } else { 0 };
        let ends_head = if at == last { END_HEADERS } else { 0 };
        frame(kind, ends_stream | ends_head, stream, piece)
    });
    frames.collect::<Vec<_>>().concat()
}

/// Each piece in time, yet never a head: all of it is due in the time that an answer has, and
/// nobody is kept waiting by the answer to another.
#[tokio::test(flavor = "multi_thread")]
async fn a_dripping_head_ends_in_time() {
    let (gateway, keys) = before(|stream, backend| {
        let field = block(&[("x-drip", "y")]);
        backend.write_all(&frame(HEADERS, 0, stream, &block(&[(":status", "200")])))?;
        loop {
            for byte in frame(CONTINUATION, 0, stream, &field) {
                std::thread::sleep(DRIP);
                backend.write_all(&[byte])?;
            }
        }
    })
    .await;
    let clock = Clock::system();
    for _ in 0..2 {
        let began = clock.instant();
        assert_eq!(gateway.get("/x", &keys.viewer).status, 504);
        let took = clock.instant() - began;
        assert!(took >= READ && took < 16 * READ, "{took:?}");
    }
    let client = Client::connect(gateway.public()).await;
    let answer = client.call(request("GET", "/x", &keys.viewer, &[]), b"");
    assert_eq!(answer.await.unwrap().status, 504);
    let expected = json!([504, "failed", "upstream_timeout"]);
    assert_eq!(told(&gateway).await, vec![expected; 3]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_that_is_too_large_or_none_is_502() {
    const OK: (&str, &str) = (":status", "200");
    let answers: [fn(u32, &mut TcpStream) -> io::Result<()>; 5] = [
        |stream, backend| backend.write_all(&head(stream, &[OK, ("x", &"y".repeat(66_000))], true)),
        |stream, backend| {
            let names: Vec<_> = (0..257).map(|n| format!("x-{n}")).collect();
            let fields = names.iter().map(|name| (name.as_str(), "y"));
            let fields: Vec<_> = std::iter::once(OK).chain(fields).collect();
            backend.write_all(&head(stream, &fields, true))
        },
        |stream, backend| backend.write_all(&head(stream, &[(":status", "600")], true)),
        |stream, backend| backend.write_all(&head(stream, &[(":status", "999")], true)),
        |stream, backend| {
            let fields = [OK, ("transfer-encoding", "chunked")];
            backend.write_all(&head(stream, &fields, true))
        },
    ];
    for (at, answer) in answers.into_iter().enumerate() {
        let (gateway, keys) = before(answer).await;
        assert_eq!(gateway.get("/x", &keys.viewer).status, 502, "{at}");
        let expected = json!([502, "failed", "upstream_broken"]);
        assert_eq!(told(&gateway).await, [expected], "{at}");
    }
    let (gateway, keys) = before(|stream, backend| {
        backend.write_all(&head(stream, &[OK, ("x", &"y".repeat(60_000))], true))
    })
    .await;
    let answer = gateway.get("/x", &keys.viewer);
    assert_eq!((answer.status, answer.header("x")[0].len()), (200, 60_000));
}

/// Trailers tell how a call went; they are no place for what a head says.
#[tokio::test(flavor = "multi_thread")]
async fn class_23_trailers_of_a_backend_say_nothing_that_is_a_heads() {
    let (gateway, keys) = before(|stream, backend| {
        let trailers = [
            ("grpc-status", "0"),
            ("x-portcullis-tenant", "evil"),
            ("x-request-id", "evil"),
            ("set-cookie", "portcullis-dev=evil"),
            ("content-length", "99"),
            ("x-checksum", "abc"),
        ];
        backend.write_all(
            &[
                head(stream, &[(":status", "200")], false),
                frame(DATA, 0, stream, b"abc"),
                head(stream, &trailers, true),
            ]
            .concat(),
        )
    })
    .await;
    let client = Client::connect(gateway.public()).await;
    let answer = client.call(request("GET", "/x", &keys.viewer, &[]), b"");
    let answer = answer.await.unwrap();
    assert_eq!((answer.status, &answer.body[..]), (200, &b"abc"[..]));
    let trailers = answer.trailers.as_ref().unwrap();
    let names: Vec<_> = trailers.keys().map(http::HeaderName::as_str).collect();
    assert_eq!(names, ["grpc-status", "x-checksum"]);
    assert_eq!(told(&gateway).await, [json!([200, "success", null])]);
}
