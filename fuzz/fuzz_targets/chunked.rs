//! A chunked body: followed the same however it is cut in pieces, and it ends where another
//! parser says that it does.
#![no_main]

use libfuzzer_sys::fuzz_target;
use portcullis::policy::{Chunked, Malformed};

fuzz_target!(|data: &[u8]| {
    // The first byte says how the rest is cut.
    let Some((cut, data)) = data.split_first() else {
        return;
    };
    let whole = follow(data, data.len().max(1));
    assert_eq!(whole, follow(data, 1), "{}", data.escape_ascii());
    assert_eq!(whole, follow(data, usize::from(*cut).max(1)));
    if let Ok((taken, true)) = whole {
        assert_eq!(end(data), Some(taken), "{}", data.escape_ascii());
    }
});

/// How much is the body, and whether it has ended.
fn follow(data: &[u8], length: usize) -> Result<(usize, bool), Malformed> {
    let mut body = Chunked::default();
    let mut taken = 0;
    for piece in data.chunks(length) {
        taken += body.follow(piece)?;
    }
    Ok((taken, body.is_done()))
}

/// Where a body ends, by a parser of its own.
fn end(data: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        let httparse::Status::Complete((line, size)) =
            httparse::parse_chunk_size(&data[at..]).ok()?
        else {
            return None;
        };
        at += line;
        if size == 0 {
            break;
        }
        at += usize::try_from(size).ok()?;
        assert_eq!(data.get(at..at + 2), Some(&b"\r\n"[..]));
        at += 2;
    }
    loop {
        let line = data[at..].windows(2).position(|two| two == b"\r\n")?;
        at += line + 2;
        if line == 0 {
            return Some(at);
        }
    }
}
