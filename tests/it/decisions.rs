//! Decisions for proxies that forward requests themselves, by the examples in `config`.

use std::net::SocketAddr;

use serde_json::{Value, json};

use crate::support::gateway::{Keys, TestGateway, yaml};
use crate::support::raw::{Answer, Connection};
use crate::support::server::Server;
use crate::support::upstream::Upstream;

const ROUTES: &str = "
  - { route: GET /things, upstream: app, permission: datasets:read, event: things.read }
  - { route: POST /things, upstream: app, permission: datasets:create }
  - { route: GET /open, upstream: app, public: 'for a test' }
  - route: POST /made
    upstream: app
    permission: datasets:read
    creates: { type: thing, id: response.body./id }
  - { route: GET /fixed, permission: datasets:read, respond: { body: {} } }
";
const ASK: &str = "GET /.portcullis/forward-auth";

struct Bench {
    upstream: Upstream,
    gateway: TestGateway,
    keys: Keys,
}

impl Bench {
    async fn start(trusted: &str) -> Self {
        let upstream = Upstream::ok();
        let text = yaml(upstream.address(), ROUTES);
        let text = format!("{text}decisions: {{ trusted: [{trusted}] }}\n");
        let gateway = TestGateway::start(&text).await;
        let keys = gateway.seed();
        Self {
            upstream,
            gateway,
            keys,
        }
    }

    /// Sent there, with these lines and this key.
    fn send(to: SocketAddr, line: &str, fields: &str, key: &str) -> Answer {
        let mut connection = Connection::open(to);
        let key = if key.is_empty() {
            String::new()
        } else {
            format!("Authorization: Bearer {key}\r\n")
        };
        let length = if line.starts_with("POST") {
            "Content-Length: 0\r\n"
        } else {
            ""
        };
        connection.send(format!(
            "{line} HTTP/1.1\r\nHost: ml.example\r\n{fields}{key}{length}\r\n"
        ));
        connection.answer().expect("an answer")
    }

    /// A question of whoever is on this machine.
    fn ask(&self, fields: &str, key: &str) -> Answer {
        Self::send(self.gateway.public(), ASK, fields, key)
    }

    /// Event, status and reason of each request, in the order of their times.
    async fn told(&self) -> Vec<Value> {
        self.gateway.wait_for_audit();
        let events = self.gateway.events().await;
        let told = events.iter();
        told.map(|it| json!([it["event"], it["status"], it["reason"]]))
            .collect()
    }
}

/// What every proxy has to do. `other` is how it passes on refusals that are neither 401 nor 403.
async fn is_guarded(start: fn(SocketAddr, SocketAddr) -> Server, other: fn(u16) -> u16) {
    let bench = Bench::start("127.0.0.1").await;
    let proxy = start(bench.upstream.address(), bench.gateway.public());
    let to = proxy.address();
    let before = bench.told().await.len();
    let viewer = &bench.keys.viewer;
    let forged = "X-Forwarded-User: root\r\nX-Forwarded-Groups: owner\r\nX-Portcullis-Roles: \
                  owner\r\nX-Portcullis-Acr: aal3\r\nX-Portcullis-Principal: \
                  root\r\nCookie: a=b\r\n";
    let seen = Bench::send(to, "GET /things?q=a%20b&r='1'", forged, viewer);
    assert_eq!(seen.status, 200, "{seen:?}");
    let received = bench.upstream.received();
    let [received] = &received[..] else {
        panic!("{received:?}");
    };
    assert!(received.line().starts_with("GET /things?q=a%20b&r='1' "));
    assert_eq!(received.header("x-forwarded-user"), ["viewer@example.com"]);
    assert_eq!(received.header("x-forwarded-groups"), ["viewer"]);
    assert_eq!(received.header("x-portcullis-roles"), ["viewer"]);
    assert_eq!(received.header("x-portcullis-tenant"), ["acme"]);
    assert_eq!(received.header("cookie"), ["a=b"]);
    for name in ["x-portcullis-acr", "authorization"] {
        let values = received.header(name).concat();
        assert_eq!(values, "", "{name}");
    }
    assert_ne!(received.header("x-portcullis-principal"), ["root"]);
    // Whatever else a client says of its request, it is about this one.
    let described = "X-Forwarded-Method: GET\r\nX-Forwarded-Uri: /open\r\nX-Original-Method: \
                     GET\r\nX-Original-URI: /open\r\n";
    for (what, line, fields, key, status) in [
        ("nobody", "GET /things", "", "", 401),
        ("a wrong key", "GET /things", "", "pcl_live_x", 401),
        ("a role too few", "POST /things", "", viewer, 403),
        ("no route", "GET /nothing", "", viewer, other(404)),
        ("no such method", "PUT /open", "", viewer, other(405)),
        (
            "in other words",
            "GET /open/../things",
            "",
            viewer,
            other(400),
        ),
        ("in other letters", "GET /%6fpen", "", viewer, other(400)),
        ("two slashes", "GET //open", "", viewer, other(400)),
        ("what must be carried", "POST /made", "", viewer, 403),
    ] {
        let answer = Bench::send(to, line, fields, key);
        assert_eq!(answer.status, status, "{what}: {answer:?}");
    }
    let answer = Bench::send(to, "GET /things", described, "");
    assert_ne!(answer.status, 200, "{answer:?}");
    assert_eq!(
        bench.upstream.received().len(),
        1,
        "nothing else came through"
    );
    let open = Bench::send(to, "GET /open", "", "");
    assert_eq!(open.status, 200, "{open:?}");
    assert_eq!(
        bench
            .upstream
            .received()
            .last()
            .unwrap()
            .header("x-forwarded-user")
            .concat(),
        ""
    );
    let own = Bench::send(to, "GET /.portcullis/api/v1/me", "", viewer);
    assert_eq!(
        own.status, 200,
        "what is Portcullis's own is not asked about: {own:?}"
    );
    // One event each, as the request itself would have left it.
    let told = bench.told().await;
    assert_eq!(told.len() - before, 13, "{told:#?}");
    assert_eq!(told[before], json!(["things.read", 200, null]));
    assert_eq!(
        told[before + 9],
        json!(["authz.denied", 403, "not_carried"])
    );
    let events = bench.gateway.events().await;
    let first = &events[before];
    assert_eq!(first["details"]["forwarded_by"], "127.0.0.1", "{first}");
    assert_eq!(first["actor_email"], "viewer@example.com");
    assert_eq!(
        (&first["method"], &first["route"]),
        (&json!("GET"), &json!("GET /things"))
    );
    drop(proxy);
}

