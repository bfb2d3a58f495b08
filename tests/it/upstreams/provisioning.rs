//! The gateway's own requests read answers as strictly as those of clients do.

use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::support::gateway::{TestGateway, until};
use crate::support::upstream::{Upstream, respond};

/// Each has two readings; a forgiving one finds a workspace made.
const ODD: [&str; 3] = [
    "HTTP/1.1 201 Created\nContent-Length: 2\n\n{}",
    "HTTP/1.1 201 Created\r\nContent-Length : 2\r\n\r\n{}",
    "HTTP/1.1 201 Created\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
];

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_with_two_readings_prepares_no_project() {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let upstream = Upstream::with(move |request, stream| {
        assert!(
            request
                .line()
                .starts_with("POST /api/3.0/mlflow/workspaces ")
        );
        match ODD.get(count.fetch_add(1, Ordering::Relaxed) / 2) {
            Some(odd) => stream.write_all(odd.as_bytes()),
            None => respond(stream, "201 Created", b"{}"),
        }
    });
    let gateway = TestGateway::start(&format!(
        "upstreams:\n  app: {{ url: \"http://{}\" }}\n\
         presets: [ {{ name: mlflow-workspaces, upstream: app }} ]\n",
        upstream.address()
    ))
    .await;
    // Their command asks as well, and fails with what it was told.
    gateway.seed();
    let provisioned = || gateway.log().matches("\"project provisioned\"").count();
    until("both projects", || provisioned() == 2);
    assert!(asked.load(Ordering::Relaxed) >= 2 * ODD.len() + 2);
}
