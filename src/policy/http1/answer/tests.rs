use super::*;

/// The same whether it comes in one piece or byte by byte.
fn read(bytes: &[u8], to_head: bool) -> Result<Option<AnswerHead>, MalformedAnswer> {
    let whole = AnswerReader::default().read(bytes, to_head);
    let mut reader = AnswerReader::default();
    let dripped = (0..=bytes.len())
        .map(|end| reader.read(&bytes[..end], to_head))
        .find(|read| !matches!(read, Ok(None)))
        .unwrap_or(Ok(None));
    assert_eq!(whole, dripped, "{}", bytes.escape_ascii());
    whole
}

fn body(head: &str, to_head: bool) -> Result<AnswerBody, MalformedAnswer> {
    let head = format!("{head}\r\n\r\n");
    let read = read(head.as_bytes(), to_head)?.expect("a whole head");
    assert_eq!(read.end, head.len());
    Ok(read.body)
}

#[test]
fn a_head_ends_with_an_empty_line() {
    let head = read(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", false).unwrap();
    let body = AnswerBody::Framed(Framing::Length(2));
    assert_eq!(head, Some(AnswerHead { end: 38, body }));
    assert_eq!(read(b"HTTP/1.1 200 OK\r\nA: b\r\n", false), Ok(None));
    assert_eq!(read(b"", false), Ok(None));
}

#[test]
fn a_status_line_has_one_reading() {
    for line in [
        "HTTP/1.1 200 OK",
        "HTTP/1.0 599 ",
        "HTTP/1.1 404",
        "HTTP/1.1 200 \u{e9}\t!",
    ] {
        assert_eq!(body(line, false), Ok(AnswerBody::ToTheEnd), "{line}");
    }
    for line in [
        "HTTP/1.1 2000",
        "HTTP/1.1 20",
        "HTTP/1.1 ",
        "HTTP/1.1",
        "HTTP/1.1 099 Low",
        "HTTP/1.1 600 High",
        "HTTP/1.1 2x0 OK",
        "HTTP/1.1 +20 OK",
        "HTTP/1.1  200 OK",
        " HTTP/1.1 200 OK",
        "HTTP/1.1\t200 OK",
        "HTTP/1.1 200\tOK",
        "HTTP/1.1 200OK",
        "HTTP/1.2 200 OK",
        "HTTP/1.10 200 OK",
        "HTTP/2.0 200 OK",
        "HTTP/9.9 200 OK",
        "http/1.1 200 OK",
        "ICY 200 OK",
        "HTTP/1.1 200 O\0K",
        "HTTP/1.1 200 O\rK",
        "\r\nHTTP/1.1 200 OK",
    ] {
        assert_eq!(
            body(line, false),
            Err(MalformedAnswer::StatusLine),
            "{line:?}"
        );
    }
    for begin in ["\x16\x03\x01", "220 ready", "HTTP/2", "\r", "\n"] {
        let read = read(begin.as_bytes(), false);
        assert_eq!(read, Err(MalformedAnswer::StatusLine), "{begin:?}");
    }
}

#[test]
fn fields_are_a_token_a_colon_and_visible_text() {
    for line in [
        " folded",
        "\tfolded",
        "Name : a",
        "Na me: a",
        ": a",
        "Name",
        "N\u{e9}: a",
        "A: b\rc",
        "A: b\0c",
        "A: \x1b[2J",
        "A: \x7f",
    ] {
        let head = format!("HTTP/1.1 200 OK\r\nB: c\r\n{line}");
        assert_eq!(body(&head, false), Err(MalformedAnswer::Field), "{line:?}");
    }
    let obs_text = "HTTP/1.1 200 OK\r\nA: \u{e9}\tb \r\nB:";
    assert_eq!(body(obs_text, false), Ok(AnswerBody::ToTheEnd));
    for head in [
        &b"HTTP/1.1 200 OK\nA: b\n\n"[..],
        b"HTTP/1.1 200 OK\r\nA: b\n\r\n",
        b"HTTP/1.1 200 OK\r\nA: b\r\n\n",
    ] {
        assert_eq!(read(head, false), Err(MalformedAnswer::LineEnd));
    }
}

#[test]
fn a_body_has_one_length() {
    for fields in [
        "Content-Length: 5, 5",
        "Content-Length: 5\r\nContent-Length: 5",
        "Content-Length: 5\r\ncontent-length: 6",
        "Content-Length: +5",
        "Content-Length: -1",
        "Content-Length: 0x5",
        "Content-Length: 5 5",
        "Content-Length:",
        "Content-Length: 99999999999999999999",
        "Content-Length: 5\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nContent-Length: 0",
        "Transfer-Encoding: gzip",
        "Transfer-Encoding: gzip, chunked",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: identity",
        "Transfer-Encoding: xchunked",
    ] {
        for status in ["200 OK", "304 Not Modified", "204 No Content"] {
            for to_head in [false, true] {
                let head = format!("HTTP/1.1 {status}\r\n{fields}");
                assert_eq!(
                    body(&head, to_head),
                    Err(MalformedAnswer::Framing),
                    "{head}"
                );
            }
        }
    }
    let old = "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked";
    assert_eq!(body(old, false), Err(MalformedAnswer::Framing));
}

#[test]
fn the_status_says_whether_there_is_a_body() {
    const EMPTY: AnswerBody = AnswerBody::Framed(Framing::Empty);
    let of = |status: &str, fields: &str, to_head| {
        body(&format!("HTTP/1.1 {status} X\r\n{fields}A: b"), to_head)
    };
    let (length, none) = ("Content-Length: 5\r\n", "Content-Length: 0\r\n");
    let chunked = "Transfer-Encoding: chunked\r\n";
    for status in ["100", "103", "199", "101", "204"] {
        assert_eq!(of(status, length, false), Err(MalformedAnswer::Framing));
        assert_eq!(of(status, chunked, false), Err(MalformedAnswer::Framing));
    }
    for fields in ["", none] {
        assert_eq!(of("100", fields, false), Ok(AnswerBody::Interim));
        assert_eq!(of("101", fields, false), Ok(AnswerBody::ToTheEnd));
        assert_eq!(of("204", fields, false), Ok(EMPTY));
    }
    for fields in ["", none, length, chunked] {
        assert_eq!(of("304", fields, false), Ok(EMPTY));
        assert_eq!(of("200", fields, true), Ok(EMPTY));
    }
    assert_eq!(of("200", none, false), Ok(EMPTY));
    let chunks = AnswerBody::Framed(Framing::Chunked);
    assert_eq!(of("500", chunked, false), Ok(chunks));
    assert_eq!(of("100", "", true), Ok(AnswerBody::Interim));
}

#[test]
fn size_is_bounded_before_the_end_is_seen() {
    let many = |fields| format!("HTTP/1.1 200 OK\r\n{}\r\n", "A: b\r\n".repeat(fields));
    let most = AnswerReader::default().read(many(MAX_FIELDS).as_bytes(), false);
    assert!(most.unwrap().is_some());
    let more = AnswerReader::default().read(many(MAX_FIELDS + 1).as_bytes(), false);
    assert_eq!(more, Err(MalformedAnswer::HeadSize));
    let long = format!("HTTP/1.1 200 OK\r\nA: {}", "b".repeat(MAX_BYTES));
    let long = AnswerReader::default().read(long.as_bytes(), false);
    assert_eq!(long, Err(MalformedAnswer::HeadSize));
}
