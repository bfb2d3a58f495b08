//! Real MLServer and LitServe, each in a process group of its own.

use std::fs::File;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process_group};
use tempfile::TempDir;

use crate::support::gateway::until;
use crate::support::raw::{Answer, Connection};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/e2e");

/// A server that runs.
pub struct Server {
    dir: TempDir,
    address: SocketAddr,
    child: Child,
}

impl Server {
    /// MLServer with the model `echo`, which gives back what it gets.
    pub fn mlserver() -> Self {
        let dir = TempDir::new().unwrap();
        let [address, grpc] = free_addresses();
        let settings = serde_json::json!({
            "host": "127.0.0.1",
            "http_port": address.port(),
            "grpc_port": grpc.port(),
            "metrics_endpoint": null,
            "parallel_workers": 0,
        });
        let model = r#"{"name": "echo", "implementation": "mlserver_echo.Echo"}"#;
        std::fs::write(dir.path().join("settings.json"), settings.to_string()).unwrap();
        std::fs::write(dir.path().join("model-settings.json"), model).unwrap();
        let script = Path::new(FOLDER).join("mlserver_echo.py");
        std::fs::copy(script, dir.path().join("mlserver_echo.py")).unwrap();
        let mut command = Command::new(python().with_file_name("mlserver"));
        command.args(["start", "."]);
        Self::start(dir, address, command, "/v2/models/echo/ready")
    }

    /// LitServe with OpenAI's chat, which answers what it heard.
    pub fn litserve() -> Self {
        let dir = TempDir::new().unwrap();
        let [address, _] = free_addresses();
        let mut command = Command::new(python());
        command
            .arg(Path::new(FOLDER).join("litserve_chat.py"))
            .arg(address.port().to_string());
        Self::start(dir, address, command, "/health")
    }

    fn start(dir: TempDir, address: SocketAddr, mut command: Command, ready: &str) -> Self {
        let log = File::create(dir.path().join("log")).unwrap();
        // LitServe survives SIGTERM and starts processes of its own: the group is killed.
        command
            .process_group(0)
            .current_dir(dir.path())
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log);
        let child = command.spawn().unwrap();
        let mut server = Self {
            dir,
            address,
            child,
        };
        until("the model server to answer", || {
            if let Some(status) = server.child.try_wait().unwrap() {
                panic!("the model server ended with {status}");
            }
            TcpStream::connect(address).is_ok() && server.get(ready).status == 200
        });
        server
    }

    /// `http://127.0.0.1:port`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Asks it without the gateway.
    pub fn get(&self, path: &str) -> Answer {
        let mut connection = Connection::open(self.address);
        let host = self.address;
        connection.send(format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n"));
        connection.answer().expect("an answer")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = kill_process_group(Pid::from_child(&self.child), Signal::KILL);
        let _ = self.child.wait();
        if std::thread::panicking() {
            let log = std::fs::read_to_string(self.dir.path().join("log")).unwrap_or_default();
            eprintln!("--- log of the model server ---\n{log}");
        }
    }
}

/// Neither can be told to choose a port itself: two that were free a moment ago.
fn free_addresses() -> [SocketAddr; 2] {
    let listeners = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    listeners.map(|listener| listener.local_addr().unwrap())
}

/// The Python of the venv that `make test` installs and names.
fn python() -> PathBuf {
    crate::support::from_environment("PORTCULLIS_TEST_MODEL_SERVERS")
}
