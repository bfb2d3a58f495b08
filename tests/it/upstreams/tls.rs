//! TLS to the backend, with a CA of choice.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use bytes::Bytes;
use h2::RecvStream;
use h2::server::SendResponse;
use http::Request;
use openssl::ssl::{AlpnError, Ssl, SslAcceptor, SslFiletype, SslMethod, select_next_proto};
use tempfile::TempDir;
use tokio_openssl::SslStream;

use crate::support::gateway::{TestGateway, until};
use crate::support::http2_peers as peers;

/// `openssl s_server -www`: a real TLS server with a certificate of a CA of its own.
struct TlsBackend {
    dir: TempDir,
    address: SocketAddr,
    child: Child,
}

fn openssl(dir: &Path, args: &str) {
    let output = Command::new("openssl")
        .args(args.split(' '))
        .current_dir(dir)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{args}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// A CA called `name`, as `name.pem` and `name.key`.
fn authority(dir: &Path, name: &str) {
    openssl(
        dir,
        &format!(
            "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 \
             -subj /CN={name} -keyout {name}.key -out {name}.pem"
        ),
    );
}

fn server_certificate(dir: &Path, host: &str) {
    openssl(
        dir,
        "req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=server \
         -keyout server.key -out server.csr",
    );
    std::fs::write(dir.join("names"), format!("subjectAltName=DNS:{host}")).unwrap();
    openssl(
        dir,
        "x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 \
         -extfile names -out server.pem",
    );
}

impl TlsBackend {
    fn start(host: &str) -> Self {
        let dir = TempDir::new().unwrap();
        authority(dir.path(), "ca");
        authority(dir.path(), "stranger");
        server_certificate(dir.path(), host);
        // s_server cannot be handed a socket; it says which port it took.
        let log = dir.path().join("log");
        let child = Command::new("openssl")
            .args([
                "s_server",
                "-accept",
                "127.0.0.1:0",
                "-www",
                "-cert",
                "server.pem",
            ])
            .args(["-key", "server.key"])
            .current_dir(dir.path())
            .stdin(Stdio::null())
            .stdout(std::fs::File::create(&log).unwrap())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let told = || {
            let text = std::fs::read_to_string(&log).unwrap();
            let line = text.lines().find_map(|line| line.strip_prefix("ACCEPT "));
            line.and_then(|address| address.parse().ok())
        };
        until("s_server", || told().is_some());
        let address = told().unwrap();
        Self {
            dir,
            address,
            child,
        }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn config(&self, ca: &str, name: &str) -> String {
        format!(
            "upstreams:\n  app:\n    url: https://{}\n    tls: {{ ca_file: {}, server_name: {name} }}\n\
             routes:\n  - {{ route: GET /, upstream: app, permission: datasets:read }}\n",
            self.address,
            self.file(ca).display(),
        )
    }
}

impl Drop for TlsBackend {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_right_name_of_the_right_authority_is_trusted() {
    let backend = TlsBackend::start("backend.internal");
    let mut gateway = TestGateway::start(&backend.config("ca.pem", "backend.internal")).await;
    let keys = gateway.seed();
    let answer = gateway.get("/", &keys.viewer);
    assert_eq!(answer.status, 200);
    assert!(answer.body.contains("TLS"), "{}", answer.body);
    for (ca, name) in [
        ("stranger.pem", "backend.internal"),
        ("ca.pem", "other.internal"),
        ("server.pem", "other.internal"),
    ] {
        gateway.stop();
        gateway.configure(&backend.config(ca, name));
        gateway.launch();
        let answer = gateway.get("/", &keys.viewer);
        assert_eq!(answer.status, 502, "{ca} {name}");
        assert!(!answer.body.contains("TLS"), "{ca} {name}");
    }
    gateway.stop();
    let careless = backend.config("stranger.pem", "backend.internal");
    gateway.configure(&careless.replace("server_name:", "verify: false, server_name:"));
    gateway.launch();
    assert_eq!(
        gateway.get("/", &keys.viewer).status,
        200,
        "as the operator chose"
    );
    gateway.wait_for_audit();
    assert_eq!(gateway.events().await.len(), 5);
}

/// A backend that agrees on HTTP/2 in the handshake (ALPN).
async fn http2_backend(dir: &Path) -> SocketAddr {
    let mut acceptor = SslAcceptor::mozilla_modern_v5(SslMethod::tls_server()).unwrap();
    let (key, certificate) = (dir.join("server.key"), dir.join("server.pem"));
    acceptor
        .set_private_key_file(key, SslFiletype::PEM)
        .unwrap();
    acceptor
        .set_certificate_file(certificate, SslFiletype::PEM)
        .unwrap();
    acceptor.set_alpn_select_callback(|_, offered| {
        select_next_proto(b"\x02h2", offered).ok_or(AlpnError::ALERT_FATAL)
    });
    let acceptor = acceptor.build();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let handler = Arc::new(
        |request: Request<RecvStream>, mut respond: SendResponse<Bytes>| async move {
            let told = format!("{:?} {}", request.version(), request.uri());
            let mut stream = respond.send_response(peers::head(200, &[]), false).unwrap();
            stream.send_data(told.into(), true).unwrap();
        },
    );
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let mut stream = SslStream::new(Ssl::new(acceptor.context()).unwrap(), stream).unwrap();
            let handler = Arc::clone(&handler);
            tokio::spawn(async move {
                if Pin::new(&mut stream).accept().await.is_ok() {
                    peers::serve(stream, handler).await;
                }
            });
        }
    });
    address
}

#[tokio::test(flavor = "multi_thread")]
async fn http2_is_agreed_upon_in_the_handshake_or_it_is_502() {
    let backend = TlsBackend::start("backend.internal");
    let address = http2_backend(backend.dir.path()).await;
    let config = backend.config("ca.pem", "backend.internal");
    let config = config.replace("    tls:", "    http2: true\n    tls:");
    let old = backend.address.to_string();
    let mut gateway = TestGateway::start(&config.replace(&old, &address.to_string())).await;
    let keys = gateway.seed();
    let answer = gateway.get("/", &keys.viewer);
    let told = format!("HTTP/2.0 https://{address}/");
    assert_eq!((answer.status, answer.body), (200, told));
    gateway.stop();
    // The twin speaks TLS, but nothing of HTTP/2.
    gateway.configure(&config);
    gateway.launch();
    let answer = gateway.get("/", &keys.viewer);
    assert_eq!(answer.status, 502);
    assert_eq!(answer.json()["code"], "upstream_broken");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ca_file_without_a_certificate_is_no_start() {
    let backend = TlsBackend::start("backend.internal");
    let gateway = TestGateway::prepare(&backend.config("names", "backend.internal")).await;
    let (code, told) = gateway.fails_to_start();
    assert_eq!(code, 3);
    assert!(told.contains("no PEM certificate in the CA file"), "{told}");
}
