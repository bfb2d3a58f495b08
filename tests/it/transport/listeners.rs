//! Several addresses at once.

use std::net::TcpListener;

use rustix::process::Signal;

use super::{GET, Office, get, start};
use crate::support::gateway::TestGateway;
use crate::support::raw::Connection;
use crate::support::tls::Hello;

#[tokio::test(flavor = "multi_thread")]
async fn all_are_open_and_all_are_closed_at_the_end() {
    let office = Office::with(&[("a", &["a.test"])]);
    let plain = "  - 127.0.0.1:0\n  - '[::1]:0'\n";
    let entries = plain.to_owned() + &office.listen(&["a"], "");
    let (_upstream, mut gateway) = start(&entries, "").await;
    let [v4, v6, tls] = gateway.publics();
    for address in [v4, v6] {
        let mut connection = Connection::open(address);
        connection.send(GET);
        assert_eq!(connection.answer().unwrap().status, 200);
    }
    let hello = Hello {
        name: Some("a.test"),
        ..Hello::default()
    };
    let mut open = hello.connect(tls).unwrap();
    assert_eq!(super::ask(&mut open).status, 200);
    gateway.signal(Signal::TERM);
    assert!(open.connection.is_closed());
    assert!(gateway.wait());
    for address in [v4, v6, tls] {
        TcpListener::bind(address).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_gateways_serve_the_same_certificate() {
    let office = Office::with(&[("a", &["a.test"])]);
    let (upstream, first) = start(&office.listen(&["a"], ""), "").await;
    let text = format!(
        "listen:\n{}{}",
        office.listen(&["a"], ""),
        crate::support::gateway::yaml(upstream.address(), super::ROUTES)
    );
    let mut second: TestGateway = first.replica(&text);
    second.launch();
    for gateway in [&first, &second] {
        assert_eq!(get(&Hello::default(), gateway.public()).status, 200);
    }
    assert_eq!(upstream.received().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_is_taken_is_named() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let text = format!("listen: ['127.0.0.1:0', '{address}']\n");
    let gateway = TestGateway::prepare(&text).await;
    let (code, told) = gateway.fails_to_start();
    assert_eq!(code, 1);
    assert!(told.contains(&address.to_string()), "{told}");
}
