//! Why a connection was ended from this side.

use h2::Reason;
use pingora::Error;

/// What a client did that ends its connection, all requests on it included. It leaves one
/// audit event and is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::proxy) enum Abuse {
    /// It reset more streams than `limits.resets`.
    Resets,
    /// It sent too many frames that ask for nothing.
    IdleFrames,
    /// A header was not complete within `limits.header_timeout`.
    HeaderTimeout,
    /// It sent too many malformed requests.
    MalformedRequests,
    /// The protocol's parser has had enough of it: a header block without an end, streams
    /// opened in order to be refused, data in crumbs.
    Flood,
    /// It does not speak the protocol.
    Protocol,
}

impl Abuse {
    /// A stable word for the audit event and the metrics.
    pub(in crate::proxy) const fn code(self) -> &'static str {
        match self {
            Self::Resets => "http2_resets",
            Self::IdleFrames => "http2_idle_frames",
            Self::HeaderTimeout => "header_timeout",
            Self::MalformedRequests => "http2_malformed_requests",
            Self::Flood => "http2_flood",
            Self::Protocol => "http2_protocol_error",
        }
    }

    /// What the protocol's parser ended a connection for. It is no abuse if the client, or
    /// the network between, ended it.
    pub(super) fn found_by_parser(error: &Error) -> Result<(), Self> {
        let cause = error.cause.as_ref();
        let ended = cause.and_then(|cause| cause.downcast_ref::<h2::Error>());
        match ended.filter(|error| error.is_go_away() && error.is_library()) {
            None => Ok(()),
            Some(error) if error.reason() == Some(Reason::ENHANCE_YOUR_CALM) => Err(Self::Flood),
            Some(_) => Err(Self::Protocol),
        }
    }
}
