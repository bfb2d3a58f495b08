//! As much of a browser as requests show: it keeps cookies and says where requests are from.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use super::raw::{Answer, Connection};

/// A browser with one tab.
pub struct Browser {
    address: SocketAddr,
    /// As it will be sent.
    pub cookie: Option<String>,
    /// Those beside that of the session, by name.
    pub others: BTreeMap<String, String>,
}

/// Where a request is from.
pub const OWN_PAGE: &str = "Sec-Fetch-Site: same-origin\r\n";
/// What a navigation says.
pub const NAVIGATION: &str = "Sec-Fetch-Mode: navigate\r\nAccept: text/html\r\n";
/// What it says of a page that fills its tab.
pub const DOCUMENT: &str =
    "Sec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: document\r\nAccept: text/html\r\n";

impl Browser {
    /// One that has never been here.
    pub fn new(address: SocketAddr) -> Self {
        Self {
            address,
            cookie: None,
            others: BTreeMap::new(),
        }
    }

    /// Sends a request with these fields besides its own, and keeps what cookie it is given.
    pub fn send(&mut self, line: &str, fields: &str, body: &str) -> Answer {
        let others = self
            .others
            .iter()
            .map(|(name, value)| format!("{name}={value}"));
        let cookies: Vec<_> = self.cookie.iter().cloned().chain(others).collect();
        let cookie = match &*cookies.join("; ") {
            "" => String::new(),
            all => format!("Cookie: {all}\r\n"),
        };
        let length = match body.len() {
            0 => String::new(),
            length => format!(
                "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {length}\r\n"
            ),
        };
        let mut connection = Connection::open(self.address);
        connection.send(format!(
            "{line} HTTP/1.1\r\nHost: gw\r\n{fields}{cookie}{length}\r\n{body}"
        ));
        let answer = connection.answer().expect("an answer");
        self.keep(&answer);
        answer
    }

    fn keep(&mut self, answer: &Answer) {
        for set in answer.header("set-cookie") {
            let pair = set.split(';').next().unwrap();
            let gone = set.contains("Max-Age=0");
            let (name, value) = pair.split_once('=').unwrap();
            if name.starts_with("portcullis-dev-") {
                self.others.remove(name);
                if !gone {
                    self.others.insert(name.to_owned(), value.to_owned());
                }
                continue;
            }
            self.cookie = if gone { None } else { Some(pair.to_owned()) };
        }
    }

    /// Goes to a page.
    pub fn go(&mut self, path: &str) -> Answer {
        self.send(&format!("GET {path}"), NAVIGATION, "")
    }

    /// Sends a form of a page of the site.
    pub fn submit(&mut self, path: &str, form: &str) -> Answer {
        let fields = format!("{NAVIGATION}{OWN_PAGE}");
        self.send(&format!("POST {path}"), &fields, form)
    }

    /// Fills in the sign-in form.
    pub fn sign_in(&mut self, email: &str, password: &str) -> Answer {
        let form = format!("email={email}&password={password}&return=%2Fthings");
        self.submit("/.portcullis/sign-in", &form)
    }
}

/// The token in the forms of a page.
pub fn token_of(page: &Answer) -> String {
    let (_, rest) = page
        .body
        .split_once("name=\"csrf_token\" value=\"")
        .unwrap();
    rest.split('"').next().unwrap().to_owned()
}
