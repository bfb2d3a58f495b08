//! A head of HTTP/1: read the same however it is cut in pieces, and what is accepted is read
//! the same by another parser, the one behind ours.
#![no_main]

use libfuzzer_sys::fuzz_target;
use portcullis::policy::{Framing, Head, HeadLimits, HeadReader, Malformed};

const LIMITS: HeadLimits = HeadLimits {
    request_line: 256,
    bytes: 1024,
    fields: 24,
};

fuzz_target!(|data: &[u8]| {
    // Of two mistakes, which one is told depends on how much has come.
    let whole = HeadReader::default().read(data, &LIMITS).ok();
    assert_eq!(whole, dripped(data).ok(), "{}", data.escape_ascii());
    if let Some(Some(head)) = whole {
        check(&data[head.start..head.end], &head);
    }
});

fn dripped(data: &[u8]) -> Result<Option<Head>, Malformed> {
    let mut reader = HeadReader::default();
    let mut reads = (0..=data.len()).map(|end| reader.read(&data[..end], &LIMITS));
    reads
        .find(|read| !matches!(read, Ok(None)))
        .unwrap_or(Ok(None))
}

fn check(bytes: &[u8], head: &Head) {
    assert!(bytes.len() <= LIMITS.bytes);
    let mut fields = [httparse::EMPTY_HEADER; LIMITS.fields];
    let mut request = httparse::Request::new(&mut fields);
    let parsed = request.parse(bytes).expect("the other parser takes it");
    assert_eq!(parsed, httparse::Status::Complete(bytes.len()));
    assert_eq!(request.version, Some(u8::from(!head.http_10)));
    let values = |name: &str| {
        let fields = request.headers.iter();
        let named = fields.filter(|field| field.name.eq_ignore_ascii_case(name));
        named
            .map(|field| field.value.trim_ascii())
            .collect::<Vec<_>>()
    };
    let (lengths, encodings) = (values("content-length"), values("transfer-encoding"));
    let framing = match (&lengths[..], &encodings[..]) {
        ([], []) => Framing::Empty,
        ([], [chunked]) => {
            assert!(chunked.eq_ignore_ascii_case(b"chunked") && !head.http_10);
            Framing::Chunked
        }
        ([length], []) => {
            assert!(length.iter().all(u8::is_ascii_digit));
            match std::str::from_utf8(length).unwrap().parse().unwrap() {
                0 => Framing::Empty,
                length => Framing::Length(length),
            }
        }
        _ => panic!("two lengths: {}", bytes.escape_ascii()),
    };
    assert_eq!(framing, head.framing);
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        let content = line
            .strip_suffix(b"\r\n")
            .expect("every line ends with CR LF");
        assert!(!content.contains(&b'\r') && !content.contains(&0));
    }
}
