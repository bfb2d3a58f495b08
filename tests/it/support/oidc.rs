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
        Self::calling(callback, "public")
    }

    /// As [`Self::start`]; it calls people by names that are `public`, or `pairwise`: for one
    /// client only.
    pub fn calling(callback: &str, subjects: &str) -> Self {
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
            .arg(subjects)
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
        self.tell("/be", &somebody.to_string());
    }

    /// From now on it signs with a new key, of this kind.
    pub fn rotate(&self, kind: &str) {
        self.tell("/rotate", kind);
    }

    /// Where it tells of those who sign out there.
    pub fn relay_to(&self, url: &str) {
        self.tell("/relay-to", url);
    }

    fn tell(&self, path: &str, body: &str) {
        let mut connection = Connection::open(self.address);
        connection.send(format!(
            "POST {path} HTTP/1.1\r\nHost: {}\r\nContent-Length: {}\r\n\r\n{body}",
            self.address,
            body.len()
        ));
        assert_eq!(connection.answer().unwrap().status, 200);
    }

    /// Goes where a browser is sent, up to where it is sent back: that path and query.
    pub fn visit(&self, url: &str) -> String {
        self.visit_with(url, &mut BTreeMap::new())
    }

    /// As [`Self::visit`], with a browser that has these cookies.
    pub fn visit_with(&self, url: &str, cookies: &mut BTreeMap<String, String>) -> String {
        let mut path = self.path_of(url).to_owned();
        for _ in 0..8 {
            let answer = self.send(&format!("GET {path}"), "", cookies);
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

    /// Signs out there, as its page asks whether one wants to; where it leads back to.
    pub fn sign_out(&self, url: &str, cookies: &mut BTreeMap<String, String>) -> String {
        let page = self.send(&format!("GET {}", self.path_of(url)), "", cookies);
        assert_eq!(page.status, 200, "{page:?}");
        let (_, rest) = page.body.split_once("name=\"xsrf\" value=\"").unwrap();
        let xsrf = rest.split('"').next().unwrap();
        let form = format!("xsrf={xsrf}&logout=yes");
        let done = self.send("POST /session/end/confirm", &form, cookies);
        done.header("location")[0].to_owned()
    }

    fn path_of<'u>(&self, url: &'u str) -> &'u str {
        url.strip_prefix(&self.issuer()).unwrap_or(url)
    }

    fn send(&self, line: &str, body: &str, cookies: &mut BTreeMap<String, String>) -> Answer {
        let shown: Vec<_> = cookies
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let mut connection = Connection::open(self.address);
        connection.send(format!(
            "{line} HTTP/1.1\r\nHost: {}\r\nCookie: {}\r\nConnection: close\r\nContent-Type: \
             application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{body}",
            self.address,
            shown.join("; "),
            body.len()
        ));
        let answer = connection.answer().unwrap();
        for set in answer.header("set-cookie") {
            let (name, value) = set.split(';').next().unwrap().split_once('=').unwrap();
            cookies.insert(name.to_owned(), value.to_owned());
        }
        answer
    }
}

impl Drop for OidcProvider {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}
