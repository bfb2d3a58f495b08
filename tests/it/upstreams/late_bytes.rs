//! HOSTILE 43: a backend that sends more than it was asked for. What comes behind an answer
//! reaches no other client, however late it comes.

use std::collections::HashSet;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use openssl::ssl::{SslAcceptor, SslMethod};

use crate::support::certificates::{Pair, Request};
use crate::support::gateway::{Keys, TestGateway, until, yaml};
use crate::support::load;
use crate::support::raw::{Answer, Connection};
use crate::support::upstream::{Received, Upstream, respond};

const ROUTES: &str = "
  - { route: \"GET /ways/{way}\", upstream: app, permission: datasets:read }
  - { route: \"GET /open/{way}\", upstream: app, public: \"a test\" }
";
const ROUNDS: usize = 500;
/// An answer that nobody asked for.
const STRAY: &str = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison";

/// Answers each request with the last part of its path; `at-once` and `later` are answered
/// twice: in one segment, or in two.
fn babble(mut stream: impl Read + Write) -> io::Result<()> {
    let mut pause = 0;
    loop {
        let head = head(&mut stream)?;
        let target = head.split(' ').nth(1).unwrap_or_default();
        let way = target.rsplit('/').next().unwrap_or_default();
        let length = way.len();
        let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{way}");
        match way {
            "at-once" => stream.write_all(format!("{answer}{STRAY}").as_bytes())?,
            "later" => {
                stream.write_all(answer.as_bytes())?;
                // From at once to when the next request is long under way.
                pause = (pause + 97) % 20_000;
                (0..pause).for_each(|_| std::hint::spin_loop());
                stream.write_all(STRAY.as_bytes())?;
            }
            _ => stream.write_all(answer.as_bytes())?,
        }
        stream.flush()?;
    }
}

fn head(stream: &mut impl Read) -> io::Result<String> {
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    Ok(String::from_utf8_lossy(&head).into_owned())
}

/// A backend that serves each connection like this.
fn backend(serve: impl Fn(TcpStream) -> io::Result<()> + Send + Sync + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let serve = Arc::new(serve);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let serve = Arc::clone(&serve);
            stream.set_nodelay(true).unwrap();
            // It ends when the gateway has had enough.
            std::thread::spawn(move || serve(stream).ok());
        }
    });
    address
}

fn acceptor() -> SslAcceptor {
    let authority = Pair::authority("backends");
    let pair = authority.issue(&Request::server(&["backend.internal"]));
    let mut acceptor = SslAcceptor::mozilla_intermediate_v5(SslMethod::tls_server()).unwrap();
    acceptor.set_certificate(&pair.certificate).unwrap();
    acceptor.set_private_key(&pair.key).unwrap();
    acceptor.build()
}

/// One worker, so that there is one place where connections are kept.
async fn start(yaml: &str) -> (TestGateway, Keys) {
    let gateway = TestGateway::start(&format!("{yaml}\nworkers: 1\n")).await;
    let keys = gateway.seed();
    (gateway, keys)
}

fn ask(connection: &mut Connection, target: &str, key: &str) -> Answer {
    connection.send(load::request("GET", target, key));
    connection.answer().expect("an answer")
}