#[tokio::test(flavor = "multi_thread")]
async fn nginx_forwards_what_may_go_on() {
    is_guarded(Server::nginx, |_| 403).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn caddy_forwards_what_may_go_on() {
    is_guarded(Server::caddy, |status| status).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn envoy_forwards_what_may_go_on() {
    is_guarded(Server::envoy, |status| status).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_is_put_in_one_way_or_refused() {
    let bench = Bench::start("127.0.0.0/8").await;
    let viewer = &bench.keys.viewer;
    let (method, uri) = (
        "X-Forwarded-Method: GET\r\n",
        "X-Forwarded-Uri: /things\r\n",
    );
    let host = "X-Forwarded-Host: ml.example\r\n";
    let whole = [method, uri, host].concat();
    let yes = bench.ask(&whole, viewer);
    assert_eq!(yes.status, 200, "{yes:?}");
    assert_eq!(yes.header("x-forwarded-user"), ["viewer@example.com"]);
    assert_eq!(yes.header("x-portcullis-amr"), [""]);
    assert!(yes.body.is_empty());
    for (what, fields) in [
        ("nothing", String::new()),
        ("no method", [uri, host].concat()),
        ("no target", [method, host].concat()),
        ("no host", [method, uri].concat()),
        ("two methods", [&*whole, method].concat()),
        (
            "two targets",
            [&*whole, "X-Forwarded-Uri: /open\r\n"].concat(),
        ),
        (
            "two ways",
            [&*whole, "X-Original-URI: /things\r\n"].concat(),
        ),
        ("a fragment", whole.replace("/things", "/things#a")),
        ("no path", whole.replace("/things", "things")),
        (
            "another site",
            whole.replace("/things", "http://evil.example/things"),
        ),
        (
            "a query that some cut",
            whole.replace("/things", "/things?a=1;b=2"),
        ),
        ("a space", whole.replace("/things", "/things?a= b")),
        ("a method that is none", whole.replace("GET", "G\tT")),
        ("a tunnel", whole.replace("GET", "CONNECT")),
        ("two hosts", [&*whole, host].concat()),
        ("no such host", whole.replace("ml.example", "ml example")),
    ] {
        let answer = bench.ask(&fields, viewer);
        assert_eq!(answer.status, 400, "{what}: {answer:?}");
    }
    assert!(bench.upstream.received().is_empty());
    // Strangers hear of no route, and nobody of what only the gateway can do.
    let made = whole.replace("GET", "POST").replace("/things", "/made");
    assert_eq!(bench.ask(&made, "").status, 401);
    assert_eq!(bench.ask(&made, viewer).json()["code"], "not_carried");
    for own in ["/fixed", "/.portcullis/api/v1/me"] {
        let answer = bench.ask(&whole.replace("/things", own), viewer);
        assert_eq!(answer.json()["code"], "not_carried", "{own}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn to_anybody_else_there_is_no_such_path() {
    let bench = Bench::start("192.0.2.0/24").await;
    let whole =
        "X-Forwarded-Method: GET\r\nX-Forwarded-Uri: /open\r\nX-Forwarded-Host: ml.example\r\n";
    for line in [ASK, "GET /.portcullis/ext-authz/open"] {
        let to = bench.gateway.public();
        assert_eq!(Bench::send(to, line, whole, "").status, 401);
        assert_eq!(Bench::send(to, line, whole, &bench.keys.viewer).status, 404);
    }
    let told = bench.told().await;
    assert_eq!(
        told[told.len() - 1],
        json!(["authz.denied", 404, "no_route"])
    );
}
