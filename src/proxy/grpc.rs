//! Refusals as gRPC clients read them.
//!
//! Their libraries take the outcome of a call from `grpc-status`, never from the HTTP
//! status: what ends a call early is a "Trailers-Only" answer, HTTP 200 whose only head
//! carries the trailers. The audit event has the status that everybody else would get.

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use pingora::http::ResponseHeader;

pub(super) const CONTENT_TYPE: &str = "application/grpc";
const STATUS: HeaderName = HeaderName::from_static("grpc-status");
const MESSAGE: HeaderName = HeaderName::from_static("grpc-message");

/// What must be encoded in a message; other letters than ASCII always are.
const UNSAFE: &AsciiSet = &CONTROLS.add(b'%');

/// The codes in use; all are in gRPC's `statuscodes.md`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Code {
    Unknown = 2,
    InvalidArgument = 3,
    DeadlineExceeded = 4,
    NotFound = 5,
    PermissionDenied = 7,
    ResourceExhausted = 8,
    Unimplemented = 12,
    Internal = 13,
    Unavailable = 14,
    Unauthenticated = 16,
}

/// Whether a head is of a gRPC call or answer: `application/grpc`, also with the format
/// of its messages (`+proto`). Its kin for browsers, `grpc-web`, is another protocol.
pub(super) fn is_spoken(headers: &HeaderMap) -> bool {
    let value = headers.get(header::CONTENT_TYPE).map(HeaderValue::as_bytes);
    let rest = value.and_then(|it| it.strip_prefix(CONTENT_TYPE.as_bytes()));
    rest.is_some_and(|rest| matches!(rest.first(), None | Some(b'+' | b';' | b' ')))
}

/// The outcome that these trailers tell, or the only head of a call that ended early.
pub(super) fn outcome(trailers: &HeaderMap) -> Option<u16> {
    trailers.get(STATUS)?.to_str().ok()?.parse().ok()
}

/// Turns the head of an answer into that of a call that ended early; `unknown_object`: the
/// method is there, but what the call names is not.
pub(super) fn reword(
    head: &mut ResponseHeader,
    message: &str,
    unknown_object: bool,
) -> pingora::Result<()> {
    let code = if unknown_object {
        Code::NotFound
    } else {
        code(head.status)
    } as u8;
    head.set_status(StatusCode::OK)?;
    head.insert_header(header::CONTENT_TYPE, CONTENT_TYPE)?;
    head.remove_header(&header::CONTENT_LENGTH);
    head.insert_header(STATUS, code.to_string())?;
    let message = utf8_percent_encode(message, UNSAFE);
    head.insert_header(MESSAGE, message.to_string())
}

/// As `http-grpc-status-mapping.md` has it for what a gateway answers, but finer where a
/// status means one thing here: 400 is never a broken backend, 429 never an overloaded one.
const fn code(status: StatusCode) -> Code {
    match status.as_u16() {
        400 | 414 | 415 | 431 => Code::InvalidArgument,
        401 => Code::Unauthenticated,
        403 => Code::PermissionDenied,
        404 | 405 => Code::Unimplemented,
        408 => Code::DeadlineExceeded,
        413 | 429 => Code::ResourceExhausted,
        500 => Code::Internal,
        502..=504 => Code::Unavailable,
        _ => Code::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_known_by_its_content_type() {
        let spoken = |value: &'static str| {
            let headers = [(header::CONTENT_TYPE, value.parse().unwrap())];
            is_spoken(&HeaderMap::from_iter(headers))
        };
        assert!(spoken("application/grpc"));
        assert!(spoken("application/grpc+proto"));
        assert!(spoken("application/grpc;charset=utf-8"));
        assert!(!spoken("application/grpc-web"));
        assert!(!spoken("application/grpcx"));
        assert!(!spoken("application/json"));
        assert!(!is_spoken(&HeaderMap::new()));
    }

    #[test]
    fn every_status_of_ours_has_a_code() {
        let told = [
            400, 401, 403, 404, 405, 408, 413, 414, 415, 429, 431, 500, 502, 503, 504, 418,
        ]
        .map(|status| {
            let mut head = ResponseHeader::build(status, None).unwrap();
            reword(&mut head, "x", false).unwrap();
            assert_eq!(head.status, StatusCode::OK);
            outcome(&head.headers).unwrap()
        });
        assert_eq!(
            told,
            [3, 16, 7, 12, 12, 4, 8, 3, 3, 8, 3, 13, 14, 14, 14, 2]
        );
    }

    #[test]
    fn messages_are_encoded_as_grpc_wants_them() {
        let mut head = ResponseHeader::build(403, None).unwrap();
        reword(&mut head, "100 % nö\n", true).unwrap();
        assert_eq!(outcome(&head.headers), Some(5));
        assert_eq!(head.headers[MESSAGE], "100 %25 n%C3%B6%0A");
    }
}
