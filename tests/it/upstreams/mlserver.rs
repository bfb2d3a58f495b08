//! A real gRPC backend, unmodified: MLServer's inference service, with a real client.

use std::fs::{self, File};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::from_environment;
use crate::support::gateway::{TestGateway, until};

/// MLServer with a model that echoes.
struct MlServer {
    dir: TempDir,
    grpc: SocketAddr,
    child: Child,
}

/// The Python of the venv.
fn python() -> PathBuf {
    from_environment("PORTCULLIS_TEST_MODEL_SERVERS")
}

/// MLServer cannot be told to choose ports itself: some that were free a moment ago.
fn free_ports() -> [u16; 3] {
    let free = [0; 3].map(|_| TcpListener::bind("127.0.0.1:0").unwrap());
    free.map(|free| free.local_addr().unwrap().port())
}

impl MlServer {
    fn start() -> Self {
        let dir = TempDir::new().unwrap();
        let [http, grpc, metrics] = free_ports();
        let write = |name: &str, text: Value| {
            fs::write(dir.path().join(name), text.to_string()).unwrap();
        };
        write(
            "settings.json",
            json!({
                "host": "127.0.0.1", "http_port": http, "grpc_port": grpc, "metrics_port": metrics,
                "parallel_workers": 0, "gzip_enabled": false,
            }),
        );
        write(
            "model-settings.json",
            json!({ "name": "echo", "implementation": "model.Echo" }),
        );
        let model = Path::new("tests/data/mlserver/model.py");
        fs::copy(model, dir.path().join("model.py")).unwrap();
        let log = File::create(dir.path().join("log")).unwrap();
        let child = Command::new(python().with_file_name("mlserver"))
            .args(["start", "."])
            .current_dir(dir.path())
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        let grpc = ([127, 0, 0, 1], grpc).into();
        until("MLServer", || TcpStream::connect(grpc).is_ok());
        let server = Self { dir, grpc, child };
        let log = || fs::read_to_string(server.dir.path().join("log")).unwrap();
        until("the model", || log().contains("Loaded model 'echo'"));
        server
    }
}

impl Drop for MlServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            let log = fs::read_to_string(self.dir.path().join("log")).unwrap_or_default();
            eprintln!("--- log of MLServer ---\n{log}");
        }
    }
}

fn config(server: &MlServer) -> String {
    format!(
        "upstreams:
  mlserver: {{ url: \"http://{}\", http2: true }}
routes:
  - {{ route: POST /inference.GRPCInferenceService/ServerLive, upstream: mlserver, permission: datasets:read }}
  - {{ route: POST /inference.GRPCInferenceService/(ModelInfer|ModelStreamInfer), upstream: mlserver, permission: datasets:create }}
",
        server.grpc
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn grpc_calls_pass_and_refusals_are_understood() {
    let server = MlServer::start();
    let gateway = TestGateway::start(&config(&server)).await;
    let keys = gateway.seed();
    let output = Command::new(python())
        .arg("tests/e2e/grpc_client.py")
        .arg(gateway.public().to_string())
        .args([&keys.editor, &keys.viewer])
        .output()
        .unwrap();
    let told = String::from_utf8(output.stdout).unwrap();
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}\n{complaint}");
    insta::assert_snapshot!(told.trim());
    gateway.wait_for_audit();
    let events = gateway.events().await;
    let told = events.iter().map(|event| {
        let word = |name: &str| event[name].to_string().replace('"', "");
        let told = ["status", "result", "reason"].map(word).join(" ");
        // At the deadline the client leaves and the backend gives up: either may be first.
        match told.as_str() {
            "null failed client_closed" | "200 failed upstream_grpc_4" => "the deadline".to_owned(),
            _ => told,
        }
    });
    let told: Vec<_> = told.collect();
    insta::assert_snapshot!(told.join("\n"));
}
