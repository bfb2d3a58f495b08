//! Who is counted, by what, and when.

use super::{ROUTES, send, split, start, status};
use crate::support::gateway::{TestGateway, until, yaml};
use crate::support::http2::{DATA, Fate, Http2};
use crate::support::load;

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_requests_get_exactly_the_limit_through() {
    let sections = "workers: 4\nrate: { principal: { limit: 1/h, burst: 137 } }\n";
    let (upstream, gateway) = start(sections).await;
    let keys = gateway.seed();
    let spent = gateway.make_known(&keys.viewer);
    let request = |_| load::request("GET", "/things/1", &keys.viewer);
    let answers = load::send(&gateway, 40, 10, request);
    assert_eq!(answers.len(), 400);
    let [passed, refused] = split(&answers, [200, 429]);
    assert_eq!(passed, 137 - spent);
    assert_eq!(upstream.received().len(), passed);
    let counted = gateway.metric("portcullis_rate_limited_total{limit=\"principal\"}");
    assert_eq!(counted, refused as u64);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_counted_apart_from_others_of_its_principal_and_a_principal_with_all_of_them() {
    let (_upstream, gateway) = start("rate: { key: 2/h, principal: 3/h }\n").await;
    let keys = gateway.seed();
    let second = gateway.key("viewer@example.com", Some("acme/fraud"));
    let ask = |key: &str| status(&gateway, "/things/1", key);
    assert_eq!(
        [ask(&keys.viewer), ask(&keys.viewer), ask(&keys.viewer)],
        [200, 200, 429]
    );
    assert_eq!([ask(&second), ask(&second)], [200, 429]);
    assert_eq!(ask(&keys.editor), 200);
}

/// Nobody makes the gateway wait for more bodies than they may send.
#[tokio::test(flavor = "multi_thread")]
async fn a_caller_is_counted_before_the_body_is_read() {
    let (upstream, gateway) = start("rate: { principal: 3/h }\n").await;
    let keys = gateway.seed();
    let post = |body: &str| {
        let answer = gateway.request("POST", "/inspected", &keys.editor, body);
        answer.status
    };
    assert_eq!(post("{}"), 200);
    // Once each, whatever comes of it.
    assert_eq!(post(r#"{"secret":1}"#), 403);
    assert_eq!(status(&gateway, "/things/1", &keys.editor), 200);
    let mut waiting = gateway.connect();
    waiting.send(format!(
        "POST /inspected HTTP/1.1\r\nHost: gw\r\nAuthorization: Bearer {}\r\n\
         Content-Type: application/json\r\nContent-Length: 2\r\n\r\n",
        keys.editor
    ));
    assert_eq!(waiting.answer().unwrap().status, 429);
    assert_eq!(upstream.received().len(), 2);
    assert_eq!(status(&gateway, "/things/1", &keys.viewer), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_is_counted_over_all_its_principals() {
    let (_upstream, gateway) = start("rate: { tenant: 2/h }\n").await;
    let keys = gateway.seed();
    let ask = |key: &str| status(&gateway, "/things/1", key);
    assert_eq!([ask(&keys.viewer), ask(&keys.editor)], [200, 200]);
    assert_eq!([ask(&keys.viewer), ask(&keys.editor)], [429, 429]);
    assert_eq!(ask(&keys.stranger), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_is_the_client_s_and_of_ipv6_its_network() {
    let sections = "trusted_proxies: [127.0.0.1]\nrate: { address: 1/h }\n";
    let (_upstream, gateway) = start(sections).await;
    let from = |ip: &str| {
        let field = format!("X-Forwarded-For: {ip}\r\n");
        send(&gateway, "GET /open", &field).status
    };
    assert_eq!([from("192.0.2.1"), from("192.0.2.1")], [200, 429]);
    assert_eq!(from("192.0.2.2"), 200);
    assert_eq!([from("2001:db8::1"), from("2001:db8::2")], [200, 429]);
    assert_eq!(from("2001:db8:0:1::1"), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn guessing_keys_is_bounded_by_address_and_recorded() {
    let (_upstream, gateway) = start("rate: { address: 5/h }\n").await;
    let keys = gateway.seed();
    let guesses: Vec<u16> = (0..8)
        .map(|_| status(&gateway, "/things/1", "garbage"))
        .collect();
    assert_eq!(guesses, [401, 401, 401, 401, 401, 429, 429, 429]);
    // A good key is not even looked at.
    assert_eq!(status(&gateway, "/things/1", &keys.viewer), 429);
    gateway.wait_for_audit();
    let events = gateway.events().await;
    assert_eq!(events.len(), 9);
    let last = &events[8];
    assert_eq!(last["event"], "authz.denied");
    assert_eq!(last["result"], "denied");
    assert_eq!(last["reason"], "rate_limited");
    assert_eq!(last["status"], 429);
    assert_eq!(last["ip"], "127.0.0.1");
    assert_eq!(last["details"]["limit"], "address");
    assert_eq!(last["details"]["path"], "/things/1");
    // The private listener has no limits.
    for _ in 0..10 {
        assert_eq!(gateway.private_get("/livez").status, 200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_malformed_request_counts_and_still_closes_its_connection() {
    let (_upstream, gateway) = start("rate: { address: 2/h }\n").await;
    for _ in 0..4 {
        let mut connection = gateway.connect();
        connection.send("GET /open/../x HTTP/1.1\r\nHost: gw\r\n\r\n");
        assert_eq!(connection.answer().unwrap().status, 400);
        assert!(connection.is_closed());
    }
    assert_eq!(send(&gateway, "GET /open", "").status, 429);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_only_the_decision_finds_malformed_closes_its_connection_too() {
    let (_upstream, gateway) = start("rate: { key: 1/h }\n").await;
    let keys = gateway.seed();
    let key = &keys.admin;
    for _ in 0..3 {
        let mut connection = gateway.connect();
        connection.send(format!(
            "GET /things/1 HTTP/1.1\r\nHost: gw\r\nAuthorization: Bearer {key}\r\n\
             X-Portcullis-Project: acme/fraud\r\nX-Portcullis-Project: c/d\r\n\r\n"
        ));
        assert_eq!(connection.answer().unwrap().status, 400);
        assert!(connection.is_closed());
    }
    assert_eq!(status(&gateway, "/things/1", key), 429);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_route_s_limit_counts_besides_the_global_one_and_a_refusal_spends_neither() {
    let (_upstream, gateway) = start("rate: { key: 5/h }\n").await;
    let keys = gateway.seed();
    let ask = |target: &str| status(&gateway, target, &keys.viewer);
    let few: Vec<u16> = (0..6).map(|_| ask("/few")).collect();
    assert_eq!(few, [200, 200, 429, 429, 429, 429]);
    let other: Vec<u16> = (0..5).map(|_| ask("/things/1")).collect();
    assert_eq!(other, [200, 200, 200, 429, 429]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_key_is_refused_its_address_has_not_spent() {
    let (_upstream, gateway) = start("rate: { address: 2/d, key: 1/d }\n").await;
    let keys = gateway.seed();
    let ask = |key: &str| status(&gateway, "/things/1", key);
    assert_eq!(ask(&keys.viewer), 200);
    for _ in 0..10 {
        assert_eq!(ask(&keys.viewer), 429);
    }
    assert_eq!([ask(&keys.editor), ask(&keys.stranger)], [200, 429]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_denied_request_spends_the_principal_s_limit_and_not_the_route_s() {
    let (_upstream, gateway) = start("rate: { principal: 4/h }\n").await;
    let keys = gateway.seed();
    // Its key is for another project: denied, with the route found.
    let denied = |gateway: &TestGateway| {
        let fields = format!(
            "Authorization: Bearer {}\r\nX-Portcullis-Project: none/none\r\n",
            keys.admin
        );
        send(gateway, "GET /few", &fields).status
    };
    assert_eq!([denied(&gateway), denied(&gateway)], [403, 403]);
    let named = |target: &str| {
        let fields = format!(
            "Authorization: Bearer {}\r\nX-Portcullis-Project: acme/fraud\r\n",
            keys.admin
        );
        send(&gateway, &format!("GET {target}"), &fields).status
    };
    assert_eq!([named("/few"), named("/few")], [200, 200]);
    assert_eq!(named("/things/1"), 429);
    assert_eq!(denied(&gateway), 429);
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_are_counted_by_address_only() {
    let (_upstream, gateway) = start("rate: { key: 1/h, principal: 1/h, tenant: 1/h }\n").await;
    let open: Vec<u16> = (0..4)
        .map(|_| send(&gateway, "GET /open", "").status)
        .collect();
    assert_eq!(open, [200; 4]);
    let few: Vec<u16> = (0..4)
        .map(|_| send(&gateway, "GET /open/few", "").status)
        .collect();
    assert_eq!(few, [200, 200, 429, 429]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_spent_comes_back() {
    let (_upstream, gateway) = start("rate: { address: { limit: 20/s, burst: 1 } }\n").await;
    let clock = portcullis::clock::Clock::system();
    let began = clock.instant();
    let mut passed = 0;
    while passed < 21 {
        passed += u32::from(send(&gateway, "GET /open", "").status == 200);
    }
    let took = clock.instant() - began;
    assert!(took >= std::time::Duration::from_secs(1), "{took:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reload_leaves_the_counts_of_limits_that_stay_the_same() {
    let (upstream, gateway) = start("rate: { key: 3/h }\n").await;
    let keys = gateway.seed();
    let ask = |target: &str| status(&gateway, target, &keys.viewer);
    let reload = |routes: &str, rate: &str| {
        let text = yaml(upstream.address(), routes);
        gateway.reconfigure(&format!("{text}rate: {rate}\n"));
    };
    assert_eq!([ask("/few"), ask("/few"), ask("/few")], [200, 200, 429]);
    let more = "  - { route: GET /more, upstream: app, permission: datasets:read }\n";
    reload(&format!("{more}{ROUTES}"), "{ key: 3/h, tenant: 100/h }");
    assert_eq!([ask("/few"), ask("/more"), ask("/more")], [429, 200, 429]);
    reload(ROUTES, "{ key: 4/h }");
    assert_eq!([ask("/few"), ask("/things/1")], [429, 200]);
}

/// Who sends garbage all day has no more left for it than others.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_request_counts_for_its_address() {
    let (_upstream, gateway) = start("rate: { address: 6/h }\n").await;
    for (garbage, status) in [
        ("GET /open HTTP/1.1\nHost: gw\n\n", 400),
        ("\x16\x03\x01", 400),
        ("GET /open HTTP/1.1\r\nHost: gw\r\nHost : gw\r\n\r\n", 400),
    ] {
        let answer = gateway.raw(garbage).unwrap();
        assert_eq!(answer.status, status, "{garbage:?}");
        assert_eq!(answer.header("ratelimit").len(), 1, "{garbage:?}");
    }
    // A malformed request over HTTP/2 that the library answers, and one that ends it all.
    let mut connection = Http2::open(gateway.public());
    connection.headers(1, &[(":method", "GET"), (":scheme", "http")], true);
    assert_eq!(connection.fate(1), Fate::Answered(400));
    connection.frame(DATA, 0, 0, b"of no stream");
    connection.until_closed();
    until("it to be counted", || {
        let ended = "portcullis_connections_ended_total{reason=\"http2_protocol_error\"} 1";
        gateway.private_get("/metrics").body.contains(ended)
    });
    assert_eq!(send(&gateway, "GET /open", "").status, 200);
    assert_eq!(send(&gateway, "GET /open", "").status, 429);
    // Garbage is told what it is, whatever is left.
    assert_eq!(gateway.raw("garbage\r\n\r\n").unwrap().status, 400);
}

/// A trusted proxy's address is nobody's: garbage that it passes on takes nothing from the
/// clients whose requests it passes on.
#[tokio::test(flavor = "multi_thread")]
async fn garbage_by_a_trusted_proxy_counts_for_nobody() {
    let (_upstream, gateway) =
        start("rate: { address: 1/h }\ntrusted_proxies: [127.0.0.1]\n").await;
    for _ in 0..3 {
        assert_eq!(gateway.raw("garbage\r\n\r\n").unwrap().status, 400);
    }
    let client = "X-Forwarded-For: 192.0.2.1\r\n";
    assert_eq!(send(&gateway, "GET /open", client).status, 200);
    assert_eq!(send(&gateway, "GET /open", client).status, 429);
    assert_eq!(send(&gateway, "GET /open", "").status, 200);
}
