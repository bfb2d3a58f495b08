//! An answer of our own: built whole, then written.

use bytes::Bytes;
use http::{HeaderName, Method, StatusCode, header};
use pingora::http::ResponseHeader;
use pingora::protocols::http::ServerSession;
use pingora::proxy::Session;

use super::client::X_REQUEST_ID;
use super::rate::RateState;
use super::{dialect, error_page, grpc, navigation, rescue};
use crate::domain::PAGE_FIELDS;
use crate::policy::{Denial, DenialReason, Dialect, FixedResponse};

/// Browsers ask for the key where they see Basic, the first; other clients read Bearer.
const CHALLENGES: [&str; 2] = [
    r#"Basic realm="Portcullis", charset="UTF-8""#,
    r#"Bearer realm="Portcullis""#,
];

/// When a client may try again after an outage, in seconds.
const RETRY_AFTER: u64 = 1;

/// An answer, a refusal or a fixed one, ready to be sent.
pub(super) struct Answer {
    status: StatusCode,
    /// What it says in one word, if it is a refusal.
    code: &'static str,
    content_type: &'static str,
    body: Bytes,
    request_id: String,
    /// A field that only some answers have.
    special: Option<(HeaderName, String)>,
    /// Seconds after which a client may try again.
    pub(super) retry_after: Option<u64>,
    /// What a gRPC call hears instead of the body, if this is a refusal.
    message: Option<String>,
    /// Whether the request was understood, and only what it names is not there.
    unknown_object: bool,
    /// Whether it is a page for a person.
    is_page: bool,
    /// Whether a browser may ask its user for a key: it does where it sees Basic.
    may_prompt: bool,
}

impl Answer {
    pub(super) fn new(
        status: StatusCode,
        dialect: Dialect,
        code: &'static str,
        message: &str,
        request_id: &str,
    ) -> Self {
        let (content_type, body) = dialect::body(dialect, status, code, message, request_id);
        Self {
            status,
            code,
            content_type,
            body: body.into(),
            request_id: request_id.to_owned(),
            special: None,
            retry_after: (status == StatusCode::SERVICE_UNAVAILABLE).then_some(RETRY_AFTER),
            message: Some(message.to_owned()),
            unknown_object: false,
            is_page: false,
            may_prompt: true,
        }
    }

    pub(super) fn of_denial(denial: &Denial, dialect: Dialect, request_id: &str) -> Self {
        let status = rescue::status(denial.reason());
        let code = public_code(denial);
        let mut answer = Self::new(status, dialect, code, &denial.message(), request_id);
        match denial.reason() {
            DenialReason::WrongMethod(allowed) => {
                let names: Vec<_> = allowed.iter().map(Method::as_str).collect();
                answer.special = Some((header::ALLOW, names.join(", ")));
            }
            DenialReason::RateLimited { retry_after, .. } => {
                answer.retry_after = Some(*retry_after);
            }
            DenialReason::ReAuthenticate { max_age, .. } => {
                let challenge = format!(
                    "Bearer error=\"insufficient_user_authentication\", \
                     error_description=\"a more recent sign-in is needed\", max_age=\"{max_age}\""
                );
                answer.special = Some((header::WWW_AUTHENTICATE, challenge));
            }
            DenialReason::SecondFactor => {
                let challenge = "Bearer error=\"insufficient_user_authentication\", \
                                 error_description=\"a second factor is needed\", \
                                 acr_values=\"aal2\"";
                answer.special = Some((header::WWW_AUTHENTICATE, challenge.to_owned()));
            }
            DenialReason::ResourceUnknown => answer.unknown_object = true,
            _ => {}
        }
        answer
    }

    pub(super) fn fixed(fixed: &FixedResponse, request_id: &str) -> Self {
        Self {
            status: fixed.status,
            code: "",
            content_type: "application/json",
            body: Bytes::copy_from_slice(fixed.body.as_bytes()),
            request_id: request_id.to_owned(),
            special: None,
            retry_after: None,
            message: None,
            unknown_object: false,
            is_page: false,
            may_prompt: true,
        }
    }

    /// Permanent, and the method stays what it was.
    pub(super) fn redirect(location: String, request_id: &str) -> Self {
        Self {
            status: StatusCode::PERMANENT_REDIRECT,
            code: "",
            content_type: "text/plain",
            body: Bytes::new(),
            request_id: request_id.to_owned(),
            special: Some((header::LOCATION, location)),
            retry_after: None,
            message: None,
            unknown_object: false,
            is_page: false,
            may_prompt: true,
        }
    }

