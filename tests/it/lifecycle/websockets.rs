//! A WebSocket lasts: it takes no place from requests, and a stop waits for it as long as for
//! these.

use std::io::{self, Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use portcullis::clock::Clock;
use rustix::process::Signal;

use crate::support::gateway::{TestGateway, until, yaml};
use crate::support::raw::Connection;
use crate::support::upstream::{Received, Upstream, respond};

const ROUTES: &str = "
  - { route: GET /live, upstream: app, public: 'for a test', websocket: true }
  - { route: GET /plain, upstream: app, public: 'for a test' }
";

/// Switches if it is asked to, then echoes bytes until the end.
fn echo(request: &Received, stream: &mut TcpStream) -> io::Result<()> {
    if request.header("upgrade").is_empty() {
        return respond(stream, "200 OK", b"ok");
    }
    let switch = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n";
    write!(stream, "{switch}Upgrade: websocket\r\n\r\n")?;
    let mut bytes = [0; 1024];
    loop {
        match stream.read(&mut bytes)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            read => stream.write_all(&bytes[..read])?,
        }
    }
}

async fn start(settings: &str) -> (Upstream, TestGateway) {
    let upstream = Upstream::with(echo);
    let text = yaml(upstream.address(), ROUTES) + settings;
    let gateway = TestGateway::start(&text).await;
    (upstream, gateway)
}

fn open(gateway: &TestGateway) -> Connection {
    let mut connection = gateway.connect();
    connection.send(
        "GET /live HTTP/1.1\r\nHost: gw\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
    );
    assert_eq!(connection.answer().unwrap().status, 101);
    assert!(carries(&mut connection));
    connection
}

fn carries(connection: &mut Connection) -> bool {
    connection.send("there and back");
    let mut come = Vec::new();
    while come.len() < 14 {
        let more = connection.some_bytes();
        if more.is_empty() {
            return false;
        }
        come.extend(more);
    }
    come == b"there and back"
}

fn plain(gateway: &TestGateway) -> u16 {
    let answer = gateway.raw("GET /plain HTTP/1.1\r\nHost: gw\r\n\r\n");
    answer.unwrap().status
}

#[tokio::test(flavor = "multi_thread")]
async fn they_take_no_place_from_requests_but_one_from_connections() {
    let (_upstream, gateway) = start("limits: { requests: 1, connections: 4 }\n").await;
    let [requests, websockets] = ["requests_in_flight", "websockets"]
        .map(|name| format!("portcullis_{name}"))
        .map(|name| move |gateway: &TestGateway| gateway.metric(&name));
    let mut open: Vec<_> = (0..3).map(|_| open(&gateway)).collect();
    assert_eq!((requests(&gateway), websockets(&gateway)), (0, 3));
    assert_eq!(plain(&gateway), 200);
    until("the plain one to be gone", || {
        gateway.metric("portcullis_connections") == 3
    });
    let _last = gateway.connect();
    until("four connections", || {
        gateway.metric("portcullis_connections") == 4
    });
    assert_eq!(gateway.connect().answer().unwrap().status, 503);
    assert!(open.iter_mut().all(carries));
    drop(open);
    until("their end", || websockets(&gateway) == 0);
    assert_eq!(requests(&gateway), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_waits_for_them() {
    let (_upstream, mut gateway) = start("").await;
    let mut live = open(&gateway);
    gateway.signal(Signal::TERM);
    until("the listener to close", || {
        TcpStream::connect(gateway.public()).is_err()
    });
    // More than one look of the stop, which is every hundredth of a second.
    for _ in 0..20 {
        assert!(carries(&mut live));
        std::thread::sleep(Duration::from_millis(10));
    }
    drop(live);
    let clock = Clock::system();
    let since = clock.instant();
    assert!(gateway.wait());
    assert!(clock.instant() - since < Duration::from_secs(10));
    let events = gateway.events().await;
    assert_eq!((events.len(), &events[0]["status"]), (1, &101.into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn and_cuts_them_at_its_deadline() {
    let (_upstream, mut gateway) = start("shutdown: { deadline: 1s }\n").await;
    let mut live = open(&gateway);
    let clock = Clock::system();
    let since = clock.instant();
    assert!(gateway.stop());
    let took = clock.instant() - since;
    assert!(
        (Duration::from_secs(1)..Duration::from_secs(6)).contains(&took),
        "{took:?}"
    );
    assert!(!carries(&mut live));
    assert_eq!(gateway.events().await.len(), 1);
}
