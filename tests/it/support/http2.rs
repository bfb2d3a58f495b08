//! HTTP/2 by hand: any frame, in any order.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(20);
/// `SETTINGS_HEADER_TABLE_SIZE` of nothing: answers refer to none before them (RFC 7541 §4.2).
const NO_TABLE: [u8; 6] = [0, 1, 0, 0, 0, 0];
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

pub const DATA: u8 = 0;
pub const HEADERS: u8 = 1;
pub const PRIORITY: u8 = 2;
pub const RST_STREAM: u8 = 3;
pub const SETTINGS: u8 = 4;
pub const PING: u8 = 6;
pub const GOAWAY: u8 = 7;
pub const WINDOW_UPDATE: u8 = 8;
pub const CONTINUATION: u8 = 9;
pub const END_STREAM: u8 = 1;
pub const ACK: u8 = 1;
pub const END_HEADERS: u8 = 4;
pub const PADDED: u8 = 8;

/// A frame.
#[derive(Clone, Debug)]
pub struct Frame {
    pub kind: u8,
    pub flags: u8,
    pub stream: u32,
    pub payload: Vec<u8>,
}

/// What became of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// An answer with this status.
    Answered(u16),
    /// Reset with this code.
    Reset(u32),
    /// The connection ended instead.
    Closed,
}

/// A connection.
pub struct Http2 {
    stream: TcpStream,
    statuses: BTreeMap<u32, u16>,
    ended: BTreeSet<u32>,
    /// What the last answer's streams carried.
    pub bodies: BTreeMap<u32, Vec<u8>>,
}

impl Http2 {
    /// Opens one and says hello.
    pub fn open(address: SocketAddr) -> Self {
        Self::open_behind(address, b"")
    }

    /// The same behind other bytes, such as a PROXY header.
    pub fn open_behind(address: SocketAddr, header: &[u8]) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        let mut connection = Self {
            stream,
            statuses: BTreeMap::new(),
            ended: BTreeSet::new(),
            bodies: BTreeMap::new(),
        };
        connection.raw(header);
        connection.raw(PREFACE);
        connection.frame(SETTINGS, 0, 0, &NO_TABLE);
        connection
    }

    /// The same connection, to write to from another thread.
    pub fn sender(&self) -> TcpStream {
        self.stream.try_clone().unwrap()
    }

    /// Sends bytes; false when the other side has closed.
    pub fn raw(&mut self, bytes: &[u8]) -> bool {
        self.stream.write_all(bytes).is_ok()
    }

    /// Sends a frame; false when the other side has closed.
    pub fn frame(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) -> bool {
        let bytes = frame(kind, flags, stream, payload);
        self.raw(&bytes)
    }

    /// Sends a request's header.
    pub fn headers(&mut self, stream: u32, fields: &[(&str, &str)], end: bool) -> bool {
        let flags = END_HEADERS | if end { END_STREAM } else { 0 };
        self.frame(HEADERS, flags, stream, &block(fields))
    }

    /// The next frame; `None` when the connection ended.
    pub fn next(&mut self) -> Option<Frame> {
        let mut header = [0; 9];
        self.fill(&mut header)?;
        let (length, rest) = header.split_at(3);
        let (kind_flags, stream) = rest.split_at(2);
        let number = |bytes: &[u8]| {
            bytes
                .iter()
                .fold(0, |sum, byte| sum << 8 | u32::from(*byte))
        };
        let mut payload = vec![0; number(length) as usize];
        self.fill(&mut payload)?;
        let (kind, flags, stream) = (kind_flags[0], kind_flags[1], number(stream));
        Some(Frame {
            kind,
            flags,
            stream,
            payload,
        })
    }

    /// Reads until this stream has ended.
    pub fn fate(&mut self, stream: u32) -> Fate {
        while let Some(frame) = self.next() {
            self.note(&frame);
            if frame.kind == RST_STREAM && frame.stream == stream {
                let code = frame.payload.try_into().map(u32::from_be_bytes);
                return Fate::Reset(code.unwrap());
            }
            if ends_a_stream(&frame) && frame.stream == stream {
                return Fate::Answered(self.statuses[&stream]);
            }
        }
        Fate::Closed
    }

    /// Remembers what a frame says of its stream, and answers what wants an answer.
    fn note(&mut self, frame: &Frame) {
        match frame.kind {
            SETTINGS if frame.flags & ACK == 0 => {
                self.frame(SETTINGS, ACK, 0, b"");
            }
            HEADERS if !self.statuses.contains_key(&frame.stream) => {
                self.statuses.insert(frame.stream, status(&frame.payload));
            }
            DATA => self
                .bodies
                .entry(frame.stream)
                .or_default()
                .extend(&frame.payload),
            _ => {}
        }
        if ends_a_stream(frame) {
            self.ended.insert(frame.stream);
        }
    }

    /// What became of a stream that ended while another was waited for.
    pub fn seen_to_the_end(&self, stream: u32) -> Option<Fate> {
        let status = self.statuses.get(&stream)?;
        let ended = self.ended.contains(&stream);
        ended.then_some(Fate::Answered(*status))
    }

    /// The status of a stream that was seen while another was waited for.
    pub fn seen(&self, stream: u32) -> Option<u16> {
        self.statuses.get(&stream).copied()
    }

    /// Reads until a frame of this kind comes; `None` if the connection ends before.
    pub fn next_of(&mut self, kind: u8) -> Option<Frame> {
        loop {
            let frame = self.next()?;
            self.note(&frame);
            if frame.kind == kind {
                return Some(frame);
            }
        }
    }

    /// Reads whatever comes until the connection ends.
    pub fn until_closed(&mut self) -> Vec<Frame> {
        std::iter::from_fn(|| self.next()).collect()
    }

    fn fill(&mut self, buffer: &mut [u8]) -> Option<()> {
        match self.stream.read_exact(buffer) {
            Ok(()) => Some(()),
            Err(error) if error.kind() == ErrorKind::WouldBlock => panic!("the gateway hangs"),
            Err(_) => None,
        }
    }
}

