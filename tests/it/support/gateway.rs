//! The real binary in front of a backend, with a real Postgres behind.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use portcullis::clock::Clock;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

use super::postgres::TestPostgres;
use super::raw::{Answer, Connection};

/// How long anything may take before it counts as hung.
const PATIENCE: Duration = Duration::from_mins(1);

/// A gateway, and all that it needs.
pub struct TestGateway {
    /// Its database.
    pub postgres: TestPostgres,
    dir: TempDir,
    /// Whether it brings its own Postgres.
    embedded: bool,
    /// Variables of its environment.
    pub environment: Vec<(&'static str, PathBuf)>,
    /// What starts it, if not it itself: a program and its arguments.
    starter: Vec<String>,
    /// Environment of the serving process alone.
    serve_environment: Vec<(String, String)>,
    child: Option<Child>,
    addresses: Option<Addresses>,
    log: Arc<Mutex<Vec<String>>>,
}

#[derive(Clone, Copy)]
struct Addresses {
    public: SocketAddr,
    private: SocketAddr,
}

/// The keys of [`TestGateway::seed`].
pub struct Keys {
    /// Superadmin, unlimited.
    pub admin: String,
    /// Owner of acme/fraud, limited to it.
    pub owner: String,
    /// Editor of acme/fraud, limited to it.
    pub editor: String,
    /// Viewer of acme/fraud, limited to it.
    pub viewer: String,
    /// Editor of globex/churn, limited to it.
    pub stranger: String,
}

impl TestGateway {
    /// Starts one with this configuration, to which listeners (unless it has `listen:`),
    /// `data_dir` and `database` are added.
    pub async fn start(yaml: &str) -> Self {
        let mut gateway = Self::prepare(yaml).await;
        gateway.launch();
        gateway
    }

    /// Everything but the start.
    pub async fn prepare(yaml: &str) -> Self {
        let gateway = Self::on(TestPostgres::start().await, scratch());
        gateway.configure(yaml);
        let owner = gateway.postgres.owner_url();
        gateway.cli(&["migrate", "--url", &owner]);
        gateway
    }

    /// One without `database:`, not started yet.
    pub fn embedded(yaml: &str) -> Self {
        let dir = scratch();
        let mut gateway = Self::on(TestPostgres::of(&dir.path().join("data")), dir);
        gateway.embedded = true;
        gateway.configure(yaml);
        gateway
    }

    /// A second one on the same database, not started yet. The first must outlive it.
    pub fn replica(&self, yaml: &str) -> Self {
        let gateway = Self::on(TestPostgres::of(self.postgres.data_dir()), scratch());
        gateway.configure(yaml);
        gateway
    }

    fn on(postgres: TestPostgres, dir: TempDir) -> Self {
        Self {
            postgres,
            dir,
            embedded: false,
            starter: Vec::new(),
            serve_environment: Vec::new(),
            environment: Vec::new(),
            child: None,
            addresses: None,
            log: Arc::default(),
        }
    }

    /// Writes the configuration, in place.
    pub fn configure(&self, yaml: &str) {
        std::fs::write(self.config(), self.full(yaml)).unwrap();
    }

    /// A whole configuration: listeners, `data_dir` and `database` are added.
    pub fn full(&self, yaml: &str) -> String {
        let database = if self.embedded {
            String::new()
        } else {
            format!("database: {{ url: \"{}\" }}\n", self.postgres.gateway_url())
        };
        let listen = if yaml.contains("listen:") {
            ""
        } else {
            "listen: 127.0.0.1:0\n"
        };
        format!(
            "version: 1\nlog: {{ format: json, level: info }}\n{listen}\
             private_listen: 127.0.0.1:0\ndata_dir: {}\n{database}{yaml}",
            self.data_dir().display(),
        )
    }

    /// How many reloads ended in `success` or `failed`.
    pub fn reloads(&self, result: &str) -> u64 {
        let name = format!("portcullis_config_reloads_total{{result=\"{result}\"}}");
        self.metric(&name)
    }

    /// Asks for a reload and waits until it has ended in this.
    pub fn reload(&self, result: &str) {
        let before = self.reloads(result);
        self.signal(Signal::HUP);
        until("the reload", || self.reloads(result) > before);
    }