    /// Another page in the place of the one that was asked for.
    pub(super) fn elsewhere(status: StatusCode, location: String, request_id: &str) -> Self {
        Self {
            status,
            ..Self::redirect(location, request_id)
        }
    }

    /// A refusal as a page, for a person with a browser; other answers stay what they are.
    pub(super) fn for_person(mut self, signed_in: bool) -> Self {
        let page = self.message.as_deref().and_then(|message| {
            let refusal = error_page::Refusal {
                status: self.status,
                code: self.code,
                message,
                request_id: &self.request_id,
            };
            error_page::render(&refusal, signed_in)
        });
        if let Some(page) = page {
            self.body = page.into();
            self.is_page = true;
        }
        self
    }

    /// For a script in a page: its user has signed in elsewhere, and is asked for no key in the
    /// middle of their work.
    pub(super) const fn for_script(mut self) -> Self {
        self.may_prompt = false;
        self
    }

    /// For who understands no refusal but 401 and 403; what is broken stays so.
    pub(super) fn terse(mut self) -> Self {
        if self.status != StatusCode::UNAUTHORIZED && !self.status.is_server_error() {
            self.status = StatusCode::FORBIDDEN;
        }
        self
    }

    pub(super) const fn status(&self) -> StatusCode {
        self.status
    }

    pub(super) async fn write(
        self,
        session: &mut Session,
        rate: &RateState,
    ) -> pingora::Result<()> {
        let mut header = self.header()?;
        rate.tell(&mut header)?;
        let is_head = session.req_header().method == Method::HEAD;
        let is_call = grpc::is_spoken(&session.req_header().headers);
        let downstream = session.as_downstream_mut();
        if let (true, Some(message), ServerSession::H2(stream)) =
            (is_call, &self.message, &mut *downstream)
        {
            grpc::reword(&mut header, message, self.unknown_object)?;
            return stream.write_response_header(Box::new(header), true);
        }
        downstream.write_response_header(Box::new(header)).await?;
        let body = if is_head { Bytes::new() } else { self.body };
        downstream.write_response_body(body, true).await
    }

    /// As bytes of HTTP/1.1, for a connection that ends with it.
    pub(super) fn into_http1(self, rate: &RateState) -> Vec<u8> {
        let told = |mut header| rate.tell(&mut header).map(|()| header);
        let Ok(header) = self.header().and_then(told) else {
            return Vec::new();
        };
        let reason = self.status.canonical_reason().unwrap_or_default();
        let mut bytes = format!("HTTP/1.1 {} {reason}\r\n", self.status.as_u16()).into_bytes();
        for (name, value) in &header.headers {
            bytes.extend_from_slice(name.as_str().as_bytes());
            bytes.extend_from_slice(b": ");
            bytes.extend_from_slice(value.as_bytes());
            bytes.extend_from_slice(b"\r\n");
        }
        bytes.extend_from_slice(b"connection: close\r\n\r\n");
        bytes.extend_from_slice(&self.body);
        bytes
    }

    fn header(&self) -> pingora::Result<ResponseHeader> {
        let mut header = ResponseHeader::build(self.status, Some(8))?;
        header.insert_header(header::CONTENT_TYPE, self.content_type)?;
        if self.is_page {
            for (name, value) in PAGE_FIELDS {
                header.insert_header(name, value)?;
            }
            header.insert_header(header::VARY, navigation::TOLD_BY)?;
        }
        header.insert_header(header::CONTENT_LENGTH, self.body.len().to_string())?;
        header.insert_header(header::CACHE_CONTROL, "no-store")?;
        header.insert_header(X_REQUEST_ID, self.request_id.as_str())?;
        if self.status == StatusCode::UNAUTHORIZED {
            let asked = usize::from(!self.may_prompt);
            for challenge in &CHALLENGES[asked..] {
                header.append_header(header::WWW_AUTHENTICATE, *challenge)?;
            }
        }
        if let Some(seconds) = self.retry_after {
            header.insert_header(header::RETRY_AFTER, seconds.to_string())?;
        }
        if let Some((name, value)) = &self.special {
            header.insert_header(name.clone(), value.as_str())?;
        }
        Ok(header)
    }
}

/// Clients hear one word for every rejected credential.
const fn public_code(denial: &Denial) -> &'static str {
    match denial.reason() {
        DenialReason::Rejected(_) => "credential_invalid",
        DenialReason::Ended(_) => "session_ended",
        _ => denial.code(),
    }
}
