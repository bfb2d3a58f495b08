//! What is between a socket and HTTP: TLS, the PROXY protocol, the way to HTTPS.

mod client_certificates;
mod http2;
mod listeners;
mod proxy_protocol;
mod redirect;
mod reload;
mod tls;

use std::net::SocketAddr;
use std::path::PathBuf;

use tempfile::TempDir;

use crate::support::certificates::{Pair, Request};
use crate::support::gateway::{TestGateway, until, yaml};
use crate::support::raw::Answer;
use crate::support::tls::{Hello, Secured};
use crate::support::upstream::Upstream;

const ROUTES: &str = "
  - { route: GET /open, upstream: app, public: \"for a test\" }
  - { route: POST /open, upstream: app, public: \"for a test\" }
  - { route: GET /things, upstream: app, permission: datasets:read }
";
const GET: &str = "GET /open HTTP/1.1\r\nHost: gw\r\n\r\n";

/// An authority and a directory for what it issues.
struct Office {
    authority: Pair,
    dir: TempDir,
}

impl Office {
    fn new() -> Self {
        Self {
            authority: Pair::authority("authority"),
            dir: TempDir::new().unwrap(),
        }
    }

    /// With `ca.crt`, and `name.crt` and `name.key` for a server of this host.
    fn with(servers: &[(&str, &[&str])]) -> Self {
        let office = Self::new();
        office.authority.write(office.dir.path(), "ca");
        for (name, hosts) in servers {
            office.issue(name, hosts);
        }
        office
    }

    /// Writes a fresh certificate over the last one.
    fn issue(&self, name: &str, hosts: &[&str]) {
        let pair = self.authority.issue(&Request::server(hosts));
        pair.write(self.dir.path(), name);
    }

    fn file(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// An entry of `listen:` with these certificates and more keys of `tls`.
    fn listen(&self, names: &[&str], more: &str) -> String {
        let dir = self.dir.path().display();
        let pairs = names
            .iter()
            .map(|name| format!("{{ certificate: {dir}/{name}.crt, key: {dir}/{name}.key }}"));
        let pairs: Vec<_> = pairs.collect();
        format!(
            "  - address: 127.0.0.1:0\n    tls: {{ certificates: [{}]{more} }}\n",
            pairs.join(", ")
        )
    }
}

/// A gateway with these entries of `listen:`, and `more` at the top level.
async fn start(entries: &str, more: &str) -> (Upstream, TestGateway) {
    let upstream = Upstream::ok();
    let text = format!(
        "listen:\n{entries}{more}{}",
        yaml(upstream.address(), ROUTES)
    );
    let gateway = TestGateway::start(&text).await;
    (upstream, gateway)
}

/// One GET over a handshake that must succeed.
fn get(hello: &Hello<'_>, address: SocketAddr) -> Answer {
    ask(&mut hello.connect(address).unwrap())
}

fn ask(secured: &mut Secured) -> Answer {
    secured.connection.send(GET);
    secured.connection.answer().expect("an answer")
}

/// What the handshake came to, where it may fail as late as the first answer: in TLS 1.3
/// the client is done before the server has seen its certificate.
fn status(hello: &Hello<'_>, address: SocketAddr) -> Option<u16> {
    let mut secured = hello.connect(address).ok()?;
    secured.connection.send(GET);
    secured.connection.answer().map(|answer| answer.status)
}

/// Waits until so many connections have ended early for this reason: they are counted
/// just after they are closed.
fn wait_for_failures(gateway: &TestGateway, reason: &str, times: usize) {
    let name = format!("portcullis_connections_failed_total{{reason=\"{reason}\"}}");
    let line = format!("{name} {times}");
    until(&line, || {
        let text = gateway.private_get("/metrics").body;
        text.lines().any(|told| told == line)
    });
}

fn names_in(secured: &Secured) -> Vec<String> {
    let names = secured.certificate.subject_alt_names().unwrap();
    let names = names.iter().filter_map(|name| name.dnsname());
    names.map(str::to_owned).collect()
}
