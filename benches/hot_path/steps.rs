//! The steps of one request, each by itself.

use std::path::Path;

use chrono::DateTime;
use http::{HeaderMap, HeaderValue, Method, header};
use portcullis::audit::{Spool, SpoolOptions};
use portcullis::domain::{Actor, AuditEvent, AuditResult, Catalogue, EventId, ResourceRef};
use portcullis::policy::{CanonicalRequest, Head, HeadLimits, HeadReader, RawRequest, RoleTable};
use secrecy::ExposeSecret as _;

use super::credentials::Credentials;
use super::rows::{id, rows};
use super::world::{READ, Result, World};

const TARGET: &[u8] = b"/api/v7/models/model-7?max_results=10&page_token=abc";
const LIMITS: HeadLimits = HeadLimits {
    request_line: 16 << 10,
    bytes: 64 << 10,
    fields: 100,
};
/// Routes and bindings of the world.
const ROUTES: usize = 300;
const BINDINGS: usize = 1_000;
const CREDENTIALS: usize = 100;
/// Room for any number of events that a bench commits.
const SPOOL: u64 = 16 << 30;

/// One request, and all that its answer rests on.
pub struct Steps {
    pub credentials: Credentials,
    world: World,
    head: Vec<u8>,
    headers: HeaderMap,
    spool: Spool,
    event: AuditEvent,
}

impl Steps {
    /// With a spool in this directory.
    pub fn new(directory: &Path) -> Result<Self> {
        let catalogue = Catalogue::new([READ.parse()?]);
        let read = catalogue.index(&READ.parse()?).ok_or("no permission")?;
        let table = RoleTable::build(rows(BINDINGS), &catalogue).0;
        let credentials = Credentials::new(CREDENTIALS, &catalogue);
        let options = SpoolOptions {
            max_bytes: SPOOL,
            shards: 1,
            ..SpoolOptions::default()
        };
        let headers = headers(credentials.key.expose_secret())?;
        Ok(Self {
            world: World::new(table.into(), ROUTES, BINDINGS, read)?,
            head: wire(&headers),
            headers,
            spool: Spool::open(&directory.join("spool"), options)?,
            event: event()?,
            credentials,
        })
    }

    /// Reads the head as it came, before Pingora does.
    pub fn head(&self) -> Result<Option<Head>> {
        Ok(HeadReader::default().read(&self.head, &LIMITS)?)
    }

    /// Makes the request canonical.
    pub fn canonical(&self) -> Result<CanonicalRequest> {
        Ok(CanonicalRequest::parse(&RawRequest {
            method: &Method::GET,
            target: TARGET,
            authority: None,
            headers: &self.headers,
        })?)
    }

    /// Finds the route and decides; whether it is permitted.
    pub fn decide(&self) -> bool {
        matches!(
            self.world.ask(),
            portcullis::policy::Decision::Permitted(..)
        )
    }

    /// Reserves room for the event and commits it.
    pub fn record(&self) -> Result<()> {
        Ok(self.spool.reserve()?.commit(&self.event)?)
    }

    /// All of it, in order; whether it was permitted.
    pub fn all(&self) -> Result<bool> {
        let slot = self.spool.reserve()?;
        self.head()?;
        let request = self.canonical()?;
        let Some(portcullis::policy::PresentedSecret::Secret(secret)) = request.credential() else {
            return Err("no key was presented".into());
        };
        self.credentials.find_key(secret)?;
        let permitted = self.decide();
        slot.commit(&self.event)?;
        Ok(permitted)
    }
}

fn headers(key: &str) -> Result<HeaderMap> {
    let mut headers = HeaderMap::new();
    let fields = [
        (header::HOST, "gateway.example:8080"),
        (header::ACCEPT, "application/json"),
        (header::ACCEPT_ENCODING, "gzip, deflate"),
        (header::USER_AGENT, "mlflow-python-client/3.17.2"),
    ];
    for (name, value) in fields {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.insert(header::AUTHORIZATION, format!("Bearer {key}").parse()?);
    Ok(headers)
}

/// The head as a client sends it.
fn wire(headers: &HeaderMap) -> Vec<u8> {
    let mut head = [b"GET ", TARGET, b" HTTP/1.1\r\n"].concat();
    for (name, value) in headers {
        head.extend([name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"].concat());
    }
    head.extend(b"\r\n");
    head
}

fn event() -> Result<AuditEvent> {
    Ok(AuditEvent {
        id: EventId(id(1)),
        occurred_at: DateTime::UNIX_EPOCH,
        event: "model.read".into(),
        result: AuditResult::Success,
        reason: None,
        tenant: Some((portcullis::domain::TenantId(id(2)), "acme".parse()?)),
        project: Some((portcullis::domain::ProjectId(id(3)), "fraud".parse()?)),
        actor: Actor {
            kind: "user",
            id: Some(id(4).to_string()),
            email: Some("ann@acme.example".to_owned()),
        },
        credential_id: Some("0123456789ab".into()),
        ip: Some([127, 0, 0, 1].into()),
        user_agent: Some("mlflow-python-client/3.17.2".to_owned()),
        resource: Some(ResourceRef {
            kind: "model".into(),
            id: "model-7".to_owned(),
        }),
        method: Some("GET".to_owned()),
        route: Some("/api/v7/models/{id}".into()),
        status: Some(200),
        latency: Some(1234),
        request_id: Some(id(5).to_string()),
        details: serde_json::Map::new(),
    })
}
