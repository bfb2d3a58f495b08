//! The canonical request: parsed once, and the only thing that is ever forwarded.
//!
//! Whatever two parsers could read in two ways is refused here, so that the
//! gateway's decision and the backend's reading cannot differ.

mod cookies;
mod credential;
mod host;
mod path;
mod query;

use http::{HeaderMap, HeaderName, HeaderValue, Method, header};

pub use cookies::{chosen_project, shown_device, shown_errand};
pub use credential::{PresentedSecret, X_PORTCULLIS_KEY};
use host::CanonicalHost;
pub use path::CanonicalPath;
pub use query::{AmbiguousParameter, CanonicalQuery};

use super::Keys;

/// Longest request target, in bytes.
pub const MAX_TARGET: usize = 16 * 1024;

/// What came in, before anybody trusts it.
#[derive(Debug, Clone, Copy)]
pub struct RawRequest<'a> {
    /// The method as sent.
    pub method: &'a Method,
    /// The request target as sent (RFC 9112 §3.2).
    pub target: &'a [u8],
    /// `:authority` of HTTP/2 (RFC 9113 §8.3.1), which takes the place of `Host`.
    pub authority: Option<&'a [u8]>,
    /// The header fields as sent.
    pub headers: &'a HeaderMap,
}

/// Why a request cannot be understood in exactly one way. Answered with 400.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Malformed {
    /// The target is neither origin-form nor an absolute form of this host.
    #[error("the request target is not a plain path")]
    Target,
    /// The target is longer than [`MAX_TARGET`].
    #[error("the request target is too long")]
    TargetLength,
    /// The path holds something that could be read in two ways.
    #[error(
        "the path is ambiguous: dot segments, empty segments, `;`, `\\`, encoded separators or double encoding"
    )]
    Path,
    /// The query does not decode to UTF-8 text.
    #[error("the query is not validly percent-encoded UTF-8")]
    Query,
    /// A query parameter that decides was sent more than once.
    #[error("a query parameter that names a resource was sent more than once")]
    RepeatedParameter,
    /// A header field that decides was sent more than once or is not text.
    #[error("a header field that names a project or a resource is repeated or malformed")]
    DecidingHeader,
    /// There is not exactly one well-formed host.
    #[error("exactly one well-formed Host is required")]
    Host,
    /// Who asks about a request does not describe it in exactly one way.
    #[error("the request that is asked about is not described in exactly one way")]
    Description,
    /// The method is one that no route can list.
    #[error("the method is not allowed")]
    Method,
    /// More than one credential was sent.
    #[error("more than one credential was sent")]
    TwoCredentials,
    /// The body's length is announced in two ways.
    #[error("the length of the body is ambiguous")]
    Framing,
    /// GET, HEAD and OPTIONS have no body.
    #[error("a request with this method has no body")]
    UnexpectedBody,
    /// The first line is not a method, a target and a version of HTTP/1.
    #[error("the request line is not `method target HTTP/1.1`")]
    RequestLine,
    /// The first line is longer than `limits.request_line`.
    #[error("the request line is too long")]
    RequestLineLength,
    /// A line ends otherwise than with carriage return and line feed.
    #[error("a line does not end with CR LF")]
    LineEnd,
    /// A header line is folded, or its name or value holds what it may not.
    #[error("a header field is malformed")]
    Field,
    /// The head is larger than `limits.header_bytes` or has more than `limits.header_count`
    /// fields.
    #[error("the header is too large")]
    HeadSize,
    /// The head was not complete within `limits.header_timeout`.
    #[error("the header did not arrive in time")]
    HeadTimeout,
    /// A chunk of the body can be read in two ways.
    #[error("the body's chunks are malformed")]
    Chunk,
    /// An inspected body is not exactly one JSON text, or one gRPC message.
    #[error("the body is not what this route reads, or more than that")]
    Body,
    /// An inspected body or a text in it is not UTF-8 without a byte order mark.
    #[error("the body is not UTF-8")]
    BodyEncoding,
    /// An inspected body has the same key twice in an object.
    #[error("the body has the same key twice")]
    DuplicateKey,
    /// An inspected body is nested too deeply.
    #[error("the body is nested too deeply")]
    BodyDepth,
    /// A place that is read holds a value of another kind.
    #[error("a value in the body is of another kind than this route reads")]
    BodyShape,
    /// Two places that name the same object disagree.
    #[error("two places name a resource and do not agree")]
    ResourceConflict,
    /// An object must be named and is not.
    #[error("the resource that this route is about is not named")]
    ResourceRequired,
    /// An id that is spelt as no backend spells one.
    #[error("the id of a resource is malformed")]
    ResourceId,
    /// A text that should hold an id has none of the forms that are known.
    #[error("the reference to a resource has no form that is known here")]
    ResourceForm,
    /// A page is named by a token that was not given to this caller here.
    #[error("the page token is not valid")]
    PageToken,
    /// The text of a search that backends could read in two ways.
    #[error(
        "the filter is not one that is read here: comparisons of quoted texts, joined by AND, without escapes or comments"
    )]
    Filter,
    /// More ids than one request may name.
    #[error("too many resources are named")]
    TooManyResources,
}

