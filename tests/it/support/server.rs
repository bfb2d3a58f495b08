//! Real backends, each in a process group of its own.

use std::fs::{self, File};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process_group};
use serde_json::json;
use tempfile::TempDir;

use super::from_environment;
use super::gateway::until;
use super::raw::{Answer, Connection};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/e2e");

/// A server that runs.
pub struct Server {
    dir: TempDir,
    address: SocketAddr,
    grpc: SocketAddr,
    child: Child,
    /// What ends it and all that it started.
    end: Signal,
}

impl Server {
    /// MLServer with the model `echo`, which gives back what it gets.
    pub fn mlserver() -> Self {
        let model = json!({ "name": "echo", "implementation": "mlserver_echo.Echo" });
        Self::mlserver_of(&[("mlserver_echo.py", model)])
    }

    /// MLServer with a model `echo` of words, at once or one by one.
    pub fn mlserver_words() -> Self {
        let model = json!({ "name": "echo", "implementation": "mlserver_words.Echo" });
        Self::mlserver_of(&[("mlserver_words.py", model)])
    }

    /// MLServer with models that tell their name and version.
    pub fn mlserver_named(models: &[(&str, &str)]) -> Self {
        let settings = models.iter().map(|(name, version)| {
            let settings = json!({
                "name": name,
                "implementation": "mlserver_named.Named",
                "parameters": { "version": version },
            });
            ("presets/mlserver_named.py", settings)
        });
        Self::mlserver_of(&settings.collect::<Vec<_>>())
    }

    /// MLServer with these models: a script and settings each.
    fn mlserver_of(models: &[(&str, serde_json::Value)]) -> Self {
        let dir = TempDir::new().unwrap();
        let [address, grpc] = free_addresses();
        let settings = json!({
            "host": "127.0.0.1",
            "http_port": address.port(),
            "grpc_port": grpc.port(),
            "metrics_endpoint": null,
            "parallel_workers": 0,
            // Compression holds back the parts of a stream.
            "gzip_enabled": false,
        });
        fs::write(dir.path().join("settings.json"), settings.to_string()).unwrap();
        for (number, (script, settings)) in models.iter().enumerate() {
            let folder = dir.path().join(number.to_string());
            fs::create_dir(&folder).unwrap();
            let script = Path::new(FOLDER).join(script);
            fs::copy(&script, folder.join(script.file_name().unwrap())).unwrap();
            fs::write(folder.join("model-settings.json"), settings.to_string()).unwrap();
        }
        let mut command = Command::new(python().with_file_name("mlserver"));
        command.args(["start", "."]);
        Self::start(dir, [address, grpc], command, "/v2/health/ready")
    }

    /// LitServe with OpenAI's chat, which answers what it heard.
    pub fn litserve() -> Self {
        Self::script("litserve_chat.py")
    }

    /// LitServe with OpenAI's chat, and a stand-in for the rest of the API.
    pub fn openai() -> Self {
        Self::script("presets/openai_server.py")
    }

    /// nanoidp, with Ann, who is of `STAFF`, and the client `ml`.
    pub fn nanoidp() -> Self {
        let dir = TempDir::new().unwrap();
        let addresses = free_addresses();
        let url = format!("http://{}", addresses[0]);
        let settings = json!({
            "config_version": 1,
            "server": { "host": "127.0.0.1", "port": addresses[0].port() },
            "oauth": { "issuer": url, "audience": "ml", "clients": [{
                "client_id": "ml", "client_secret": "hush",
                "redirect_uris": ["http://localhost:1/.portcullis/callback/corp"] }] },
        });
        let users = json!({ "config_version": 1, "users": { "ann": { "password": "pass word",
            "email": "ann@acme.example", "groups": ["STAFF"], "roles": ["USER"] } } });
        let config = dir.path().join("config");
        fs::create_dir(&config).unwrap();
        // YAML has all of JSON.
        fs::write(config.join("settings.yaml"), settings.to_string()).unwrap();
        fs::write(config.join("users.yaml"), users.to_string()).unwrap();
        let mut command = Command::new(providers_python().with_file_name("nanoidp"));
        command.args(["--config", "config", "--port"]);
        command.arg(addresses[0].port().to_string());
        Self::start(dir, addresses, command, "/.well-known/openid-configuration")
    }

