//! Every kind of listener is handed over, and every kind of client stays unharmed.

use std::io::Write as _;
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use super::Ends;
use crate::support::certificates::{Pair, Request};
use crate::support::gateway::{TestGateway, until, yaml};
use crate::support::http2_peers::{Client, request};
use crate::support::load;
use crate::support::raw::{Connection, patient};
use crate::support::tls::Hello;
use crate::support::upstream::Upstream;

const ROUTES: &str = "  - { route: GET /things, upstream: app, permission: datasets:read }\n";
const PROXY: &[u8] = b"PROXY TCP4 192.0.2.1 192.0.2.2 56324 443\r\n";
const UPGRADES: usize = 5;

/// In cleartext, over TLS, and behind a proxy that tells addresses.
fn listeners(gateway: &TestGateway) -> String {
    let dir = gateway.config().parent().unwrap().to_owned();
    let authority = Pair::authority("authority");
    authority.issue(&Request::server(&["gw"])).write(&dir, "gw");
    let file = |name: &str| dir.join(name).display().to_string();
    format!(
        "listen:\n  - 127.0.0.1:0\n  - address: 127.0.0.1:0\n    \
         tls: {{ certificates: [{{ certificate: {}, key: {} }}] }}\n  \
         - {{ address: '127.0.0.1:0', proxy_protocol: true }}\ntrusted_proxies: [127.0.0.1]\n",
        file("gw.crt"),
        file("gw.key")
    )
}

/// A way to open a connection.
type Opens = fn(SocketAddr) -> Connection;

fn over_tls(address: SocketAddr) -> Connection {
    Hello::default().connect(address).unwrap().connection
}

fn behind_a_proxy(address: SocketAddr) -> Connection {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(PROXY).unwrap();
    Connection::over(patient(stream))
}

/// Asks until it is told to stop; a connection that says that it closes is replaced.
fn ask(address: SocketAddr, open: Opens, request: &str, done: &AtomicBool, answered: &AtomicUsize) {
    let mut connection = open(address);
    while !done.load(Ordering::Relaxed) {
        connection.send(request);
        let answer = connection.answer().expect("an answer");
        assert_eq!((answer.status, answer.body.as_str()), (200, "ok"));
        answered.fetch_add(1, Ordering::Relaxed);
        if answer.header("connection") == ["close"] {
            connection = open(address);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_every_kind_under_load() {
    let upstream = Upstream::ok();
    let mut gateway = TestGateway::prepare("").await;
    let text = listeners(&gateway) + &yaml(upstream.address(), ROUTES);
    gateway.configure(&text);
    gateway.launch();
    let keys = gateway.seed();
    let addresses = gateway.publics::<3>();
    let opens: [Opens; 3] = [Connection::open, over_tls, behind_a_proxy];
    let (done, request) = (
        AtomicBool::new(false),
        load::request("GET", "/things", &keys.viewer),
    );
    let answered = [const { AtomicUsize::new(0) }; 3];
    let more = |than: usize| {
        let before = answered.each_ref().map(|it| it.load(Ordering::Relaxed));
        until("answers on each", || {
            let mut now = answered.iter().zip(&before);
            now.all(|(now, before)| now.load(Ordering::Relaxed) > before + than)
        });
    };
    std::thread::scope(|scope| {
        let _ends = Ends(&done);
        for ((address, open), answered) in addresses.into_iter().zip(opens).zip(&answered) {
            let (request, done) = (&request, &done);
            scope.spawn(move || ask(address, open, request, done, answered));
        }
        for _ in 0..UPGRADES {
            more(20);
            let former = gateway.upgrade();
            assert!(former.wait(), "exit code of the former process");
        }
        more(20);
    });
    let all: usize = answered.into_iter().map(AtomicUsize::into_inner).sum();
    gateway.wait_for_audit();
    assert_eq!(gateway.events().await.len(), all);
    assert!(gateway.stop());
}

/// Each client asks on one connection until that leaves no more room for requests, and then
/// on a new one: what a GOAWAY has let through is answered.
#[tokio::test(flavor = "multi_thread")]
async fn of_http2_under_load() {
    let upstream = Upstream::ok();
    let mut gateway = TestGateway::start(&yaml(upstream.address(), ROUTES)).await;
    let keys = gateway.seed();
    let address = gateway.public();
    let (done, answered) = (
        std::sync::Arc::new(AtomicBool::new(false)),
        std::sync::Arc::new(AtomicUsize::new(0)),
    );
    let mut clients = tokio::task::JoinSet::new();
    for _ in 0..4 {
        let (done, answered, key) = (done.clone(), answered.clone(), keys.viewer.clone());
        clients.spawn(async move {
            let mut client = Client::connect(address).await;
            let mut reconnected = 0;
            while !done.load(Ordering::Relaxed) {
                let call = request("GET", "/things", &key, &[]);
                let Ok((answer, _)) = client.send(call, true).await else {
                    client = Client::connect(address).await;
                    reconnected += 1;
                    continue;
                };
                match crate::support::http2_peers::reply(answer).await {
                    Ok(reply) => {
                        assert_eq!((reply.status, reply.body.as_slice()), (200, &b"ok"[..]));
                        answered.fetch_add(1, Ordering::Relaxed);
                    }
                    // It crossed the GOAWAY, which tells that it was not served.
                    Err(error) => assert!(error.is_go_away(), "{error:?}"),
                }
            }
            reconnected
        });
    }
    let count = || answered.load(Ordering::Relaxed);
    for _ in 0..UPGRADES {
        let before = count();
        until("answers", || count() > before + 50);
        let former = gateway.upgrade();
        assert!(former.wait(), "exit code of the former process");
    }
    let before = count();
    until("answers of the last", || count() > before + 50);
    done.store(true, Ordering::Relaxed);
    let reconnected = clients.join_all().await;
    assert!(
        reconnected.iter().all(|times| *times >= 1),
        "{reconnected:?}"
    );
    gateway.wait_for_audit();
    assert_eq!(gateway.events().await.len(), count());
    assert!(gateway.stop());
}
