//! Streams of an HTTP/2 connection: how many at once, and the end of a connection that has
//! none.

use super::ROUTES;
use crate::support::gateway::{TestGateway, until, yaml};
use crate::support::http2::{Fate, GOAWAY, Http2, SETTINGS, request};
use crate::support::upstream::Upstream;

const GET: [(&str, &str); 4] = request("GET", "/open");
/// `SETTINGS_MAX_CONCURRENT_STREAMS` (RFC 9113 §6.5.2).
const MAX_STREAMS: [u8; 2] = [0, 3];
/// `REFUSED_STREAM` (RFC 9113 §7): it was not served and may be sent again.
const REFUSED: Fate = Fate::Reset(7);

async fn start(upstream: &Upstream, limits: &str) -> TestGateway {
    let text = yaml(upstream.address(), ROUTES);
    TestGateway::start(&format!("{text}limits: {{ {limits} }}\n")).await
}

#[tokio::test(flavor = "multi_thread")]
async fn only_so_many_at_once_and_the_client_is_told_how_many() {
    let (upstream, go) = Upstream::held();
    let gateway = start(&upstream, "streams: 2").await;
    let mut connection = Http2::open(gateway.public());
    let settings = connection.next_of(SETTINGS).unwrap().payload;
    let told = settings.chunks(6).find(|it| it[..2] == MAX_STREAMS);
    assert_eq!(told.unwrap()[2..], [0, 0, 0, 2]);
    for stream in [1, 3] {
        connection.headers(stream, &GET, true);
    }
    until("both", || upstream.received().len() == 2);
    connection.headers(5, &GET, true);
    assert_eq!(connection.fate(5), REFUSED);
    go.send(()).unwrap();
    go.send(()).unwrap();
    for stream in [1, 3] {
        let seen = connection.seen_to_the_end(stream);
        let fate = seen.unwrap_or_else(|| connection.fate(stream));
        assert_eq!(fate, Fate::Answered(200));
    }
    go.send(()).unwrap();
    connection.headers(7, &GET, true);
    assert_eq!(connection.fate(7), Fate::Answered(200));
    assert_eq!(upstream.received().len(), 3, "the refused one arrived");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_connection_is_told_before_it_is_closed() {
    let upstream = Upstream::ok();
    let gateway = start(&upstream, "idle: 1s").await;
    let mut connection = Http2::open(gateway.public());
    connection.headers(1, &GET, true);
    assert_eq!(connection.fate(1), Fate::Answered(200));
    let goodbye = connection.next_of(GOAWAY).expect("a word before the end");
    assert_eq!(goodbye.payload[4..8], [0; 4], "no error");
    // A request that crossed it on its way is still served.
    connection.headers(3, &GET, true);
    assert_eq!(connection.fate(3), Fate::Answered(200));
    connection.until_closed();
    assert!(gateway.ended().await.is_empty());
}
