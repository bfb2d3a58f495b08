//! The decision: pure, synchronous, without I/O.

mod authentication;
mod canonical;
mod conflict;
mod decide;
mod denial;
mod find_scope;
mod find_tenant;
mod header_name;
mod host;
mod http1;
mod objects;
mod pattern;
mod pattern_parser;
mod permit;
mod pointer;
mod role_table;
mod route;
mod route_map;
mod segment;
mod template;
mod trie;

pub use authentication::{Authentication, CredentialLimits, Rejection, Subject};
pub use canonical::{
    AmbiguousParameter, CanonicalPath, CanonicalQuery, CanonicalRequest, MAX_TARGET, Malformed,
    PresentedSecret, RawRequest, X_PORTCULLIS_KEY, deciding_header, has_no_body,
};
pub use conflict::Conflict;
pub use decide::{Decision, Facts, Question, decide};
pub use denial::{Denial, DenialReason};
pub use find_scope::X_PORTCULLIS_PROJECT;
pub use header_name::{OwnedHeaders, fold};
pub use host::{HostPattern, MalformedHost};
pub use http1::{Chunked, Framing, Head, HeadLimits, HeadReader};
pub use objects::{
    Asking, BodyFormat, BodyRule, BodyTemplate, BulkLookup, CreateRule, FilterRule, ForbidRule,
    Form, Keys, LabelSource, ListRequest, Objects, OnlyRule, OwnRequest, Ownership, PageRule,
    ResourceRule, ResourceType, SetRule, SingleLookup, Via, ViaBy,
};
pub use pattern::{PathRef, Pattern, PatternError};
pub use permit::Permit;
pub use pointer::{MalformedPointer, Pointer, PointerSegment};
pub use role_table::{Grant, HeldRole, RoleTable};
pub use route::{Dialect, FixedResponse, Origin, Requirement, Route, RouteTimeouts, Source};
pub use route_map::{Lookup, Params, RouteMap};
pub use segment::Segment;
pub use template::{Field, Template, TemplateError};
