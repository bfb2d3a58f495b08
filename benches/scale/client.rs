//! A client on one kept connection.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use crate::Result;

/// After this the gateway counts as hung.
const PATIENCE: Duration = Duration::from_secs(30);

pub struct Client {
    writer: TcpStream,
    reader: BufReader<TcpStream>,
}

pub struct Answer {
    pub status: u16,
    pub body: String,
}

impl Client {
    pub fn connect(address: SocketAddr) -> Result<Self> {
        let writer = TcpStream::connect(address)?;
        writer.set_nodelay(true)?;
        writer.set_read_timeout(Some(PATIENCE))?;
        let reader = BufReader::new(writer.try_clone()?);
        Ok(Self { writer, reader })
    }

    pub fn get(&mut self, target: &str, key: &str) -> Result<u16> {
        Ok(self.ask("GET", target, key, "")?.status)
    }

    pub fn ask(&mut self, method: &str, target: &str, key: &str, body: &str) -> Result<Answer> {
        let fields = match body.len() {
            0 => String::new(),
            length => format!("Content-Type: application/json\r\nContent-Length: {length}\r\n"),
        };
        let head = format!(
            "{method} {target} HTTP/1.1\r\nHost: gw\r\nAuthorization: Bearer {key}\r\n{fields}\r\n"
        );
        self.writer.write_all((head + body).as_bytes())?;
        self.answer()
    }

    fn answer(&mut self) -> Result<Answer> {
        let mut line = String::new();
        self.reader.read_line(&mut line)?;
        let status = line
            .split(' ')
            .nth(1)
            .ok_or("the connection was closed")?
            .parse()?;
        let mut length = 0;
        loop {
            line.clear();
            self.reader.read_line(&mut line)?;
            let Some((name, value)) = line.trim_end().split_once(':') else {
                break;
            };
            if name.eq_ignore_ascii_case("content-length") {
                length = value.trim().parse()?;
            }
        }
        let mut body = vec![0; length];
        self.reader.read_exact(&mut body)?;
        let body = String::from_utf8(body)?;
        Ok(Answer { status, body })
    }
}
