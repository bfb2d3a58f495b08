//! The decision: pure, synchronous, without I/O.

mod authentication;
mod body;
mod canonical;
mod condition;
mod conflict;
mod decide;
mod denial;
mod find_scope;
mod find_tenant;
mod header_name;
mod held_role;
mod host;
mod http1;
mod inquiry;
pub mod json_text;
pub mod namespace;
mod naming;
mod objects;
mod pattern;
mod pattern_parser;
mod permit;
mod pointer;
mod question;
mod role_table;
mod route;
mod route_map;
mod same_origin;
mod scene;
mod segment;
mod sight;
mod template;
mod trie;

pub use authentication::{
    Activity, Authentication, CredentialLimits, KeyTerms, Rejection, SignIn, Subject,
};
pub use body::{Body, BodyValue, Tree};
pub use canonical::{
    AmbiguousParameter, CanonicalPath, CanonicalQuery, CanonicalRequest, MAX_TARGET, Malformed,
    PresentedSecret, RawRequest, X_PORTCULLIS_KEY, chosen_project, deciding_header, has_no_body,
    shown_device, shown_errand,
};
pub use condition::{Condition, ConditionError, MAX_CONDITION};
pub use conflict::Conflict;
pub use decide::{Decision, Facts, Standing, decide, screen};
pub use denial::{Because, Denial, DenialReason};
pub use find_scope::X_PORTCULLIS_PROJECT;
pub use header_name::{OwnedHeaders, fold};
pub use held_role::{Grant, HeldRole};
pub use host::{HostPattern, MalformedHost};
pub use http1::{
    AnswerBody, AnswerHead, AnswerReader, BodySpan, Chunked, Framing, Head, HeadLimits, HeadReader,
    MalformedAnswer,
};
pub use inquiry::{Inquiry, KnownObjects};
pub use naming::{
    AskedFor, Checked, LabelPairs, Names, check_content, named, request_labels, request_params,
    write_set,
};
pub use objects::{
    AnswerRule, Asking, BodyFormat, BodyRule, BodyTemplate, BulkLookup, CreateRule, FilterRule,
    ForbidRule, Form, Keys, LabelSource, ListRequest, Objects, OnlyRule, OwnRequest, Ownership,
    PageRule, ResourceRule, ResourceType, SetRule, SingleLookup, Via, ViaBy,
};
pub use pattern::{PathRef, Pattern, PatternError};
pub use permit::Permit;
pub use pointer::{MalformedPointer, Pointer, PointerSegment};
pub use question::{Circumstances, Named, NamedObjects, Question};
pub use role_table::RoleTable;
pub use route::{
    Completeness, Dialect, FixedResponse, Origin, Requirement, Route, RouteTimeouts, Source,
};
pub use route_map::{Lookup, Params, RouteMap};
pub use same_origin::is_same_origin;
use scene::{Asked, Scene};
pub use segment::Segment;
use sight::Sight;
pub use template::{Field, Template, TemplateError};