    /// The emulators of GitHub and, at the second address, of Google.
    pub fn oauth_mocks() -> Self {
        let dir = TempDir::new().unwrap();
        let addresses = free_addresses();
        let mut command = Command::new(providers_python());
        command
            .arg(Path::new(FOLDER).join("oauth_mocks_server.py"))
            .args(addresses.map(|address| address.port().to_string()));
        let server = Self::start(dir, addresses, command, "/api");
        until("the second one to answer", || {
            TcpStream::connect(server.grpc).is_ok()
        });
        server
    }

    /// A backend that verifies assertions with `PyJWT`.
    pub fn asserted_to() -> Self {
        Self::script_of(&providers_python(), "assertion_backend.py")
    }

    fn script(name: &str) -> Self {
        Self::script_of(&python(), name)
    }

    fn script_of(python: &Path, name: &str) -> Self {
        let dir = TempDir::new().unwrap();
        let addresses = free_addresses();
        let mut command = Command::new(python);
        command
            .arg(Path::new(FOLDER).join(name))
            .arg(addresses[0].port().to_string());
        Self::start(dir, addresses, command, "/health")
    }

    /// Jupyter Server over these directories, without its own sign-in.
    pub fn jupyter(directories: &[&str]) -> Self {
        let dir = TempDir::new().unwrap();
        let addresses = free_addresses();
        let root = dir.path().join("root");
        for name in directories {
            fs::create_dir_all(root.join(name)).unwrap();
        }
        let mut command = Command::new(jupyter_python().with_file_name("jupyter-server"));
        command
            .env("HOME", dir.path())
            .args(["--no-browser", "--allow-root", "--ServerApp.ip=127.0.0.1"])
            .arg(format!("--ServerApp.port={}", addresses[0].port()))
            .arg(format!("--ServerApp.root_dir={}", root.display()))
            .args(["--ServerApp.port_retries=0", "--IdentityProvider.token="])
            .arg("--ServerApp.disable_check_xsrf=True");
        let mut server = Self::start(dir, addresses, command, "/api");
        // Its kernels are in sessions of their own: it is to end them itself.
        server.end = Signal::TERM;
        server
    }

    /// nginx, as the example in `config` has it, in front of a backend and beside a gateway.
    pub fn nginx(backend: SocketAddr, gateway: SocketAddr) -> Self {
        let dir = TempDir::new().unwrap();
        let addresses = free_addresses();
        let example = example("nginx-auth-request.conf", addresses[0], backend, gateway);
        fs::write(dir.path().join("example.conf"), example).unwrap();
        let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
        let temporary = temporary.map(|kind| format!("{kind}_temp_path {kind};"));
        let user = if rustix::process::geteuid().is_root() {
            "user root;"
        } else {
            ""
        };
        let frame = format!(
            "daemon off; {user} pid pid; error_log stderr warn; events {{}}\nhttp {{ access_log off; {} include \
             example.conf; }}\n",
            temporary.concat()
        );
        fs::write(dir.path().join("nginx.conf"), frame).unwrap();
        let mut command = Command::new("/usr/sbin/nginx");
        command.arg("-p").arg(dir.path()).args(["-c", "nginx.conf"]);
        command.args(["-e", "stderr"]);
        Self::proxy(dir, addresses, command)
    }

    /// As [`Self::nginx`], Caddy.
    pub fn caddy(backend: SocketAddr, gateway: SocketAddr) -> Self {
        let dir = TempDir::new().unwrap();
        let addresses = free_addresses();
        let example = example("Caddyfile", addresses[0], backend, gateway);
        let global = "{\n\tadmin off\n\tauto_https off\n\tpersist_config off\n}\n";
        fs::write(dir.path().join("Caddyfile"), format!("{global}{example}")).unwrap();
        let mut command = Command::new(proxies_envoy().with_file_name("caddy"));
        command.env("HOME", dir.path());
        command.args(["run", "--config", "Caddyfile", "--adapter", "caddyfile"]);
        Self::proxy(dir, addresses, command)
    }

    /// As [`Self::nginx`], Envoy.
    pub fn envoy(backend: SocketAddr, gateway: SocketAddr) -> Self {
        let dir = TempDir::new().unwrap();
        let addresses = free_addresses();
        let example = example("envoy-ext-authz.yaml", addresses[0], backend, gateway);
        fs::write(dir.path().join("envoy.yaml"), example).unwrap();
        let mut command = Command::new(proxies_envoy());
        command.args(["-c", "envoy.yaml", "--concurrency", "1"]);
        command.args(["--disable-hot-restart", "--log-level", "warning"]);
        Self::proxy(dir, addresses, command)
    }