const fn ends_a_stream(frame: &Frame) -> bool {
    matches!(frame.kind, HEADERS | DATA) && frame.flags & END_STREAM != 0
}

/// A frame's bytes.
pub fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut bytes = vec![length[1], length[2], length[3], kind, flags];
    bytes.extend(stream.to_be_bytes());
    bytes.extend(payload);
    bytes
}

/// The pseudo fields of a request.
pub const fn request<'a>(method: &'a str, path: &'a str) -> [(&'a str, &'a str); 4] {
    [
        (":method", method),
        (":scheme", "http"),
        (":authority", "gw"),
        (":path", path),
    ]
}

/// A header block of literals that are not indexed (RFC 7541 §6.2.2), so that any bytes
/// can be sent.
pub fn block(fields: &[(&str, &str)]) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in fields {
        block.push(0);
        for text in [name, value] {
            length(&mut block, text.len());
            block.extend(text.as_bytes());
        }
    }
    block
}

/// An integer with a prefix of seven bits (RFC 7541 §5.1).
fn length(block: &mut Vec<u8>, length: usize) {
    if length < 127 {
        block.push(u8::try_from(length).unwrap());
        return;
    }
    block.push(127);
    let mut rest = length - 127;
    while rest >= 128 {
        block.push(u8::try_from(rest % 128).unwrap() | 128);
        rest /= 128;
    }
    block.push(u8::try_from(rest).unwrap());
}

/// The status at the begin of an answer's header block: indexed (RFC 7541 appendix A), or
/// a literal of three digits in Huffman code (appendix B).
fn status(block: &[u8]) -> u16 {
    const INDEXED: [u16; 7] = [200, 204, 206, 304, 400, 404, 500];
    match *block {
        // The table becomes smaller (RFC 7541 §6.3).
        [0x20..=0x3e, ref rest @ ..] => status(rest),
        [index @ 0x88..=0x8e, ..] => INDEXED[usize::from(index - 0x88)],
        [0x08 | 0x48, marked, ref value @ ..] => {
            let value = &value[..usize::from(marked & 0x7f)];
            if marked & 0x80 == 0 {
                return std::str::from_utf8(value).unwrap().parse().unwrap();
            }
            let bits: Vec<u8> = value
                .iter()
                .flat_map(|byte| (0..8).rev().map(move |bit| byte >> bit & 1))
                .collect();
            let mut bits = &bits[..];
            (0..3).fold(0, |number, _| number * 10 + digit(&mut bits))
        }
        _ => panic!("no status: {block:?}"),
    }
}

fn digit(bits: &mut &[u8]) -> u16 {
    let mut take = |count| {
        let (taken, rest) = bits.split_at(count);
        *bits = rest;
        taken
            .iter()
            .fold(0_u16, |value, bit| value << 1 | u16::from(*bit))
    };
    match take(5) {
        short @ 0..=2 => short,
        long => (long << 1 | take(1)) - 0b1_1001 + 3,
    }
}
