//! A configuration that was checked.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use http::{HeaderName, Method};
use ipnet::IpNet;
use secrecy::SecretString;
use url::Url;

use super::certificate::{Authorities, ServerCertificate};
use super::{Assertion, Directory, Mail, OAuth2, Provider, Secrets};
use crate::domain::{BuiltInRole, Catalogue, Mfa, Permission, Rates, WhenFull};
use crate::policy::{
    BodyTemplate, Dialect, HeadLimits, Origin, OwnedHeaders, ResourceType, Route, RouteMap,
    Template,
};
use crate::rate::RedisOptions;
use crate::telemetry::LogFormat;

/// Name of the upstream that is the gateway's own control plane. No upstream of a
/// configuration can have it: it is no short name.
pub const CONTROL_PLANE: &str = ".portcullis";

/// Everything that a configuration file says, with defaults filled in.
#[derive(Debug)]
pub struct Settings {
    /// Where clients come in; at least one.
    pub listen: Vec<Listen>,
    /// Where `/livez`, `/readyz` and `/metrics` are.
    pub private_listen: SocketAddr,
    /// Spool and private Postgres.
    pub data_dir: PathBuf,
    /// `None`: a private Postgres under `data_dir`.
    pub database: Option<Database>,
    /// Peers whose `X-Forwarded-For`, `X-Forwarded-Proto` and `X-Request-Id` are believed.
    pub trusted_proxies: Vec<IpNet>,
    /// Peers that may describe a request and ask whether it may go on.
    pub askers: Vec<IpNet>,
    /// Bounds on what clients may send.
    pub limits: Limits,
    /// Worker threads; `None`: one a core.
    pub workers: Option<usize>,
    /// Logging.
    pub log: Log,
    /// Stopping.
    pub shutdown: Shutdown,
    /// The role table's snapshot.
    pub cache: Cache,
    /// The audit spool.
    pub audit: Audit,
    /// How people sign in; `None`: nobody does.
    pub sign_in: Option<SignIn>,
    /// What access tokens are given for; `None`: none are given.
    pub oauth2: Option<OAuth2>,
    /// How often anything may be asked.
    pub rate: Rates,
    /// Where rate limits are counted.
    pub rate_limits: RateLimits,
    /// Every permission that exists.
    pub catalogue: Catalogue,
    /// The roles built in.
    pub roles: Vec<BuiltInRole>,
    /// By name.
    pub upstreams: BTreeMap<Arc<str>, Upstream>,
    /// The names that only the gateway sets.
    pub owned_headers: OwnedHeaders,
    /// What to do in a backend when a project appears.
    pub provisions: Vec<Provision>,
    /// How refusals are worded where no route was found.
    pub errors: Dialect,
    /// The types of objects that are declared. Any other is one whose owners the gateway
    /// records.
    pub resource_types: Vec<ResourceType>,
    /// All routes.
    pub routes: RouteMap,
}

impl Settings {
    /// The routes to backends: all but those of the gateway's own API.
    pub fn backend_routes(&self) -> impl Iterator<Item = &Arc<Route>> {
        let routes = self.routes.routes().iter();
        routes.filter(|route| *route.upstream != *CONTROL_PLANE)
    }
}

/// Where clients come in: one address.
#[derive(Clone, Debug)]
pub struct Listen {
    /// Port 0 takes a free one.
    pub address: SocketAddr,
    /// Whether HTTP/2 is spoken besides HTTP/1.1.
    pub http2: bool,
    /// Whether each connection begins with a PROXY header, told by a trusted proxy.
    pub proxy_protocol: bool,
    /// What a client finds there.
    pub serves: Serves,
}

/// What a client finds at an address.
#[derive(Clone, Debug)]
pub enum Serves {
    /// The routes, in cleartext.
    Plain,
    /// The routes, over TLS.
    Tls(ListenerTls),
    /// The way to this port, which speaks TLS; nothing else.
    Redirect(u16),
}

/// TLS towards clients.
#[derive(Clone, Debug)]
pub struct ListenerTls {
    /// At least one; the first answers for names that none has.
    pub certificates: Vec<ServerCertificate>,
    /// The lowest version spoken.
    pub min_version: TlsVersion,
    /// Certificates of clients; `None`: they are not asked for any.
    pub client_certificates: Option<ClientCertificates>,
    /// What becomes of a client that asks for a name that no certificate has.
    pub unknown_name: UnknownName,
}

/// Versions of TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsVersion {
    /// TLS 1.2.
    V1_2,
    /// TLS 1.3.
    V1_3,
}

/// What becomes of a client that asks for an unknown name, or for none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnknownName {
    /// It gets the first certificate.
    Default,
    /// Its handshake is refused.
    Refuse,
}

/// How clients prove themselves by certificate.
#[derive(Clone, Debug)]
pub struct ClientCertificates {
    /// Who may have issued them.
    pub authorities: Authorities,
    /// Whether a client without one is refused.
    pub required: bool,
}

/// The few keys that administration needs.
#[derive(Debug)]
pub struct Essentials {
    /// Spool and private Postgres.
    pub data_dir: PathBuf,
    /// `None`: a private Postgres under `data_dir`.
    pub database: Option<Database>,
    /// What the configuration adds to the catalogue.
    pub permissions: Vec<Permission>,
}

/// A Postgres of the operator's own.
#[derive(Debug)]
pub struct Database {
    /// As what the gateway works.
    pub url: SecretString,
    /// As what migrations are run; `None`: `url`.
    pub migrate_url: Option<SecretString>,
    /// Most connections of one gateway.
    pub max_connections: u32,
}

/// Logging.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Log {
    /// How a line looks.
    pub format: LogFormat,
    /// `off`, `error`, `warn`, `info`, `debug` or `trace`.
    pub level: &'static str,
}