impl Malformed {
    /// A stable word for the audit event.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Target => "malformed_target",
            Self::TargetLength => "target_too_long",
            Self::Path => "ambiguous_path",
            Self::Query => "malformed_query",
            Self::RepeatedParameter => "repeated_parameter",
            Self::DecidingHeader => "malformed_header",
            Self::Host => "malformed_host",
            Self::Description => "malformed_description",
            Self::Method => "method_refused",
            Self::TwoCredentials => "two_credentials",
            Self::Framing => "ambiguous_length",
            Self::UnexpectedBody => "unexpected_body",
            Self::RequestLine => "malformed_request_line",
            Self::RequestLineLength => "request_line_too_long",
            Self::LineEnd => "malformed_line_end",
            Self::Field => "malformed_field",
            Self::HeadSize => "header_too_large",
            Self::HeadTimeout => "header_timeout",
            Self::Chunk => "malformed_chunk",
            Self::Body => "malformed_body",
            Self::BodyEncoding => "body_not_utf8",
            Self::DuplicateKey => "duplicate_key",
            Self::BodyDepth => "body_too_deep",
            Self::BodyShape => "body_shape",
            Self::ResourceConflict => "resource_conflict",
            Self::ResourceRequired => "resource_required",
            Self::ResourceId => "malformed_resource_id",
            Self::ResourceForm => "resource_form",
            Self::PageToken => "page_token",
            Self::Filter => "malformed_filter",
            Self::TooManyResources => "too_many_resources",
        }
    }
}

/// A request with one meaning.
#[derive(Debug)]
pub struct CanonicalRequest {
    method: Method,
    host: CanonicalHost,
    path: CanonicalPath,
    query: CanonicalQuery,
    credential: Option<PresentedSecret>,
}

impl CanonicalRequest {
    /// Parses a request, or says why it has no single meaning.
    ///
    /// # Errors
    ///
    /// [`Malformed`]; the connection is to be closed, since framing may be in doubt.
    pub fn parse(raw: &RawRequest<'_>) -> Result<Self, Malformed> {
        if raw.target.len() > MAX_TARGET {
            return Err(Malformed::TargetLength);
        }
        check_method(raw.method)?;
        check_framing(raw.method, raw.headers)?;
        let (authority, target) = split_target(raw.target)?;
        let host = host::canonical(raw.headers, raw.authority, authority)?;
        let (path, query) = match target.iter().position(|b| *b == b'?') {
            Some(at) => (&target[..at], &target[at + 1..]),
            None => (target, &[][..]),
        };
        Ok(Self {
            method: raw.method.clone(),
            host,
            path: CanonicalPath::parse(path)?,
            query: CanonicalQuery::parse(query)?,
            credential: credential::presented(raw.headers)?,
        })
    }

    /// The method, upper case and known.
    #[must_use]
    pub const fn method(&self) -> &Method {
        &self.method
    }

    /// The host: lower case, without port and trailing dot.
    #[must_use]
    pub fn host(&self) -> &str {
        self.host.host()
    }

    /// The host as in [`Self::host`], with the port if one was sent.
    #[must_use]
    pub fn authority(&self) -> &str {
        self.host.authority()
    }

