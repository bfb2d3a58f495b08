//! What the two planes tell each other of a request. No client can set any of it, and none sees
//! any: all names begin with what only the gateway sets, and the socket between the two takes
//! connections of this process only.

use http::HeaderName;

/// The names.
#[derive(Debug)]
pub struct ControlHeaders;

impl ControlHeaders {
    /// Id of the principal.
    pub const PRINCIPAL: HeaderName = HeaderName::from_static("x-portcullis-principal");
    /// Public id of the credential.
    pub const CREDENTIAL: HeaderName = HeaderName::from_static("x-portcullis-credential");
    /// Public id of the session; absent if the credential is none.
    pub const SESSION: HeaderName = HeaderName::from_static("x-portcullis-session");
    /// Names of the scopes of the access token, separated by blanks; absent if the credential is
    /// none.
    pub const SCOPES: HeaderName = HeaderName::from_static("x-portcullis-token-scopes");
    /// What the browser shows of sign-ins before, unverified; absent if it shows nothing.
    pub const DEVICE: HeaderName = HeaderName::from_static("x-portcullis-device");
    /// The project that the browser says its user works in, unverified; absent if it says none.
    pub const CHOSEN_PROJECT: HeaderName = HeaderName::from_static("x-portcullis-chosen-project");
    /// What the browser has while it is away at another service, unverified; absent if nothing.
    pub const ERRAND: HeaderName = HeaderName::from_static("x-portcullis-errand");
    /// Where the permission of the route is held: `platform`, `tenant` or `project`; absent if
    /// the route asks for none.
    pub const SCOPE: HeaderName = HeaderName::from_static("x-portcullis-scope");
    /// Id of the tenant in which the permission is held.
    pub const TENANT: HeaderName = HeaderName::from_static("x-portcullis-tenant");
    /// Id of the project in which the permission is held.
    pub const PROJECT: HeaderName = HeaderName::from_static("x-portcullis-project");
    /// Id of the audit event that the request leaves.
    pub const EVENT: HeaderName = HeaderName::from_static("x-portcullis-event");
    /// When that event occurred: microseconds since 1970.
    pub const ARRIVED: HeaderName = HeaderName::from_static("x-portcullis-arrived");
    /// The route as written.
    pub const ROUTE: HeaderName = HeaderName::from_static("x-portcullis-route");
    /// The one that comes back: why it was not carried out, as a word for the audit event.
    pub const REFUSED: HeaderName = HeaderName::from_static("x-portcullis-refused");
}
