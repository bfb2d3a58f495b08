//! The PROXY protocol: a proxy of the transport layer tells who its client is.
//!
//! Version 1 is a line, version 2 is binary (`proxy-protocol.txt` of `HAProxy`). What is
//! read here never reaches beyond the header: the byte after it is the client's.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Both versions are longer.
const SHORTEST: usize = 12;
const SIGNATURE_1: &[u8] = b"PROXY ";
const SIGNATURE_2: &[u8; SHORTEST] = b"\r\n\r\n\0\r\nQUIT\n";
/// A line of version 1 with its end.
const MAX_LINE: usize = 107;
/// Signature, version and command, family, length.
const FIXED: usize = 16;
/// Of what follows them; addresses take 216 bytes at most, the rest is for extensions.
const MAX_VARIABLE: usize = 4096;
/// Source and destination, with ports.
const TCP4: usize = 12;
const TCP6: usize = 36;
const UNIX: usize = 216;

/// Whom a header tells of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Told {
    /// The proxy itself: a health check.
    Itself,
    /// A client at this address, canonical.
    Client(IpAddr),
    /// A client without an address that means anything here.
    Unknown,
}

/// How far a header is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// At least so many bytes more belong to it.
    More(usize),
    /// It ends with the last byte.
    Done(Told),
}

/// Why bytes are no header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum MalformedHeader {
    #[error("no PROXY header")]
    Signature,
    #[error("the PROXY header is too long")]
    Length,
    #[error("the line of the PROXY header is malformed")]
    Line,
    #[error("version or command of the PROXY header is unknown")]
    Command,
    #[error("the address family of the PROXY header is unknown, or no stream's")]
    Family,
    #[error("the addresses of the PROXY header are cut short")]
    Addresses,
}

/// Reads what has come of a header.
///
/// # Errors
///
/// [`MalformedHeader`]: nothing that follows can be trusted.
pub(super) fn read(bytes: &[u8]) -> Result<Progress, MalformedHeader> {
    let Some(start) = bytes.first_chunk::<SHORTEST>() else {
        return Ok(Progress::More(SHORTEST - bytes.len()));
    };
    if start == SIGNATURE_2 {
        version_2(bytes)
    } else if start.starts_with(SIGNATURE_1) {
        version_1(bytes)
    } else {
        Err(MalformedHeader::Signature)
    }
}

fn version_1(bytes: &[u8]) -> Result<Progress, MalformedHeader> {
    if let Some(line) = bytes.strip_suffix(b"\r\n") {
        return line_1(line).map(Progress::Done);
    }
    let left = if bytes.ends_with(b"\r") { 1 } else { 2 };
    if bytes.contains(&b'\n') {
        Err(MalformedHeader::Line)
    } else if bytes.len() + left > MAX_LINE {
        Err(MalformedHeader::Length)
    } else {
        Ok(Progress::More(left))
    }
}

/// `PROXY TCP4 192.0.2.1 192.0.2.2 56324 443`.
fn line_1(line: &[u8]) -> Result<Told, MalformedHeader> {
    let text = std::str::from_utf8(line).map_err(|_| MalformedHeader::Line)?;
    if text.contains(['\r', '\n']) {
        return Err(MalformedHeader::Line);
    }
    let mut words = text.split(' ').skip(1);
    let mut word = || words.next().ok_or(MalformedHeader::Line);
    let parse: fn(&str) -> Option<IpAddr> = match word()? {
        "TCP4" => |word| word.parse().ok().map(IpAddr::V4),
        "TCP6" => |word| word.parse().ok().map(IpAddr::V6),
        // Whatever follows is to be ignored.
        "UNKNOWN" => return Ok(Told::Unknown),
        _ => return Err(MalformedHeader::Line),
    };
    let source = parse(word()?).ok_or(MalformedHeader::Line)?;
    let destination = parse(word()?);
    let ports = [word()?, word()?].map(is_port);
    if destination.is_none() || ports != [true, true] || words.next().is_some() {
        return Err(MalformedHeader::Line);
    }
    Ok(Told::Client(source.to_canonical()))
}

fn is_port(word: &str) -> bool {
    let plain = word == "0" || word.starts_with(|first: char| matches!(first, '1'..='9'));
    plain && word.parse::<u16>().is_ok()
}

fn version_2(bytes: &[u8]) -> Result<Progress, MalformedHeader> {
    let Some((fixed, variable)) = bytes.split_first_chunk::<FIXED>() else {
        return Ok(Progress::More(FIXED - bytes.len()));
    };
    let [.., command, family, high, low] = *fixed;
    let length = usize::from(u16::from_be_bytes([high, low]));
    if length > MAX_VARIABLE {
        return Err(MalformedHeader::Length);
    }
    match length.checked_sub(variable.len()) {
        None => Err(MalformedHeader::Length),
        Some(0) => told_2(command, family, variable).map(Progress::Done),
        Some(left) => Ok(Progress::More(left)),
    }
}

fn told_2(command: u8, family: u8, variable: &[u8]) -> Result<Told, MalformedHeader> {
    match command {
        // Whatever is told of addresses is to be ignored.
        0x20 => return Ok(Told::Itself),
        0x21 => {}
        _ => return Err(MalformedHeader::Command),
    }
    // What follows the addresses are extensions.
    let needed = match family {
        0x00 => return Ok(Told::Unknown),
        0x11 => TCP4,
        0x21 => TCP6,
        0x31 => UNIX,
        _ => return Err(MalformedHeader::Family),
    };
    let addresses = variable.get(..needed).ok_or(MalformedHeader::Addresses)?;
    let v4 = addresses.first_chunk::<4>().copied().map(Ipv4Addr::from);
    let v6 = addresses.first_chunk::<16>().copied().map(Ipv6Addr::from);
    let source = match family {
        0x11 => v4.map(IpAddr::V4),
        0x21 => v6.map(IpAddr::V6),
        _ => None,
    };
    Ok(source.map_or(Told::Unknown, |source| Told::Client(source.to_canonical())))
}

#[cfg(test)]
mod tests;
