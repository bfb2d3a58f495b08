//! The head of an answer: read the same however it is cut in pieces, and what is accepted is
//! read the same by another parser, the one behind ours.
#![no_main]

use libfuzzer_sys::fuzz_target;
use portcullis::policy::{AnswerBody, AnswerHead, AnswerReader, Framing, MalformedAnswer};

const FIELDS: usize = 256;

fuzz_target!(|data: &[u8]| {
    // The first byte says what was asked for.
    let Some((asked, data)) = data.split_first() else {
        return;
    };
    let to_head = asked & 1 == 1;
    // Of two mistakes, which one is told depends on how much has come.
    let whole = AnswerReader::default().read(data, to_head).ok();
    assert_eq!(
        whole,
        dripped(data, to_head).ok(),
        "{}",
        data.escape_ascii()
    );
    if let Some(Some(head)) = whole {
        check(&data[..head.end], &head, to_head);
    }
});

fn dripped(data: &[u8], to_head: bool) -> Result<Option<AnswerHead>, MalformedAnswer> {
    let mut reader = AnswerReader::default();
    let mut reads = (0..=data.len()).map(|end| reader.read(&data[..end], to_head));
    reads
        .find(|read| !matches!(read, Ok(None)))
        .unwrap_or(Ok(None))
}

fn check(bytes: &[u8], head: &AnswerHead, to_head: bool) {
    let mut fields = [httparse::EMPTY_HEADER; FIELDS];
    let mut answer = httparse::Response::new(&mut fields);
    let parsed = answer.parse(bytes).expect("the other parser takes it");
    assert_eq!(parsed, httparse::Status::Complete(bytes.len()));
    let status = answer.code.expect("a status");
    assert!((100..600).contains(&status));
    let values = |name: &str| {
        let fields = answer.headers.iter();
        let named = fields.filter(|field| field.name.eq_ignore_ascii_case(name));
        named
            .map(|field| field.value.trim_ascii())
            .collect::<Vec<_>>()
    };
    let (lengths, encodings) = (values("content-length"), values("transfer-encoding"));
    let announced = match (&lengths[..], &encodings[..]) {
        ([], []) => AnswerBody::ToTheEnd,
        ([], [chunked]) => {
            assert!(chunked.eq_ignore_ascii_case(b"chunked") && answer.version == Some(1));
            AnswerBody::Framed(Framing::Chunked)
        }
        ([length], []) => {
            assert!(length.iter().all(u8::is_ascii_digit));
            match std::str::from_utf8(length).unwrap().parse().unwrap() {
                0 => AnswerBody::Framed(Framing::Empty),
                length => AnswerBody::Framed(Framing::Length(length)),
            }
        }
        _ => panic!("two lengths: {}", bytes.escape_ascii()),
    };
    let body = match status {
        101 => AnswerBody::ToTheEnd,
        100..=199 => AnswerBody::Interim,
        204 | 304 => AnswerBody::Framed(Framing::Empty),
        _ if to_head => AnswerBody::Framed(Framing::Empty),
        _ => announced,
    };
    assert_eq!(body, head.body);
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        let content = line
            .strip_suffix(b"\r\n")
            .expect("every line ends with CR LF");
        assert!(!content.contains(&b'\r') && !content.contains(&0));
    }
}
