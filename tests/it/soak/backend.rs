//! A backend whose mood can be changed.

use std::io::{self, BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use rustix::net::sockopt::set_socket_linger;

/// What it does with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Mood {
    Well,
    Resets,
    Slow,
    Garbage,
    HalfBody,
    HangsUp,
}

const MOODS: [Mood; 6] = [
    Mood::Well,
    Mood::Resets,
    Mood::Slow,
    Mood::Garbage,
    Mood::HalfBody,
    Mood::HangsUp,
];

pub struct Backend {
    address: SocketAddr,
    mood: Arc<AtomicU8>,
}

impl Backend {
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let mood = Arc::new(AtomicU8::new(Mood::Well as u8));
        let state = Arc::clone(&mood);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let mood = Arc::clone(&state);
                // An error is a connection that ended.
                std::thread::spawn(move || serve(stream, &mood).ok());
            }
        });
        Self { address, mood }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn feel(&self, mood: Mood) {
        self.mood.store(mood as u8, Ordering::Relaxed);
    }
}

fn serve(mut stream: TcpStream, mood: &AtomicU8) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut line = String::new();
    loop {
        line.clear();
        match reader.read_line(&mut line)? {
            0 => return Ok(()),
            2 => answer(
                &mut stream,
                MOODS[usize::from(mood.load(Ordering::Relaxed))],
            )?,
            _ => {}
        }
    }
}

fn answer(stream: &mut TcpStream, mood: Mood) -> io::Result<()> {
    let whole = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    match mood {
        Mood::Well => return stream.write_all(whole),
        Mood::Slow => {
            std::thread::sleep(Duration::from_millis(50));
            return stream.write_all(whole);
        }
        Mood::Resets => set_socket_linger(&*stream, Some(Duration::ZERO))?,
        Mood::Garbage => stream.write_all(b"SSH-2.0-OpenSSH_9.2p1\r\n\r\n")?,
        Mood::HalfBody => stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf")?,
        Mood::HangsUp => {}
    }
    Err(io::ErrorKind::ConnectionAborted.into())
}
