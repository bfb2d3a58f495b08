//! From causes to answers: the one place that maps them to status codes.

use http::StatusCode;
use pingora::{Error, ErrorSource, ErrorType};

use crate::policy::{DenialReason, Malformed};

/// Status of a refusal.
pub(super) fn status(reason: &DenialReason) -> StatusCode {
    match reason {
        DenialReason::Malformed(malformed) => of_malformed(*malformed),
        DenialReason::ProjectRequired | DenialReason::ProjectAmbiguous => StatusCode::BAD_REQUEST,
        DenialReason::Unauthenticated
        | DenialReason::Rejected(_)
        | DenialReason::Ended(_)
        | DenialReason::SecondFactor
        | DenialReason::ReAuthenticate { .. } => StatusCode::UNAUTHORIZED,
        DenialReason::NoRoute | DenialReason::ResourceUnknown => StatusCode::NOT_FOUND,
        DenialReason::WrongMethod(_) => StatusCode::METHOD_NOT_ALLOWED,
        DenialReason::DeniedRoute(_)
        | DenialReason::CrossSite
        | DenialReason::PasswordLoginOff
        | DenialReason::SsoRequired
        | DenialReason::KeyClosed(_)
        | DenialReason::ProjectClosed
        | DenialReason::TenantClosed
        | DenialReason::CredentialScope
        | DenialReason::Content(_)
        | DenialReason::NotCarried
        | DenialReason::FieldMissing(_)
        | DenialReason::PermissionMissing { .. }
        | DenialReason::ExplicitlyDenied { .. }
        | DenialReason::ConditionUnmet
        | DenialReason::CredentialPermission { .. } => StatusCode::FORBIDDEN,
        DenialReason::BodyTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        DenialReason::BodyTimeout => StatusCode::REQUEST_TIMEOUT,
        DenialReason::BodyType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        DenialReason::RateLimited { .. } => StatusCode::TOO_MANY_REQUESTS,
        DenialReason::TruthUnavailable
        | DenialReason::OwnerUnavailable
        | DenialReason::RateUnknown
        | DenialReason::AuditFull
        | DenialReason::Overloaded => StatusCode::SERVICE_UNAVAILABLE,
        DenialReason::Internal => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

const fn of_malformed(malformed: Malformed) -> StatusCode {
    match malformed {
        Malformed::HeadTimeout => StatusCode::REQUEST_TIMEOUT,
        Malformed::RequestLineLength | Malformed::TargetLength => StatusCode::URI_TOO_LONG,
        Malformed::HeadSize => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
        _ => StatusCode::BAD_REQUEST,
    }
}

/// What went wrong after the permit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Failure {
    /// The backend did not answer in time.
    UpstreamTimeout,
    /// The backend could not be reached, reset the connection or answered garbage.
    UpstreamBroken,
    /// There is no address of the backend to try.
    UpstreamUnavailable {
        /// Seconds until there is one again.
        retry_after: u64,
    },
    /// The client went away or sent a broken body.
    Client,
    /// The client's header fields contradict each other.
    ClientHeader,
    /// The client's body cannot be read.
    ClientBody,
    /// The client's body is larger than the route allows.
    BodyTooLarge,
    /// What the backend made is not on record: it belongs to nobody.
    OwnershipUnrecorded,
    /// What the backend says it made is on record as another project's.
    OwnershipConflict,
    /// Whose the items of a list are cannot be asked.
    OwnersUnknown,
    /// Something of ours.
    Internal,
    /// The gateway stopped, or its task ended, before the answer was complete.
    Interrupted,
}

impl Failure {
    pub(super) fn of(error: &Error) -> Self {
        match (error.esource(), error.etype()) {
            (ErrorSource::Upstream, _) => Self::of_upstream(error),
            (ErrorSource::Downstream, kind) if is_disconnect(kind) => Self::Client,
            (ErrorSource::Downstream, ErrorType::InvalidHTTPHeader) => Self::ClientHeader,
            (ErrorSource::Downstream, _) => Self::ClientBody,
            (ErrorSource::Internal | ErrorSource::Unset, _) => Self::Internal,
        }
    }

    /// What went wrong with the backend.
    pub(super) fn of_upstream(error: &Error) -> Self {
        if is_timeout(error.etype()) {
            Self::UpstreamTimeout
        } else {
            Self::UpstreamBroken
        }
    }

    /// What the client is told; `None` if there is nobody to tell.
    pub(super) const fn answer(self) -> Option<(StatusCode, &'static str)> {
        match self {
            Self::UpstreamTimeout => Some((
                StatusCode::GATEWAY_TIMEOUT,
                "The backend did not answer in time.",
            )),
            Self::UpstreamBroken => {
                Some((StatusCode::BAD_GATEWAY, "The backend cannot be reached."))
            }
            Self::UpstreamUnavailable { .. } => Some((
                StatusCode::SERVICE_UNAVAILABLE,
                "The backend is not available; try again.",
            )),
            Self::ClientHeader => Some((
                StatusCode::BAD_REQUEST,
                "Bad request: the header fields have no single meaning.",
            )),
            Self::ClientBody => Some((
                StatusCode::BAD_REQUEST,
                "Bad request: the body cannot be read.",
            )),
            Self::BodyTooLarge => Some((
                StatusCode::PAYLOAD_TOO_LARGE,
                "The body is larger than this route allows.",
            )),
            Self::OwnershipUnrecorded => Some((
                StatusCode::SERVICE_UNAVAILABLE,
                "What the backend did cannot be recorded, so it is not passed on; ask an operator.",
            )),
            Self::OwnershipConflict => Some((
                StatusCode::CONFLICT,
                "The backend's answer cannot be passed on.",
            )),
            Self::OwnersUnknown => Some((
                StatusCode::SERVICE_UNAVAILABLE,
                "Whose these objects are cannot be asked; try again.",
            )),
            Self::Internal => Some((StatusCode::INTERNAL_SERVER_ERROR, "Internal error.")),
            Self::Client | Self::Interrupted => None,
        }
    }

    /// A stable word for the audit event.
    pub(super) const fn code(self) -> &'static str {
        match self {
            Self::UpstreamTimeout => "upstream_timeout",
            Self::UpstreamBroken => "upstream_broken",
            Self::UpstreamUnavailable { .. } => "upstream_unavailable",
            Self::Client => "client_closed",
            Self::ClientHeader => "client_header",
            Self::ClientBody => "client_body",
            Self::BodyTooLarge => "body_too_large",
            Self::OwnershipUnrecorded => "ownership_unrecorded",
            Self::OwnershipConflict => "ownership_conflict",
            Self::OwnersUnknown => "owners_unknown",
            Self::Internal => "internal_error",
            Self::Interrupted => "gateway_interrupted",
        }
    }
}

const fn is_timeout(kind: &ErrorType) -> bool {
    matches!(
        kind,
        ErrorType::ConnectTimedout
            | ErrorType::TLSHandshakeTimedout
            | ErrorType::ReadTimedout
            | ErrorType::WriteTimedout
    )
}

const fn is_disconnect(kind: &ErrorType) -> bool {
    matches!(
        kind,
        ErrorType::WriteError
            | ErrorType::ReadError
            | ErrorType::ConnectionClosed
            | ErrorType::H2Error
            | ErrorType::WriteTimedout
    )
}
