//! The real binary on the large database.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Child, ChildStderr, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

use crate::Result;
use crate::client::Client;
use crate::timing::now;

const READY_POLL: Duration = Duration::from_millis(5);
const QUIET_POLL: Duration = Duration::from_millis(500);

pub struct Gateway {
    child: Child,
    pub public: SocketAddr,
    /// From exec to the first 200 of `/readyz`.
    pub ready_after: Duration,
    /// Its state.
    _dir: TempDir,
}

/// What the kernel says of a process, in KiB.
#[derive(Clone, Copy)]
pub struct Memory {
    pub resident: f64,
    pub peak: f64,
}

impl Gateway {
    /// Starts one and waits until it is ready. Without a URL it has a private Postgres.
    pub fn start(url: Option<&str>, backend: SocketAddr) -> Result<Self> {
        let dir = open_to_postgres()?;
        let config = dir.path().join("portcullis.yaml");
        std::fs::write(&config, yaml(&dir, url, backend))?;
        let mut command = Command::new(env!("CARGO_BIN_EXE_portcullis"));
        command.arg("serve").env("PORTCULLIS_CONFIG", &config);
        command.env_remove("DATABASE_URL");
        command.stdout(Stdio::null()).stderr(Stdio::piped());
        let begin = now();
        let mut child = command.spawn()?;
        let log = child.stderr.take().ok_or("no log")?;
        let [private, public] = addresses(log)?;
        while Client::connect(private)?.get("/readyz", "none")? != 200 {
            std::thread::sleep(READY_POLL);
        }
        Ok(Self {
            child,
            public,
            ready_after: now() - begin,
            _dir: dir,
        })
    }

    pub fn client(&self) -> Result<Client> {
        Client::connect(self.public)
    }

    pub fn memory(&self) -> Result<Memory> {
        let path = format!("/proc/{}/status", self.child.id());
        let status = std::fs::read_to_string(path)?;
        let kib = |name: &str| -> Result<f64> {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            let number = line.and_then(|line| line.split_whitespace().next());
            Ok(number.ok_or("no such line")?.parse()?)
        };
        Ok(Memory {
            resident: kib("VmRSS:")?,
            peak: kib("VmHWM:")?,
        })
    }

    /// Processor time so far, of all threads that still run.
    pub fn busy(&self) -> Result<Duration> {
        let mut busy = Duration::ZERO;
        for task in std::fs::read_dir(format!("/proc/{}/task", self.child.id()))? {
            // It may have ended meanwhile.
            let told = std::fs::read_to_string(task?.path().join("schedstat"));
            let told = told.unwrap_or_default();
            let nanos = told.split(' ').next().and_then(|nanos| nanos.parse().ok());
            busy += Duration::from_nanos(nanos.unwrap_or_default());
        }
        Ok(busy)
    }

    /// Waits until it has nothing to do but to look now and then.
    pub fn settle(&self) -> Result<()> {
        loop {
            let before = self.busy()?;
            std::thread::sleep(QUIET_POLL);
            if self.busy()?.saturating_sub(before) <= QUIET_POLL / 10 {
                return Ok(());
            }
        }
    }

    /// Stops it as an operator would.
    pub fn stop(mut self) -> Result<()> {
        kill_process(Pid::from_child(&self.child), Signal::TERM)?;
        self.child.wait()?;
        Ok(())
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        // Both fail only if it has ended.
        let _ = kill_process(Pid::from_child(&self.child), Signal::TERM);
        let _ = self.child.wait();
    }
}

fn open_to_postgres() -> Result<TempDir> {
    let open = std::fs::Permissions::from_mode(0o711);
    Ok(tempfile::Builder::new().permissions(open).tempdir()?)
}

fn yaml(dir: &TempDir, url: Option<&str>, backend: SocketAddr) -> String {
    let database = url.map_or_else(String::new, |url| {
        format!("database: {{ url: \"{url}\" }}\n")
    });
    format!(
        "version: 1
log: {{ format: json, level: info }}
listen: 127.0.0.1:0
private_listen: 127.0.0.1:0
data_dir: {}
{database}upstreams:
  app: {{ url: \"http://{backend}\" }}
routes:
  - route: GET /datasets/{{id}}
    upstream: app
    permission: datasets:read
    resource: {{ type: dataset, id: path.id }}
",
        dir.path().join("data").display()
    )
}

/// Where it listens, privately and publicly. What it logs afterwards is read and dropped.
fn addresses(log: ChildStderr) -> Result<[SocketAddr; 2]> {
    let mut lines = BufReader::new(log).lines();
    let mut told = String::new();
    let mut listening = |listener: &str| -> Result<SocketAddr> {
        for line in lines.by_ref() {
            let line = line?;
            let fields: Value = serde_json::from_str(&line).unwrap_or_default();
            if fields["message"] == "listening" && fields["listener"] == listener {
                return Ok(fields["address"].as_str().unwrap_or_default().parse()?);
            }
            told.push_str(&line);
        }
        Err(format!("the gateway does not start: {told}").into())
    };
    let found = [listening("private")?, listening("public")?];
    std::thread::spawn(move || lines.for_each(drop));
    Ok(found)
}
