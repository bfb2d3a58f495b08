//! The decision: pure, synchronous, without I/O.

mod canonical;
mod conflict;
mod header_name;
mod host;
mod pattern;
mod pattern_parser;
mod route;
mod route_map;
mod segment;
mod template;
mod trie;

pub use canonical::{
    AmbiguousParameter, CanonicalPath, CanonicalQuery, CanonicalRequest, MAX_TARGET, Malformed,
    PresentedSecret, RawRequest, X_PORTCULLIS_KEY, deciding_header,
};
pub use conflict::Conflict;
pub use header_name::{OwnedHeaders, fold};
pub use host::{HostPattern, MalformedHost};
pub use pattern::{PathRef, Pattern, PatternError};
pub use route::{Dialect, Origin, Requirement, ResourceRule, Route, RouteTimeouts, Source};
pub use route_map::{Lookup, Params, RouteMap};
pub use segment::Segment;
pub use template::{Field, Template, TemplateError};
