//! A real Redis for each test that wants one.

use std::io::{BufRead, BufReader, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

/// What must never be told.
pub const PASSWORD: &str = "s3cret-of-redis";

/// A server on a port of its own, with a password and without a disk.
pub struct TestRedis {
    dir: TempDir,
    address: SocketAddr,
    child: Option<Child>,
}

impl TestRedis {
    /// A fresh server, ready for connections.
    pub fn start() -> Self {
        let dir = TempDir::new().unwrap();
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let mut redis = Self {
            dir,
            address,
            child: None,
        };
        // Redis takes no port that is free by itself. Somebody may take the one that was
        // free a moment ago: then another.
        while redis.child.is_none() {
            let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
            redis.address = free.local_addr().unwrap();
            drop(free);
            redis.launch();
        }
        redis
    }

    /// With the password.
    pub fn url(&self) -> String {
        format!("redis://:{PASSWORD}@{}/0", self.address)
    }

    /// Ends the server as a crash would. All it knew is gone.
    pub fn kill(&mut self) {
        let mut child = self.child.take().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// Starts the killed server again, on the same port.
    pub fn restart(&mut self) {
        assert!(self.child.is_none(), "the server still runs");
        self.launch();
        assert!(self.child.is_some(), "the port was taken meanwhile");
    }

    /// Makes it hang, as a machine does that swaps: connections stay open.
    pub fn hang(&self) {
        self.signal(Signal::STOP);
    }

    /// Ends the hanging.
    pub fn go_on(&self) {
        self.signal(Signal::CONT);
    }

    /// Runs a command without arguments that need quoting; the first line of the answer.
    pub fn command(&self, command: &str) -> String {
        self.ask(command).unwrap()
    }

    fn signal(&self, signal: Signal) {
        let pid = Pid::from_child(self.child.as_ref().unwrap());
        kill_process(pid, signal).unwrap();
    }

    fn launch(&mut self) {
        let mut child = Command::new("redis-server")
            .args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no"])
            .args(["--port", &self.address.port().to_string()])
            .args(["--requirepass", PASSWORD])
            .arg("--dir")
            .arg(self.dir.path())
            .stdout(Stdio::null())
            .spawn()
            .expect("redis-server; `scripts/setup redis` installs it");
        loop {
            if self.ask("PING").as_deref() == Some("+PONG") {
                self.child = Some(child);
                return;
            }
            if child.try_wait().unwrap().is_some() {
                return;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn ask(&self, command: &str) -> Option<String> {
        let mut stream = TcpStream::connect(self.address).ok()?;
        write!(stream, "AUTH {PASSWORD}\r\n{command}\r\n").ok()?;
        let mut lines = BufReader::new(stream).lines();
        let authenticated = lines.next()?.ok()?;
        assert_eq!(authenticated, "+OK", "another server on this port");
        lines.next()?.ok()
    }
}

impl Drop for TestRedis {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