    /// Writes the configuration and has it loaded, which must succeed.
    pub fn reconfigure(&self, yaml: &str) {
        self.configure(yaml);
        self.reload("success");
    }

    /// The configuration file.
    pub fn config(&self) -> PathBuf {
        self.dir.path().join("portcullis.yaml")
    }

    /// How many processes have a part of the spool, or left one.
    pub fn generations(&self) -> usize {
        let spool = std::fs::read_dir(self.data_dir().join("spool")).unwrap();
        spool
            .filter(|it| it.as_ref().unwrap().path().is_dir())
            .count()
    }

    /// Where its state is.
    pub fn data_dir(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    /// Where the spool is.
    pub fn spool_dir(&self) -> PathBuf {
        self.data_dir().join("spool")
    }

    /// Starts the gateway and waits until it takes requests.
    pub fn launch(&mut self) {
        self.launch_with(&["serve"]);
    }

    /// As [`Self::launch`], with these arguments.
    pub fn launch_with(&mut self, args: &[&str]) {
        let lines = self.spawn_with(args);
        let private = listening(&lines, "private");
        let public = listening(&lines, "public");
        self.addresses = Some(Addresses { public, private });
    }

    /// Has another process take over; returns the former one, which ends by itself.
    pub fn upgrade(&mut self) -> Former {
        let former = self.child.take().unwrap();
        let lines = self.spawn_with(&["serve", "--upgrade"]);
        let private = listening(&lines, "private");
        let public = listening(&lines, "public");
        self.addresses = Some(Addresses { public, private });
        told(&lines, "took over");
        Former::new(former)
    }

    /// Has two processes take over at the same time; returns those that end by themselves.
    pub fn upgrade_by_two(&mut self) -> [Former; 2] {
        let former = Former::new(self.child.take().unwrap());
        let mut contenders = [(); 2].map(|()| {
            let lines = self.spawn_with(&["serve", "--upgrade"]);
            (Former::new(self.child.take().unwrap()), lines)
        });
        for (_, lines) in &contenders {
            told(lines, "took over");
        }
        let mut ended = None;
        until("one of them to be relieved", || {
            ended = contenders.iter_mut().position(|(it, _)| it.has_ended());
            ended.is_some()
        });
        let [(first, _), (second, _)] = contenders;
        let (relieved, mut last) = match ended {
            Some(0) => (first, second),
            _ => (second, first),
        };
        self.child = last.0.take();
        [former, relieved]
    }

    /// Starts a process that would take over, and waits until it has said this.
    pub fn begin_upgrade(&mut self, what: &str) -> Former {
        let running = self.child.take();
        let lines = self.spawn_with(&["serve", "--upgrade"]);
        told(&lines, what);
        Former(std::mem::replace(&mut self.child, running))
    }

    /// Starts the gateway and waits for its private listener only.
    pub fn launch_without_database(&mut self) {
        let private = listening(&self.spawn(), "private");
        let public = private;
        self.addresses = Some(Addresses { public, private });
    }

    /// Waits until the gateway of [`Self::launch_without_database`] takes requests.
    pub fn wait_until_open(&mut self) {
        let log = Arc::clone(&self.log);
        let opened = || {
            log.lock()
                .unwrap()
                .iter()
                .find_map(|line| address(line, "public"))
        };
        until("the public listener", || opened().is_some());
        let private = self.private();
        self.addresses = opened().map(|public| Addresses { public, private });
    }

    /// Gives the next start an environment variable that commands do not have.
    pub fn serve_with(&mut self, name: &str, value: &str) {
        let variable = (name.to_owned(), value.to_owned());
        self.serve_environment.push(variable);
    }

    /// Gives the next start a file system of this size for its state, seen by nobody else;
    /// it ends with the process.
    pub fn on_a_disk_of(&mut self, size: &str) {
        std::fs::create_dir_all(self.data_dir()).unwrap();
        let script = format!("mount -t tmpfs -o size={size} tmpfs \"$0\" && exec \"$@\"");
        let root = rustix::process::getuid().is_root();
        let own = if root {
            &[][..]
        } else {
            &["--user", "--map-root-user"]
        };
        let data_dir = self.data_dir().to_str().unwrap().to_owned();
        let starter = ["unshare", "--mount"].iter().chain(own).copied();
        self.starter = starter.map(str::to_owned).collect();
        self.starter
            .extend(["sh", "-c", &script, &data_dir].map(str::to_owned));
    }

    fn serve(&self) -> Command {
        let plain = self.command();
        let Some((program, arguments)) = self.starter.split_first() else {
            return plain;
        };
        let mut command = Command::new(program);
        command
            .args(arguments)
            .arg(plain.get_program())
            .envs(self.environment.iter().cloned())
            .env_remove("DATABASE_URL")
            .env("PORTCULLIS_CONFIG", self.config())
            .current_dir(self.dir.path());
        command
    }

    fn spawn(&mut self) -> Receiver<String> {
        self.spawn_with(&["serve"])
    }

    fn spawn_with(&mut self, args: &[&str]) -> Receiver<String> {
        let mut child = self
            .serve()
            .envs(self.serve_environment.clone())
            .args(args)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let (tell, lines) = channel();
        let log = Arc::clone(&self.log);
        std::thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                log.lock().unwrap().push(line.clone());
                // Nobody listens after the start.
                let _ = tell.send(line);
            }
        });
        self.child = Some(child);
        lines
    }

    fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_portcullis"));
        command
            .env_remove("DATABASE_URL")
            .env("PORTCULLIS_CONFIG", self.config())
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .current_dir(self.dir.path());
        command
    }

    /// Where clients connect.
    pub fn public(&self) -> SocketAddr {
        self.addresses.unwrap().public
    }

    /// Where clients connect, if there are so many addresses, in the order of the
    /// configuration.
    pub fn publics<const N: usize>(&self) -> [SocketAddr; N] {
        let opened = || -> Vec<SocketAddr> {
            let log = self.log.lock().unwrap();
            log.iter()
                .filter_map(|line| address(line, "public"))
                .collect()
        };
        until("all public listeners", || opened().len() >= N);
        opened().try_into().expect("so many public listeners")
    }

    /// Where health and metrics are.
    pub fn private(&self) -> SocketAddr {
        self.addresses.unwrap().private
    }

    /// Process id.
    pub fn pid(&self) -> Pid {
        Pid::from_child(self.child.as_ref().unwrap())
    }

    /// Everything logged so far.
    pub fn log(&self) -> String {
        self.log.lock().unwrap().join("\n")
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).unwrap();
    }

    /// Waits for its end and tells whether it was a success.
    pub fn wait(&mut self) -> bool {
        let child = self.child.take();
        child.unwrap().wait().unwrap().success()
    }

    /// Stops it as an operator would.
    pub fn stop(&mut self) -> bool {
        self.signal(Signal::TERM);
        self.wait()
    }

    /// Kills it.
    pub fn kill(&mut self) {
        self.signal(Signal::KILL);
        self.wait();
    }

    /// Runs a subcommand that must succeed; returns its standard output.
    pub fn cli(&self, args: &[&str]) -> String {
        let output = self.command().args(args).output().unwrap();
        assert!(
            output.status.success(),
            "portcullis {args:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// Runs a subcommand that reads this, and must succeed.
    pub fn cli_told(&self, args: &[&str], input: &str) -> String {
        use std::io::Write as _;
        let mut command = self.command();
        command.args(args).stdin(Stdio::piped());
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(input.as_bytes()).unwrap();
        drop(stdin);
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "portcullis {args:?}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// Runs a subcommand and returns its exit code and standard output.
    pub fn cli_code(&self, args: &[&str]) -> (i32, String) {
        let output = self.command().args(args).output().unwrap();
        let stdout = String::from_utf8(output.stdout).unwrap();
        (output.status.code().unwrap(), stdout)
    }

    /// Starts a gateway that must fail; returns its exit code and what it said.
    pub fn fails_to_start(&self) -> (i32, String) {
        self.fails(&["serve"])
    }

    /// As [`Self::fails_to_start`], of one that would take over.
    pub fn fails_to_upgrade(&self) -> (i32, String) {
        self.fails(&["serve", "--upgrade"])
    }

    fn fails(&self, args: &[&str]) -> (i32, String) {
        let output = self.command().args(args).output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        (output.status.code().unwrap(), stderr)
    }

    /// A new key.
    pub fn key(&self, principal: &str, project: Option<&str>) -> String {
        let mut args = vec!["keys", "create", "--principal", principal];
        if let Some(project) = project {
            args.extend(["--project", project]);
        }
        self.cli(&args)
    }

    /// A new key, if the database can be asked.
    pub fn key_or_none(&self, principal: &str) -> Option<String> {
        let args = ["keys", "create", "--principal", principal];
        let (code, key) = self.cli_code(&args);
        (code == 0).then_some(key)
    }

    /// Two tenants, their projects, their owners, and a key for each kind of caller.
    pub fn seed(&self) -> Keys {
        let add = |scope: &str, who: &str, role: &str| {
            self.cli(&[
                "members",
                "add",
                "--scope",
                scope,
                "--principal",
                who,
                "--role",
                role,
            ]);
        };
        for user in ["admin", "owner", "editor", "viewer", "stranger", "churner"] {
            self.cli(&["users", "create", &format!("{user}@example.com")]);
        }
        for (tenant, project, owner) in [("acme", "fraud", "owner"), ("globex", "churn", "churner")]
        {
            let (path, owner) = (
                format!("{tenant}/{project}"),
                format!("{owner}@example.com"),
            );
            self.cli(&["tenants", "create", tenant]);
            self.cli(&["projects", "create", &path, "--owner", &owner]);
        }
        add("platform", "admin@example.com", "superadmin");
        add("acme/fraud", "editor@example.com", "editor");
        add("acme/fraud", "viewer@example.com", "viewer");
        add("globex/churn", "stranger@example.com", "editor");
        Keys {
            admin: self.key("admin@example.com", None),
            owner: self.key("owner@example.com", Some("acme/fraud")),
            editor: self.key("editor@example.com", Some("acme/fraud")),
            viewer: self.key("viewer@example.com", Some("acme/fraud")),
            stranger: self.key("stranger@example.com", Some("globex/churn")),
        }
    }

    /// Opens a connection.
    pub fn connect(&self) -> Connection {
        Connection::open(self.public())
    }

    /// Sends raw bytes on a connection of their own and reads the first answer.
    pub fn raw(&self, bytes: impl AsRef<[u8]>) -> Option<Answer> {
        let mut connection = self.connect();
        connection.send(bytes);
        connection.answer()
    }

    /// A plain request with a bearer key.
    pub fn get(&self, target: &str, key: &str) -> Answer {
        self.request("GET", target, key, "")
    }

    /// A request with a bearer key and a JSON body, if there is one.
    pub fn request(&self, method: &str, target: &str, key: &str, body: &str) -> Answer {
        let mut connection = self.connect();
        let length = match body.len() {
            0 => String::new(),
            length => format!("Content-Type: application/json\r\nContent-Length: {length}\r\n"),
        };
        connection.send(format!(
            "{method} {target} HTTP/1.1\r\nHost: gw\r\nAuthorization: Bearer {key}\r\n{length}\r\n{body}"
        ));
        connection.answer_to(method).expect("an answer")
    }

    /// A request to the private listener.
    pub fn private_get(&self, path: &str) -> Answer {
        let mut connection = Connection::open(self.private());
        connection.send(format!("GET {path} HTTP/1.1\r\nHost: private\r\n\r\n"));
        connection.answer().expect("an answer")
    }

    /// The value of a metric, by its name and labels.
    pub fn metric(&self, name: &str) -> u64 {
        let text = self.private_get("/metrics").body;
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("no {name} in {text}"))
            .parse()
            .unwrap()
    }

    /// Sends requests until the gateway knows this key by heart. (News of other keys may
    /// keep it from remembering at first.) Tells how many it took.
    pub fn make_known(&self, key: &str) -> usize {
        let hits =
            || self.metric("portcullis_cache_lookups_total{cache=\"api_keys\",result=\"hit\"}");
        let mut sent = 0;
        until("the key to be remembered", || {
            let before = hits();
            self.get("/", key);
            sent += 1;
            hits() > before
        });
        sent
    }

    /// Waits until every committed event is in the database.
    pub fn wait_for_audit(&self) {
        until("the spool to drain", || {
            self.metric("portcullis_audit_spool_events") == 0
        });
    }

    /// The audit events of requests, oldest first, as JSON objects.
    pub async fn events(&self) -> Vec<Value> {
        self.events_where("request_id IS NOT NULL").await
    }

    /// As [`Self::ended`], when there are so many of them: a connection leaves its event when
    /// all that was on it has ended.
    pub async fn ended_at_last(&self, count: usize) -> Vec<Value> {
        let since = Clock::system().instant();
        loop {
            let events = self.ended().await;
            if events.len() >= count {
                return events;
            }
            let took = Clock::system().instant() - since;
            assert!(took < PATIENCE, "{} of {count} in {took:?}", events.len());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// The audit events of connections that were ended, oldest first.
    pub async fn ended(&self) -> Vec<Value> {
        self.events_where("event = 'connection.ended'").await
    }

    async fn events_where(&self, which: &str) -> Vec<Value> {
        let mut connection = self.postgres.owner().await;
        let sql = format!(
            "SELECT to_jsonb(e) FROM audit_events e WHERE {which} ORDER BY occurred_at, id"
        );
        sqlx::query_scalar(sqlx::AssertSqlSafe(sql))
            .fetch_all(&mut connection)
            .await
            .unwrap()
    }
}

/// A process beside the one that serves.
pub struct Former(Option<Child>);

impl Former {
    const fn new(child: Child) -> Self {
        Self(Some(child))
    }

    /// Waits for its end and tells whether it was a success.
    pub fn wait(mut self) -> bool {
        self.0.take().unwrap().wait().unwrap().success()
    }

    /// Kills it.
    pub fn kill(self) {
        drop(self);
    }

    fn has_ended(&mut self) -> bool {
        let child = self.0.as_mut();
        child.unwrap().try_wait().unwrap().is_some()
    }
}

impl Drop for Former {
    fn drop(&mut self) {
        if let Some(mut child) = self.0.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

impl Drop for TestGateway {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
        if std::thread::panicking() {
            eprintln!("--- log of the gateway ---\n{}", self.log());
        }
    }
}

/// Waits for a condition that another process brings about.
///
/// # Panics
///
/// If it does not come true in a minute.
pub fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let clock = Clock::system();
    let start: Instant = clock.instant();
    while !condition() {
        assert!(
            clock.instant() - start < PATIENCE,
            "waited in vain for {what}"
        );
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn listening(lines: &Receiver<String>, name: &str) -> SocketAddr {
    loop {
        let line = lines.recv_timeout(PATIENCE).expect("the gateway to start");
        if let Some(address) = address(&line, name) {
            return address;
        }
    }
}

fn told(lines: &Receiver<String>, what: &str) {
    while !lines.recv_timeout(PATIENCE).expect(what).contains(what) {}
}

fn address(line: &str, listener: &str) -> Option<SocketAddr> {
    let line: Value = serde_json::from_str(line).ok()?;
    let told = line["message"] == "listening" && line["listener"] == listener;
    told.then(|| line["address"].as_str().unwrap().parse().unwrap())
}

/// Open to the user that an embedded Postgres runs as.
fn scratch() -> TempDir {
    let open = std::fs::Permissions::from_mode(0o711);
    tempfile::Builder::new()
        .permissions(open)
        .tempdir()
        .unwrap()
}

/// A configuration with one upstream and these routes.
pub fn yaml(upstream: SocketAddr, routes: &str) -> String {
    format!("upstreams:\n  app: {{ url: \"http://{upstream}\" }}\nroutes:\n{routes}")
}

/// Reads a file of the process's status, such as resident memory, in KiB.
pub fn resident_kib(pid: Pid) -> u64 {
    let path = format!("/proc/{}/status", pid.as_raw_nonzero());
    let status = std::fs::read_to_string(Path::new(&path)).unwrap();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmRSS:"))
        .unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}