/// One client makes the backend babble, another asks right behind.
async fn nobody_else_hears(yaml: &str) {
    let (gateway, keys) = start(yaml).await;
    let (mut first, mut second) = (gateway.connect(), gateway.connect());
    for round in 0..ROUNDS {
        for way in ["at-once", "later"] {
            let target = format!("/ways/{way}");
            assert_eq!(ask(&mut first, &target, &keys.viewer).status, 200);
            let own = format!("own-{round}");
            let answer = ask(&mut second, &format!("/ways/{own}"), &keys.editor);
            assert_eq!((answer.status, answer.body), (200, own), "after {way}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_answer_reaches_no_other_client() {
    let address = backend(babble);
    nobody_else_hears(&yaml(address, ROUTES)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_answer_over_tls_reaches_no_other_client() {
    let acceptor = acceptor();
    let address = backend(move |stream| {
        let stream = acceptor.accept(stream).map_err(io::Error::other)?;
        babble(stream)
    });
    let upstream = format!("{{ url: \"https://{address}\", tls: {{ verify: false }} }}");
    nobody_else_hears(&format!("upstreams:\n  app: {upstream}\nroutes:\n{ROUTES}")).await;
}

/// What came with the answer does not reach even whoever asks next with the same key.
#[tokio::test(flavor = "multi_thread")]
async fn what_comes_with_an_answer_reaches_nobody_at_all() {
    let (gateway, keys) = start(&yaml(backend(babble), ROUTES)).await;
    let mut client = gateway.connect();
    for round in 0..ROUNDS {
        let answer = ask(&mut client, "/ways/at-once", &keys.viewer);
        assert_eq!(answer.body, "at-once");
        let own = format!("own-{round}");
        let answer = ask(&mut client, &format!("/ways/{own}"), &keys.viewer);
        assert_eq!((answer.status, answer.body), (200, own));
    }
}

/// A kept connection serves whoever it served before, and nobody else.
#[tokio::test(flavor = "multi_thread")]
async fn each_key_has_connections_of_its_own() {
    let ports = Arc::new(Mutex::new(HashSet::new()));
    let seen = Arc::clone(&ports);
    let upstream = Upstream::with(move |_: &Received, stream: &mut TcpStream| {
        seen.lock().unwrap().insert(stream.peer_addr()?.port());
        respond(stream, "200 OK", b"ok")
    });
    let (gateway, keys) = start(&yaml(upstream.address(), ROUTES)).await;
    let mut clients = [gateway.connect(), gateway.connect()];
    for (key, opened) in [(&keys.viewer, 1), (&keys.editor, 2), (&keys.owner, 3)] {
        for client in &mut clients {
            for _ in 0..10 {
                assert_eq!(ask(client, "/ways/1", key).status, 200);
            }
        }
        assert_eq!(ports.lock().unwrap().len(), opened);
    }
    // Strangers are told apart by their address.
    let stranger = "GET /open/1 HTTP/1.1\r\nHost: gw\r\n\r\n";
    for (local, opened) in [
        ([127, 0, 0, 1], 4),
        ([127, 0, 0, 2], 5),
        ([127, 0, 0, 1], 5),
    ] {
        let mut client = Connection::from(local, gateway.public());
        client.send(stranger);
        assert_eq!(client.answer().unwrap().status, 200);
        assert_eq!(ports.lock().unwrap().len(), opened);
    }
    for (key, opened) in [(&keys.viewer, 5), (&keys.editor, 5)] {
        assert_eq!(ask(&mut clients[0], "/ways/1", key).status, 200);
        assert_eq!(ports.lock().unwrap().len(), opened);
    }
}

/// However many strangers come: the backend keeps room for others.
#[tokio::test(flavor = "multi_thread")]
async fn few_connections_are_kept_for_strangers() {
    let (opened, open) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let counters = (Arc::clone(&opened), Arc::clone(&open));
    let address = backend(move |stream| {
        counters.0.fetch_add(1, Ordering::Relaxed);
        counters.1.fetch_add(1, Ordering::Relaxed);
        let served = babble(stream);
        counters.1.fetch_sub(1, Ordering::Relaxed);
        served
    });
    let (gateway, keys) = start(&yaml(address, ROUTES)).await;
    assert_eq!(gateway.get("/ways/1", &keys.viewer).status, 200);
    for last in 1..=40 {
        let mut client = Connection::from([127, 0, 0, last], gateway.public());
        client.send("GET /open/1 HTTP/1.1\r\nHost: gw\r\n\r\n");
        assert_eq!(client.answer().unwrap().status, 200);
    }
    until("the oldest to be closed", || {
        open.load(Ordering::Relaxed) == 33
    });
    // The key still has its own.
    assert_eq!(gateway.get("/ways/1", &keys.viewer).status, 200);
    assert_eq!(opened.load(Ordering::Relaxed), 41);
}

/// The end of a connection's stream, seen from the backend, which never closes it.
#[tokio::test(flavor = "multi_thread")]
async fn connections_that_nobody_uses_are_closed() {
    let ended = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&ended);
    let address = backend(move |mut stream| {
        let served = babble(&mut stream);
        seen.lock()
            .unwrap()
            .push(served.map_err(|error| error.kind()));
        Ok(())
    });
    let yaml =
        yaml(address, ROUTES).replace("\" }\nroutes", "\", timeouts: { idle: 100ms } }\nroutes");
    let (gateway, keys) = start(&yaml).await;
    for key in [&keys.viewer, &keys.editor] {
        assert_eq!(gateway.get("/ways/1", key).status, 200);
    }
    until("both ends", || ended.lock().unwrap().len() == 2);
    let closed = Err(io::ErrorKind::UnexpectedEof);
    assert_eq!(*ended.lock().unwrap(), [closed, closed]);
}
