//! A client that tidies nothing up: bytes out, bytes in.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use rustix::net::{AddressFamily, SocketType};

/// Long enough for the slowest machine; a hang is a failure.
const PATIENCE: Duration = Duration::from_secs(20);

/// One answer.
#[derive(Debug, Clone)]
pub struct Answer {
    /// Status code.
    pub status: u16,
    /// Header lines, without the status line.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: String,
}

impl Answer {
    /// The values of a header field.
    pub fn header(&self, name: &str) -> Vec<&str> {
        self.headers
            .iter()
            .filter(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
            .collect()
    }

    /// The body as JSON.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("no JSON: {self:?}"))
    }
}

/// A socket on which nothing takes longer than it may.
pub fn patient(stream: TcpStream) -> TcpStream {
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

/// What bytes go over.
pub trait Wire: Read + Write + Send {
    /// What is below it.
    fn socket(&self) -> &TcpStream;
}

impl Wire for TcpStream {
    fn socket(&self) -> &TcpStream {
        self
    }
}

/// An open connection.
pub struct Connection {
    stream: Box<dyn Wire>,
    /// Bytes read beyond the last answer.
    ahead: Vec<u8>,
}

impl Connection {
    /// Opens one.
    pub fn open(address: SocketAddr) -> Self {
        Self::over(patient(TcpStream::connect(address).unwrap()))
    }

    /// Opens one from this local address, so that it counts as another client's.
    pub fn from(local: [u8; 4], address: SocketAddr) -> Self {
        let socket = rustix::net::socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
        rustix::net::bind(&socket, &SocketAddr::from((local, 0))).unwrap();
        rustix::net::connect(&socket, &address).unwrap();
        Self::over(patient(socket.into()))
    }

    /// One over something else than TCP alone.
    pub fn over(stream: impl Wire + 'static) -> Self {
        Self {
            stream: Box::new(stream),
            ahead: Vec::new(),
        }
    }

    /// The same connection, to write to from another thread.
    pub fn sender(&self) -> TcpStream {
        self.stream.socket().try_clone().unwrap()
    }

    /// Sends bytes as they are. The other side may have closed: then the answer tells.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) {
        let _ = self.stream.write_all(bytes.as_ref());
    }

    /// Reads one answer; `None` if the connection closed instead.
    pub fn answer(&mut self) -> Option<Answer> {
        self.answer_to("GET")
    }

    /// Reads one answer to this method: HEAD has no body.
    pub fn answer_to(&mut self, method: &str) -> Option<Answer> {
        let head = self.until(b"\r\n\r\n")?;
        let head = String::from_utf8(head).unwrap();
        let mut lines = head.trim_end().lines();
        let status = lines.next()?.split(' ').nth(1)?.parse().unwrap();
        let headers: Vec<_> = lines
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.to_owned(), value.trim().to_owned()))
            .collect();
        let mut answer = Answer {
            status,
            headers,
            body: String::new(),
        };
        if method != "HEAD" && !matches!(status, 100..=199 | 204 | 304) {
            answer.body = String::from_utf8_lossy(&self.body(&answer)).into_owned();
        }
        Some(answer)
    }

    /// Reads bytes as they come; empty when the connection closed.
    pub fn some_bytes(&mut self) -> Vec<u8> {
        if self.ahead.is_empty() {
            self.fill();
        }
        std::mem::take(&mut self.ahead)
    }

    /// Whether the other side has closed, with nothing more to read.
    pub fn is_closed(&mut self) -> bool {
        self.ahead.is_empty() && !self.fill()
    }

    fn body(&mut self, answer: &Answer) -> Vec<u8> {
        if let Some(length) = answer.header("content-length").first() {
            return self.exactly(length.parse().unwrap());
        }
        if answer.header("transfer-encoding").is_empty() {
            while self.fill() {}
            return std::mem::take(&mut self.ahead);
        }
        let mut body = Vec::new();
        while let Some(size) = self.until(b"\r\n") {
            let size = String::from_utf8(size).unwrap();
            let size = usize::from_str_radix(size.trim(), 16).unwrap();
            body.extend(self.exactly(size));
            self.until(b"\r\n");
            if size == 0 {
                break;
            }
        }
        body
    }

    fn until(&mut self, end: &[u8]) -> Option<Vec<u8>> {
        loop {
            let found = self.ahead.windows(end.len()).position(|w| w == end);
            if let Some(at) = found {
                return Some(self.ahead.drain(..at + end.len()).collect());
            }
            if !self.fill() {
                return None;
            }
        }
    }

    fn exactly(&mut self, length: usize) -> Vec<u8> {
        while self.ahead.len() < length && self.fill() {}
        let length = length.min(self.ahead.len());
        self.ahead.drain(..length).collect()
    }

    /// Reads more; false at the end. A reset is an end.
    fn fill(&mut self) -> bool {
        let mut buffer = [0; 16 * 1024];
        match self.stream.read(&mut buffer) {
            Ok(0) => false,
            Ok(read) => {
                self.ahead.extend_from_slice(&buffer[..read]);
                true
            }
            Err(error) if error.kind() == ErrorKind::ConnectionReset => false,
            Err(error) => panic!("reading from the gateway: {error}"),
        }
    }
}