    /// The path.
    #[must_use]
    pub const fn path(&self) -> &CanonicalPath {
        &self.path
    }

    /// The query.
    #[must_use]
    pub const fn query(&self) -> &CanonicalQuery {
        &self.query
    }

    /// Replaces a query parameter, in every spelling of its name.
    pub fn set_query(&mut self, name: &str, keys: Keys, value: &str) {
        self.query.set(name, keys, value);
    }

    /// Leaves no value of a query parameter.
    pub fn remove_query(&mut self, name: &str, keys: Keys) {
        self.query.remove(name, keys);
    }

    /// The one credential, if one was sent.
    #[must_use]
    pub const fn credential(&self) -> Option<&PresentedSecret> {
        self.credential.as_ref()
    }

    /// The target to send upstream: path and query, freshly encoded.
    #[must_use]
    pub fn target(&self) -> String {
        let (path, query) = (self.path.encoded(), self.query.encoded());
        let mut target = String::with_capacity(path.len() + 1 + query.len());
        target.push_str(path);
        if !query.is_empty() {
            target.push('?');
            target.push_str(query);
        }
        target
    }
}

/// The one value of a header field that a decision rests on.
///
/// # Errors
///
/// [`Malformed::DecidingHeader`] if it was sent twice, is empty or is not visible ASCII.
pub fn deciding_header<'h>(
    headers: &'h HeaderMap,
    name: &HeaderName,
) -> Result<Option<&'h str>, Malformed> {
    let mut values = headers.get_all(name).iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    if values.next().is_some() {
        return Err(Malformed::DecidingHeader);
    }
    match HeaderValue::to_str(value).map(str::trim) {
        Ok(text) if !text.is_empty() => Ok(Some(text)),
        _ => Err(Malformed::DecidingHeader),
    }
}

/// CONNECT and TRACE change what a proxy is; lower-case methods are other methods
/// to us and the same to sloppy backends.
fn check_method(method: &Method) -> Result<(), Malformed> {
    let plain = method.as_str().bytes().all(|b| b.is_ascii_uppercase());
    if plain && method != Method::CONNECT && method != Method::TRACE {
        Ok(())
    } else {
        Err(Malformed::Method)
    }
}

/// Whether a body of this method means nothing (RFC 9110 §9.3.1): a backend that leaves it
/// unread takes it for the next request.
#[must_use]
pub const fn has_no_body(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
}

fn check_framing(method: &Method, headers: &HeaderMap) -> Result<(), Malformed> {
    let mut lengths = headers.get_all(header::CONTENT_LENGTH).iter();
    let length = lengths.next();
    if lengths.next().is_some() {
        return Err(Malformed::Framing);
    }
    let digits =
        |value: &HeaderValue| !value.is_empty() && value.as_bytes().iter().all(u8::is_ascii_digit);
    if length.is_some_and(|value| !digits(value)) {
        return Err(Malformed::Framing);
    }
    let mut encodings = headers.get_all(header::TRANSFER_ENCODING).iter();
    let chunked = match (encodings.next(), encodings.next()) {
        (None, _) => false,
        (Some(_), _) if length.is_some() => return Err(Malformed::Framing),
        (Some(value), None) if value.as_bytes().eq_ignore_ascii_case(b"chunked") => true,
        _ => return Err(Malformed::Framing),
    };
    let announced = |value: &HeaderValue| value.as_bytes().iter().any(|digit| *digit != b'0');
    if has_no_body(method) && (chunked || length.is_some_and(announced)) {
        return Err(Malformed::UnexpectedBody);
    }
    Ok(())
}

/// Splits an absolute-form target into its authority and the rest.
fn split_target(target: &[u8]) -> Result<(Option<&[u8]>, &[u8]), Malformed> {
    if target.starts_with(b"/") {
        return Ok((None, target));
    }
    let rest = target
        .strip_prefix(b"http://")
        .or_else(|| target.strip_prefix(b"https://"))
        .ok_or(Malformed::Target)?;
    let at = rest
        .iter()
        .position(|b| *b == b'/')
        .ok_or(Malformed::Target)?;
    Ok((Some(&rest[..at]), &rest[at..]))
}

#[cfg(test)]
mod tests;
