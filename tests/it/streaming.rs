//! Bodies stream both ways: as they come, and never kept whole.

use std::io::{self, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Mutex;
use std::sync::mpsc::channel;

use crate::support::gateway::{TestGateway, resident_kib, until, yaml};
use crate::support::load;
use crate::support::upstream::Upstream;

const ROUTES: &str = "
  - { route: GET /stream, upstream: app, permission: datasets:read }
  - { route: PUT /stream, upstream: app, permission: datasets:update, max_body: unlimited }
";
/// What is moved each way.
const SIZE: usize = 256 << 20;
/// What the gateway may need for it.
const ALLOWED_KIB: u64 = 48 << 10;

#[tokio::test(flavor = "multi_thread")]
async fn server_sent_events_arrive_as_they_are_sent() {
    let (go, wait) = channel();
    let wait = Mutex::new(wait);
    let upstream = Upstream::with(move |_, stream| {
        write!(
            stream,
            "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
        )?;
        for number in 0..3 {
            wait.lock().unwrap().recv().map_err(io::Error::other)?;
            let event = format!("data: {number}\n\n");
            write!(stream, "{:x}\r\n{event}\r\n", event.len())?;
        }
        write!(stream, "0\r\n\r\n")
    });
    let gateway = TestGateway::start(&yaml(upstream.address(), ROUTES)).await;
    let keys = gateway.seed();
    let mut connection = gateway.connect();
    connection.send(load::request("GET", "/stream", &keys.viewer));
    for number in 0..3 {
        go.send(()).unwrap();
        let mut seen = String::new();
        // The next is sent only after this one has come.
        while !seen.contains(&format!("data: {number}\n\n")) {
            let bytes = connection.some_bytes();
            assert!(!bytes.is_empty(), "closed after {seen:?}");
            seen.push_str(&String::from_utf8(bytes).unwrap());
        }
    }
}

/// Reads a request's head, byte by byte so that nothing of the body is taken.
fn read_head(stream: &mut TcpStream) -> io::Result<()> {
    let mut last = [0; 4];
    while &last != b"\r\n\r\n" {
        last.rotate_left(1);
        stream.read_exact(&mut last[3..])?;
    }
    Ok(())
}

fn discard(stream: &mut TcpStream, mut left: usize) -> io::Result<()> {
    let mut buffer = vec![0; 256 << 10];
    while left > 0 {
        match stream.read(&mut buffer)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            read => left -= read,
        }
    }
    Ok(())
}

fn produce(stream: &mut TcpStream) -> io::Result<()> {
    let block = vec![b'.'; 256 << 10];
    (0..SIZE / block.len()).try_for_each(|_| stream.write_all(&block))
}

/// Serves two connections, of which each carries one request: what comes is discarded,
/// what goes is made on the way.
fn heavy(listener: &TcpListener) -> io::Result<()> {
    for upload in [true, false] {
        let (mut stream, _) = listener.accept()?;
        read_head(&mut stream)?;
        if upload {
            discard(&mut stream, SIZE)?;
            write!(
                stream,
                "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
            )?;
        } else {
            write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {SIZE}\r\n\r\n")?;
            produce(&mut stream)?;
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_body_is_never_held_whole() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let backend = std::thread::spawn(move || heavy(&listener));
    let gateway = TestGateway::start(&yaml(address, ROUTES)).await;
    let keys = gateway.seed();
    gateway.make_known(&keys.editor);
    let before = resident_kib(gateway.pid());
    let head = |method: &str, more: &str| {
        format!(
            "{method} /stream HTTP/1.1\r\nHost: gw\r\nAuthorization: Bearer {}\r\n{more}\r\n",
            keys.editor
        )
    };
    let mut up = TcpStream::connect(gateway.public()).unwrap();
    up.write_all(head("PUT", &format!("Content-Length: {SIZE}\r\n")).as_bytes())
        .unwrap();
    produce(&mut up).unwrap();
    let mut status = [0; 12];
    up.read_exact(&mut status).unwrap();
    assert_eq!(&status, b"HTTP/1.1 200");
    let mut down = TcpStream::connect(gateway.public()).unwrap();
    down.write_all(head("GET", "").as_bytes()).unwrap();
    read_head(&mut down).unwrap();
    discard(&mut down, SIZE).unwrap();
    backend.join().unwrap().unwrap();
    let grown = resident_kib(gateway.pid()).saturating_sub(before);
    assert!(grown < ALLOWED_KIB, "{grown} KiB more");
    let in_flight = || gateway.metric("portcullis_requests_in_flight");
    until("both to end", || in_flight() == 0);
}
