//! TLS to the backend, with a CA of choice.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use crate::support::gateway::{TestGateway, until};

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

#[tokio::test(flavor = "multi_thread")]
async fn a_ca_file_without_a_certificate_is_no_start() {
    let backend = TlsBackend::start("backend.internal");
    let gateway = TestGateway::prepare(&backend.config("names", "backend.internal")).await;
    let (code, told) = gateway.fails_to_start();
    assert_eq!(code, 3);
    assert!(told.contains("no PEM certificate in the CA file"), "{told}");
}
