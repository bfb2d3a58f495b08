//! Answers as a backend may send them, by name.

/// What follows a status line that is in order, and 502.
pub const NO_HEADS: &[(&str, &str)] = &[
    (
        "two-lengths",
        "Content-Length: 2\r\nContent-Length: 9\r\n\r\nok",
    ),
    (
        "equal-lengths",
        "Content-Length: 2\r\nContent-Length: 2\r\n\r\nok",
    ),
    ("list-of-lengths", "Content-Length: 2, 2\r\n\r\nok"),
    ("signed-length", "Content-Length: +2\r\n\r\nok"),
    ("hex-length", "Content-Length: 0x2\r\n\r\nok"),
    ("no-length", "Content-Length:\r\n\r\nok"),
    (
        "vast-length",
        "Content-Length: 99999999999999999999\r\n\r\nok",
    ),
    (
        "length-and-chunks",
        "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    ),
    (
        "chunks-and-length",
        "Transfer-Encoding: chunked\r\nContent-Length: 12\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    ),
    (
        "odd-coding",
        "Transfer-Encoding: gzip\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    ),
    (
        "two-codings",
        "Transfer-Encoding: gzip, chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    ),
    (
        "identity",
        "Transfer-Encoding: identity\r\nContent-Length: 2\r\n\r\nok",
    ),
    ("bare-line-feed", "X-A: b\nContent-Length: 2\r\n\r\nok"),
    ("bare-end", "Content-Length: 2\r\n\nok"),
    (
        "folded",
        "X-A: b\r\n Content-Length: 9\r\nContent-Length: 2\r\n\r\nok",
    ),
    ("blank-before-colon", "Content-Length : 2\r\n\r\nok"),
    ("nul", "X-A: b\0c\r\nContent-Length: 2\r\n\r\nok"),
    (
        "lone-return",
        "X-A: b\rContent-Length: 9\r\nContent-Length: 2\r\n\r\nok",
    ),
    ("no-name", ": b\r\nContent-Length: 2\r\n\r\nok"),
    (
        "bad-chunk",
        "Transfer-Encoding: chunked\r\n\r\nzz\r\nok\r\n0\r\n\r\n",
    ),
    (
        "hex-chunk",
        "Transfer-Encoding: chunked\r\n\r\n0x2\r\nok\r\n0\r\n\r\n",
    ),
    (
        "blank-chunk",
        "Transfer-Encoding: chunked\r\n\r\n2 ;a\r\nok\r\n0\r\n\r\n",
    ),
    (
        "long-chunk",
        "Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\nok\r\n0\r\n\r\n",
    ),
    (
        "bare-chunk",
        "Transfer-Encoding: chunked\r\n\r\n2\nok\n0\n\n",
    ),
    (
        "chunk-overrun",
        "Transfer-Encoding: chunked\r\n\r\n2\r\nokay\r\n0\r\n\r\n",
    ),
];
/// What is no answer from its first line on, and 502.
pub const NO_ANSWERS: &[(&str, &str)] = &[
    ("http-3", "HTTP/3.0 200 OK\r\nContent-Length: 2\r\n\r\nok"),
    ("http-9", "HTTP/9.9 200 OK\r\nContent-Length: 2\r\n\r\nok"),
    ("http-1.2", "HTTP/1.2 200 OK\r\nContent-Length: 2\r\n\r\nok"),
    ("no-status", "HTTP/1.1 \r\nContent-Length: 2\r\n\r\nok"),
    (
        "long-status",
        "HTTP/1.1 2000 OK\r\nContent-Length: 2\r\n\r\nok",
    ),
    (
        "low-status",
        "HTTP/1.1 099 OK\r\nContent-Length: 2\r\n\r\nok",
    ),
    (
        "high-status",
        "HTTP/1.1 600 OK\r\nContent-Length: 2\r\n\r\nok",
    ),
    (
        "nul-in-reason",
        "HTTP/1.1 200 O\0K\r\nContent-Length: 2\r\n\r\nok",
    ),
    (
        "line-before",
        "\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
    ),
    (
        "http-1.0-chunks",
        "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    ),
    (
        "none-with-length",
        "HTTP/1.1 204 No Content\r\nContent-Length: 6\r\n\r\npoison",
    ),
    (
        "none-with-chunks",
        "HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n6\r\npoison\r\n0\r\n\r\n",
    ),
    (
        "interim-with-length",
        "HTTP/1.1 103 Early Hints\r\nContent-Length: 6\r\n\r\npoisonHTTP/1.1 200 OK\r\n\r\n",
    ),
    (
        "switch-with-length",
        "HTTP/1.1 101 Switching Protocols\r\nContent-Length: 6\r\n\r\npoison",
    ),
    ("no-http", "220 ready when you are"),
];
/// What looks odd and has one meaning: name, request, answer, and what the client hears.
pub const CLEAN: &[(&str, &str, &str, (u16, &str))] = &[
    (
        "no-reason",
        "GET",
        "HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nok",
        (200, "ok"),
    ),
    (
        "obs-text",
        "GET",
        "HTTP/1.1 200 \u{e9}\r\nX-A: \u{e9}\r\nContent-Length: 2\r\n\r\nok",
        (200, "ok"),
    ),
    (
        "padded-length",
        "GET",
        "HTTP/1.1 200 OK\r\nContent-Length: \t002 \r\n\r\nok",
        (200, "ok"),
    ),
    (
        "extension",
        "GET",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n2;a=b\r\nok\r\n0\r\n\r\n",
        (200, "ok"),
    ),
    (
        "none",
        "GET",
        "HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n",
        (204, ""),
    ),
    (
        "unchanged",
        "GET",
        "HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n",
        (304, ""),
    ),
    (
        "unchanged-chunks",
        "GET",
        "HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n\r\n",
        (304, ""),
    ),
    (
        "head",
        "HEAD",
        "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n",
        (200, ""),
    ),
    (
        "head-of-chunks",
        "HEAD",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        (200, ""),
    ),
];

/// The answer of this name.
pub fn of(way: &str) -> Option<String> {
    let is_it = |name: &str| name == way;
    let head = NO_HEADS.iter().find(|(name, _)| is_it(name));
    let head = head.map(|(_, rest)| format!("HTTP/1.1 200 OK\r\n{rest}"));
    let none = NO_ANSWERS.iter().find(|(name, _)| is_it(name));
    let none = none.map(|(_, text)| (*text).to_owned());
    let clean = CLEAN.iter().find(|(name, ..)| is_it(name));
    let clean = clean.map(|(_, _, text, _)| (*text).to_owned());
    head.or(none).or(clean)
}
