//! The words of the product as types. No I/O, no clock, no database.

mod api_key;
mod base62;
mod control_headers;
mod cookie;
mod credential;
mod event;
mod id;
mod key_rules;
mod link;
mod page_fields;
mod path;
mod pepper;
mod permission;
mod permission_rule;
mod policy_rows;
mod principal;
mod rate;
mod resource;
mod return_path;
mod role;
mod scope;
mod sealing_key;
mod session;
mod session_rules;
mod signing_key;
mod slug;
mod visible;
mod when_full;

pub use api_key::{ApiKey, KeyId, KeyState, KeyToken, MalformedKey, SecretHash};
pub use control_headers::ControlHeaders;
pub use cookie::SessionCookie;
pub use credential::{CredentialId, CredentialKind};
pub use event::{Actor, AuditEvent, AuditResult, ResourceRef};
pub use id::{
    BindingId, CeremonyId, EventId, LinkId, PasskeyId, PrincipalId, ProjectId, ResourceId, RoleId,
    SessionId, TenantId, TokenId,
};
pub use key_rules::{KeyClosed, KeyRules, LastsTooLong, UnreasonableKeyRules};
pub use link::LinkPurpose;
pub use page_fields::PAGE_FIELDS;
pub use path::{Email, MalformedName, PrincipalName, ProjectPath, ScopePath};
pub use pepper::Pepper;
pub use permission::{Catalogue, MalformedPermission, Permission, PermissionIndex, PermissionSet};
pub use permission_rule::PermissionRule;
pub use policy_rows::{PolicyRows, TouchedRows};
pub use principal::{Principal, PrincipalKind};
pub use rate::{
    Dimension, MalformedQuota, Quota, RateRule, RateUnit, Rates, RuleId, UnreasonableQuota,
};
pub use resource::{Owner, ResourceKey, Whose};
pub use return_path::{NotOurs, ReturnPath};
pub use role::{Binding, BuiltInRole, Effect, Role, RoleScope};
pub use scope::{Project, Scope, Tenant};
pub use sealing_key::SealingKey;
pub use session::{
    Assurance, LinkToken, MalformedSession, Method, Mfa, Session, SessionToken, Token,
};
pub use session_rules::{SessionRules, UnreasonableRules};
pub use signing_key::{MalformedSigningKeyId, SigningKeyId, SigningTimes, Succession};
pub use slug::{MalformedSlug, Slug};
pub use visible::{is_hidden, visible};
pub use when_full::WhenFull;
