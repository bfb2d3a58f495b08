//! Passkeys, in Chromium.

use std::fs;
use std::io;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;
use std::thread;

use tempfile::TempDir;

use super::{Bench, PASSWORD};
use crate::support::from_environment;

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/e2e/passkeys.mjs");

/// An address that is known before the gateway's is, as that of a site is.
struct Door(TcpListener);

impl Door {
    fn new() -> Self {
        Self(TcpListener::bind("127.0.0.1:0").unwrap())
    }

    fn url(&self) -> String {
        format!("http://localhost:{}", self.0.local_addr().unwrap().port())
    }

    /// Leads all who come there, for as long as the test runs.
    fn open(self, to: SocketAddr) {
        thread::spawn(move || {
            for came in self.0.incoming().map_while(Result::ok) {
                let gateway = TcpStream::connect(to).unwrap();
                let back = (gateway.try_clone().unwrap(), came.try_clone().unwrap());
                thread::spawn(move || pass(came, gateway));
                thread::spawn(move || pass(back.0, back.1));
            }
        });
    }
}

fn pass(mut from: TcpStream, mut to: TcpStream) {
    // Either side may go at any time.
    let _ = io::copy(&mut from, &mut to);
    let _ = to.shutdown(Shutdown::Write);
}

#[tokio::test(flavor = "multi_thread")]
async fn passkeys_of_a_browser() {
    let door = Door::new();
    let url = door.url();
    let rules = format!("sign_in: {{ public_url: \"{url}\" }}");
    let bench = Bench::with_rules(&rules).await;
    door.open(bench.gateway.public());
    let dir = TempDir::new().unwrap();
    let script = dir.path().join("passkeys.mjs");
    fs::copy(Path::new(SCRIPT), &script).unwrap();
    let modules = from_environment("PORTCULLIS_TEST_NODE_MODULES");
    symlink(modules, dir.path().join("node_modules")).unwrap();
    let output = Command::new("node")
        .arg(script)
        .current_dir(dir.path())
        .env("PORTCULLIS_URL", &url)
        .env("WHO", "editor@example.com")
        .env("PASSWORD", PASSWORD)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}\n{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    // What the backend was told of each way in, in their order.
    let received = bench.upstream.received();
    let told = received.iter().map(|request| {
        let [acr, amr] = ["acr", "amr"].map(|name| {
            let name = format!("x-portcullis-{name}");
            request.header(&name).join(" ")
        });
        format!("{acr} {amr}")
    });
    let mut told: Vec<_> = told.collect();
    told.dedup();
    assert_eq!(
        told,
        ["aal1 pwd", "aal2 pwd,pop,mfa", "aal2 pop,mfa", "aal1 pwd"]
    );
    let event = bench.event("factor.removed").await;
    assert_eq!(event["details"]["name"], "My <b>phone</b>");
}
