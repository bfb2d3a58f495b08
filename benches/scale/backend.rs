//! The smallest backend: 200 to everything.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};

use crate::Result;

const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nok";

/// It ends with the process.
pub struct Backend(SocketAddr);

impl Backend {
    pub fn start() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                // An error is a connection that ended.
                std::thread::spawn(move || serve(stream).ok());
            }
        });
        Ok(Self(address))
    }

    pub const fn address(&self) -> SocketAddr {
        self.0
    }
}

/// Requests without bodies.
fn serve(mut stream: TcpStream) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut line = String::new();
    while reader.read_line(&mut line)? > 0 {
        if line == "\r\n" {
            stream.write_all(ANSWER)?;
        }
        line.clear();
    }
    Ok(())
}
