//! The configuration: YAML text → tree with places → checked [`Settings`], or every
//! [`Diagnostic`] at once.
//!
//! `node` reads any YAML and keeps places and duplicate keys; `variables` fills in
//! `${VAR}`; `reader` takes typed values out of the tree; one file a section checks
//! what they mean; `backends`, `built_in` and `route_map` what hangs together over several of
//! them; `load` puts all into one; `files` notes what was read, and
//! `fixed` tells what of a change must wait for a new process. `openapi` reads, in the same
//! way, what a backend says of itself. Nothing ambient is read: the
//! environment is a parameter. A value that came from a variable is never shown.

mod assertion;
mod backends;
mod bodies;
mod body;
mod built_in;
mod catalogue;
mod certificate;
mod diagnostic;
mod files;
mod fixed;
mod identity;
mod limits;
mod listen;
mod listen_tls;
mod load;
mod mail;
mod names;
mod node;
mod oauth2;
mod objects;
mod openapi;
mod own_request;
mod preset;
mod providers;
mod rate;
mod reader;
mod requirement;
mod resources;
mod route;
mod route_map;
pub mod saml;
mod scim;
mod secrets;
mod sections;
mod settings;
mod sign_in;
mod source;
mod units;
mod upstream;
mod variables;

pub use assertion::Assertion;
pub use built_in::BuiltIn;
pub use certificate::{Authorities, CertificateError, CertificateFiles, ServerCertificate};
pub use diagnostic::Diagnostic;
pub use files::{Digest, Files};
pub use fixed::FIXED;
pub use load::{ConfigFile, Loaded};
pub use mail::{Hidden, Mail, MailWay, Smtp, SmtpTls};
pub use oauth2::OAuth2;
pub use openapi::{Description, Operation, Part, Template, Unread};
pub use providers::{
    Client, Entra, GitHub, GroupRole, Offline, Oidc, Provider, ProviderKind, Special,
};
pub use scim::Directory;
pub use secrets::Secrets;
pub use settings::{
    Address, Audit, CONTROL_PLANE, Cache, Circuit, ClientCertificates, Database, Essentials,
    Exists, Health, HostRewrite, Limits, Listen, ListenerTls, Log, Provision, RateLimits, Serves,
    Settings, Shutdown, SignIn, Timeouts, TlsVersion, UnknownName, Upstream, UpstreamTls,
};
pub use variables::Environment;
