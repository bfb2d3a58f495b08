//! A backend that shows what it was sent.

use std::io::{self, BufRead, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex};

/// One request, as it came over the wire.
#[derive(Clone, Debug, Default)]
pub struct Received {
    /// Request line and header fields, without the blank line.
    pub head: String,
    /// The body, unchunked.
    pub body: Vec<u8>,
}

/// What a backend does with a request. An error closes the connection.
pub type Handler = dyn Fn(&Received, &mut TcpStream) -> io::Result<()> + Send + Sync;

/// A real server on a port of its own; its threads end with the test's process.
pub struct Upstream {
    address: SocketAddr,
    received: Arc<Mutex<Vec<Received>>>,
    begun: Arc<AtomicUsize>,
    connections: Arc<AtomicUsize>,
}

impl Received {
    /// The request line.
    pub fn line(&self) -> &str {
        self.head.lines().next().unwrap_or_default()
    }

    /// The values of a header field, by its exact name in any case.
    pub fn header(&self, name: &str) -> Vec<&str> {
        self.head
            .lines()
            .skip(1)
            .filter_map(|line| line.split_once(':'))
            .filter(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.trim())
            .collect()
    }
}

impl Upstream {
    /// Answers 200 and `ok` to everything.
    pub fn ok() -> Self {
        Self::with(|_, stream| respond(stream, "200 OK", b"ok"))
    }

    /// Answers as `handler` does, on as many connections as come.
    pub fn with(
        handler: impl Fn(&Received, &mut TcpStream) -> io::Result<()> + Send + Sync + 'static,
    ) -> Self {
        Self::on(TcpListener::bind("127.0.0.1:0").unwrap(), handler)
    }

    /// Answers `done`, the second half of it when it is told to go on.
    pub fn held() -> (Self, Sender<()>) {
        let (go, wait) = channel();
        let wait = Mutex::new(wait);
        let answer = move |_: &Received, stream: &mut TcpStream| -> io::Result<()> {
            write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndo")?;
            wait.lock().unwrap().recv().map_err(io::Error::other)?;
            stream.write_all(b"ne")
        };
        (Self::with(answer), go)
    }

    /// As [`Self::with`], on a port that is known before.
    pub fn on(
        listener: TcpListener,
        handler: impl Fn(&Received, &mut TcpStream) -> io::Result<()> + Send + Sync + 'static,
    ) -> Self {
        let address = listener.local_addr().unwrap();
        let received = Arc::new(Mutex::new(Vec::new()));
        let begun = Arc::new(AtomicUsize::new(0));
        let (handler, log): (Arc<Handler>, _) = (Arc::new(handler), Arc::clone(&received));
        let heads = Arc::clone(&begun);
        let connections = Arc::new(AtomicUsize::new(0));
        let opened = Arc::clone(&connections);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                opened.fetch_add(1, Ordering::Relaxed);
                let (handler, log) = (Arc::clone(&handler), Arc::clone(&log));
                let heads = Arc::clone(&heads);
                // An error is a connection that ended: nothing to tell.
                std::thread::spawn(move || serve(stream, &*handler, &log, &heads).ok());
            }
        });
        Self {
            address,
            received,
            begun,
            connections,
        }
    }

    /// `127.0.0.1:port`.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// How many requests have begun, complete or not.
    pub fn begun(&self) -> usize {
        self.begun.load(Ordering::Relaxed)
    }

    /// How many connections were opened.
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }

    /// Everything received so far.
    pub fn received(&self) -> Vec<Received> {
        self.received.lock().unwrap().clone()
    }

    /// The only request received.
    pub fn only(&self) -> Received {
        let all = self.received();
        assert_eq!(all.len(), 1, "requests at the backend: {all:#?}");
        all.into_iter().next().unwrap()
    }
}

/// A complete answer with a length.
pub fn respond(stream: &mut TcpStream, status: &str, body: &[u8]) -> io::Result<()> {
    let length = body.len();
    write!(
        stream,
        "HTTP/1.1 {status}\r\nContent-Type: text/plain\r\nContent-Length: {length}\r\n\r\n"
    )?;
    stream.write_all(body)
}

fn serve(
    mut stream: TcpStream,
    handler: &Handler,
    log: &Mutex<Vec<Received>>,
    begun: &AtomicUsize,
) -> io::Result<()> {
    // Or an answer in two writes takes 40 ms: Nagle waits for a delayed ACK.
    stream.set_nodelay(true)?;
    let mut reader = BufReader::new(stream.try_clone()?);
    while let Some(request) = read(&mut reader, begun)? {
        log.lock().unwrap().push(request.clone());
        handler(&request, &mut stream)?;
    }
    Ok(())
}

fn read(reader: &mut impl BufRead, begun: &AtomicUsize) -> io::Result<Option<Received>> {
    let mut head = String::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Ok(None);
        }
        if line == "\r\n" {
            break;
        }
        head.push_str(&line);
    }
    begun.fetch_add(1, Ordering::Relaxed);
    let mut request = Received {
        head,
        body: Vec::new(),
    };
    let length = request.header("content-length").first().map(|n| n.parse());
    if let Some(Ok(length)) = length {
        request.body = vec![0; length];
        reader.read_exact(&mut request.body)?;
    } else if !request.header("transfer-encoding").is_empty() {
        request.body = read_chunks(reader)?;
    }
    Ok(Some(request))
}

fn read_chunks(reader: &mut impl BufRead) -> io::Result<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let mut size = String::new();
        reader.read_line(&mut size)?;
        let size = usize::from_str_radix(size.trim(), 16).map_err(io::Error::other)?;
        let start = body.len();
        body.resize(start + size, 0);
        reader.read_exact(&mut body[start..])?;
        reader.read_line(&mut String::new())?;
        if size == 0 {
            return Ok(body);
        }
    }
}