/// Bounds on what clients may send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Of the head of a request.
    pub head: HeadLimits,
    /// From a head's first byte to its last.
    pub header_timeout: Duration,
    /// Longest body in bytes, where the route says nothing.
    pub body: u64,
    /// Longest answer in bytes that is understood before it is passed on.
    pub answer: usize,
    /// How long a client may send nothing and take nothing.
    pub idle: Duration,
    /// Requests of an HTTP/2 connection at once.
    pub streams: u32,
    /// Streams that a client may reset in ten seconds.
    pub resets: u32,
    /// Open connections.
    pub connections: usize,
    /// Open connections of one address.
    pub connections_per_address: usize,
    /// Requests being served.
    pub requests: i64,
    /// Requests being served of one address.
    pub requests_per_address: usize,
}

/// Stopping.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shutdown {
    /// How long an accepted request may take after the signal.
    pub deadline: Duration,
    /// How long `/readyz` is red before the listener closes.
    pub drain_delay: Duration,
}

/// The role table's snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cache {
    /// How often the version is asked for, should a notification be lost.
    pub poll: Duration,
    /// How long Postgres may be away before nothing is permitted any more.
    pub max_staleness: Duration,
}

/// The audit spool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Audit {
    /// What happens to requests when it is full.
    pub when_full: WhenFull,
    /// Its size on disk.
    pub max_bytes: u64,
}

/// How people sign in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignIn {
    /// How long a session may rest.
    pub idle: TimeDelta,
    /// How long it lasts, however much it is used.
    pub lifetime: TimeDelta,
    /// How many a person may have at once; `None`: any number.
    pub max_sessions: Option<u32>,
    /// Whether by two factors.
    pub mfa: Mfa,
    /// Where people find this site; `None`: nobody has said, and there are no passkeys.
    pub public_url: Option<Url>,
    /// How people get mail; `None`: they get none.
    pub mail: Option<Mail>,
    /// Who else says who people are.
    pub providers: Vec<Provider>,
    /// Tenants whose directory says who their people are.
    pub directories: Vec<Directory>,
    /// Under what secrets are encrypted.
    pub secrets: Secrets,
    /// The list of passwords that nobody may choose.
    pub breached_passwords: Option<Arc<Path>>,
}

/// Where rate limits are counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RateLimits {
    /// `None`: each instance counts for itself.
    pub redis: Option<RedisOptions>,
}

/// A backend.
#[derive(Clone, Debug)]
pub struct Upstream {
    /// Its name.
    pub name: Arc<str>,
    /// At least one; several are taken in turn.
    pub addresses: Vec<Address>,
    /// `None`: plain HTTP.
    pub tls: Option<UpstreamTls>,
    /// Whether HTTP/2 is spoken with it, and nothing else.
    pub http2: bool,
    /// What `Host` becomes, and `Origin` where it is the gateway's own.
    pub host: HostRewrite,
    /// Time-outs.
    pub timeouts: Timeouts,
    /// Health checks.
    pub health: Health,
    /// When an address is left alone for a while; `None`: never.
    pub circuit: Option<Circuit>,
    /// The upstream that has the same objects, under whose name they are on record.
    pub objects: Option<Arc<str>>,
    /// Identity headers: the defaults, those of its preset, those of the configuration.
    pub identity: Vec<(HeaderName, Template)>,
    /// The signed word for who asks; `None`: it gets none.
    pub assertion: Option<Arc<Assertion>>,
}

/// Host (a name or an address) and port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// Name or IP address, without brackets.
    pub host: String,
    /// Port.
    pub port: u16,
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port } = self;
        if host.contains(':') {
            write!(f, "[{host}]:{port}")
        } else {
            write!(f, "{host}:{port}")
        }
    }
}

/// TLS to a backend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpstreamTls {
    /// PEM bundle of the certificate authorities to trust; `None`: the system's.
    pub ca: Option<Arc<[u8]>>,
    /// Name to verify and to send (SNI).
    pub server_name: String,
    /// Off only for experiments.
    pub verify: bool,
}

/// What becomes of `Host`, and of an `Origin` that is the gateway's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HostRewrite {
    /// The upstream's own authority.
    Upstream(Box<str>),
    /// As the client sent it.
    Client,
    /// This text.
    Literal(Box<str>),
}

/// Time-outs of an upstream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// To connect.
    pub connect: Duration,
    /// Between two reads.
    pub read: Duration,
    /// Between two writes.
    pub write: Duration,
    /// How long an unused connection is kept.
    pub idle: Duration,
}

/// Health checks of an upstream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Health {
    /// Path to GET; `None`: a TCP connection is enough.
    pub path: Option<String>,
    /// How often.
    pub interval: Duration,
    /// How long one may take.
    pub timeout: Duration,
    /// Successes in a row that bring an address back.
    pub healthy: u32,
    /// Failures in a row that take it out.
    pub unhealthy: u32,
}

/// When an address that gives no answers is left alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Circuit {
    /// Requests in a row that it left without an answer.
    pub failures: u32,
    /// How long it is left alone.
    pub cooldown: Duration,
}

/// What to do in a backend when a project appears.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Provision {
    /// Name of the upstream.
    pub upstream: Arc<str>,
    /// Method of the request.
    pub method: Method,
    /// Path and query of the request.
    pub path: String,
    /// JSON body.
    pub body: BodyTemplate,
    /// Answers that mean it was there already.
    pub exists: Vec<Exists>,
    /// Where it is written.
    pub origin: Origin,
}

/// An answer that means "there already".
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exists {
    /// Its status.
    pub status: u16,
    /// `error_code` in its JSON body; `None`: any body.
    pub code: Option<String>,
}
