//! `OpenID` providers: a real one, and one that lies.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use super::from_environment;
use super::raw::{Answer, Connection};

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/e2e/oidc_provider.mjs");

/// A certified provider, as long as this lives.
pub struct OidcProvider {
    child: Child,
    pub address: SocketAddr,
    _dir: TempDir,
}

impl OidcProvider {
    /// One that sends people back to `callback`.
    pub fn start(callback: &str) -> Self {
        // Node looks for modules beside a script only.
        let dir = TempDir::new().unwrap();
        let script = dir.path().join("oidc_provider.mjs");
        std::fs::copy(SCRIPT, &script).unwrap();
        let modules = from_environment("PORTCULLIS_TEST_NODE_MODULES");
        std::os::unix::fs::symlink(modules, dir.path().join("node_modules")).unwrap();
        let mut child = Command::new("node")
            // Node.js 18 has it, and hides it.
            .arg("--experimental-global-webcrypto")
            .arg(script)
            .arg(callback)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut told = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        // It has something to say about itself first.
        while line.trim().parse::<u16>().is_err() {
            line.clear();
            assert_ne!(told.read_line(&mut line).unwrap(), 0, "it did not start");
        }
        let port = line.trim().parse().unwrap();
        Self {
            child,
            address: ([127, 0, 0, 1], port).into(),
            _dir: dir,
        }
    }

    /// As it names itself.
    pub fn issuer(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Who is signed in there from now on.
    pub fn be(&self, somebody: &Value) {
        let body = somebody.to_string();
        let mut connection = Connection::open(self.address);
        connection.send(format!(
            "POST /be HTTP/1.1\r\nHost: {}\r\nContent-Length: {}\r\n\r\n{body}",
            self.address,
            body.len()
        ));
        assert_eq!(connection.answer().unwrap().status, 200);
    }

    /// Goes where a browser is sent, up to where it is sent back: that path and query.
    pub fn visit(&self, url: &str) -> String {
        let mut path = self.path_of(url).to_owned();
        let mut cookies = BTreeMap::new();
        for _ in 0..8 {
            let answer = self.get(&path, &cookies);
            for set in answer.header("set-cookie") {
                let (name, value) = set.split(';').next().unwrap().split_once('=').unwrap();
                cookies.insert(name.to_owned(), value.to_owned());
            }
            let to = *answer.header("location").first().unwrap_or_else(|| {
                panic!("it stays at {path}: {answer:?}");
            });
            if let Some((_, back)) = to.split_once("/.portcullis/callback/") {
                return format!("/.portcullis/callback/{back}");
            }
            path = self.path_of(to).to_owned();
        }
        panic!("it goes in circles at {path}")
    }

    fn path_of<'u>(&self, url: &'u str) -> &'u str {
        url.strip_prefix(&self.issuer()).unwrap_or(url)
    }

    fn get(&self, path: &str, cookies: &BTreeMap<String, String>) -> Answer {
        let cookies: Vec<_> = cookies
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let mut connection = Connection::open(self.address);
        connection.send(format!(
            "GET {path} HTTP/1.1\r\nHost: {}\r\nCookie: {}\r\nConnection: close\r\n\r\n",
            self.address,
            cookies.join("; ")
        ));
        connection.answer().unwrap()
    }
}

impl Drop for OidcProvider {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}