    /// It answers as soon as it listens: whatever it says to a stranger.
    fn proxy(dir: TempDir, addresses: [SocketAddr; 2], command: Command) -> Self {
        Self::start_until(dir, addresses, command, |server| {
            let mut connection = Connection::open(server.address);
            connection.send("GET /ready HTTP/1.1\r\nHost: gw\r\n\r\n");
            connection.answer().is_some()
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    fn start(dir: TempDir, addresses: [SocketAddr; 2], command: Command, ready: &str) -> Self {
        Self::start_until(dir, addresses, command, |server| {
            server.get(ready).status == 200
        })
    }

    fn start_until(
        dir: TempDir,
        [address, grpc]: [SocketAddr; 2],
        mut command: Command,
        is_ready: impl Fn(&Self) -> bool,
    ) -> Self {
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
            grpc,
            child,
            end: Signal::KILL,
        };
        until("the backend to answer", || {
            if let Some(status) = server.child.try_wait().unwrap() {
                panic!("the backend ended with {status}");
            }
            TcpStream::connect(address).is_ok() && is_ready(&server)
        });
        server
    }

    /// `http://127.0.0.1:port`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Where MLServer speaks gRPC.
    pub fn grpc_url(&self) -> String {
        format!("http://{}", self.grpc)
    }

    /// As [`Self::url`], of its second address.
    pub fn second_url(&self) -> String {
        format!("http://{}", self.grpc)
    }

    /// Sends a form to a port of a server, as a browser does.
    pub fn form(port: u16, path: &str, form: &str) -> Answer {
        let mut connection = Connection::open(([127, 0, 0, 1], port).into());
        connection.send(format!(
            "POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: \
             application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{form}",
            form.len()
        ));
        connection.answer().expect("an answer")
    }

    /// The folder that it runs in.
    pub fn folder(&self) -> &Path {
        self.dir.path()
    }

    /// Asks it without the gateway.
    pub fn get(&self, path: &str) -> Answer {
        self.request("GET", path, "")
    }

    /// As [`Self::get`], with a JSON body.
    pub fn request(&self, method: &str, path: &str, body: &str) -> Answer {
        let mut connection = Connection::open(self.address);
        let (host, length) = (self.address, body.len());
        connection.send(format!(
            "{method} {path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n\
             Content-Length: {length}\r\n\r\n{body}"
        ));
        connection.answer_to(method).expect("an answer")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = kill_process_group(Pid::from_child(&self.child), self.end);
        let _ = self.child.wait();
        if std::thread::panicking() {
            let log = fs::read_to_string(self.dir.path().join("log")).unwrap_or_default();
            eprintln!("--- log of the backend ---\n{log}");
        }
    }
}

/// None of them can be told to choose a port itself: two that were free a moment ago.
fn free_addresses() -> [SocketAddr; 2] {
    let listeners = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    listeners.map(|listener| listener.local_addr().unwrap())
}

/// The Python of the venv that `make test` installs and names.
pub fn python() -> PathBuf {
    from_environment("PORTCULLIS_TEST_MODEL_SERVERS")
}

/// An example of `config`, at these addresses.
fn example(name: &str, own: SocketAddr, backend: SocketAddr, gateway: SocketAddr) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("config/proxies")
        .join(name);
    let mut text = fs::read_to_string(path).unwrap();
    for (written, meant) in [(8000, own), (5000, backend), (8080, gateway)] {
        for form in ["127.0.0.1:PORT", "http://:PORT", "port_value: PORT"] {
            let by = |port: u16| form.replace("PORT", &port.to_string());
            text = text.replace(&by(written), &by(meant.port()));
        }
    }
    text
}

fn proxies_envoy() -> PathBuf {
    from_environment("PORTCULLIS_TEST_PROXIES")
}

/// The Python of the venv with nanoidp and the emulators.
fn providers_python() -> PathBuf {
    from_environment("PORTCULLIS_TEST_PROVIDERS")
}

/// The Python of the venv with Jupyter Server.
pub fn jupyter_python() -> PathBuf {
    from_environment("PORTCULLIS_TEST_JUPYTER")
}
