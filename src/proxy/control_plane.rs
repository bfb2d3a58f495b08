//! The way to the gateway's own control plane: one more upstream, at a socket that only this
//! process can speak to.

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, HeaderName};
use pingora::http::{RequestHeader, ResponseHeader};

use super::exchange::Exchange;
use super::upstream::Upstream;
use crate::config::{self, CONTROL_PLANE, HostRewrite};
use crate::domain::{ControlHeaders, CredentialKind};
use crate::policy::{Permit, Requirement, chosen_project, shown_device, shown_errand};
use crate::telemetry::Metrics;

/// Where the gateway's own requests go.
#[derive(Clone)]
pub struct ControlPlane(Arc<Upstream>);

impl ControlPlane {
    /// The one behind this Unix socket.
    #[must_use]
    pub fn at(socket: String, metrics: &Metrics) -> Self {
        let retries = metrics.upstreams.retries(CONTROL_PLANE);
        Self(Arc::new(Upstream::at_socket(&settings(), socket, retries)))
    }

    /// The upstream, if this is its name.
    pub(super) fn named(&self, name: &str) -> Option<&Arc<Upstream>> {
        (name == CONTROL_PLANE).then_some(&self.0)
    }
}

/// It sees the host that the client asked for, and has no address to be checked.
fn settings() -> config::Upstream {
    let seconds = Duration::from_secs;
    config::Upstream {
        objects: None,
        name: CONTROL_PLANE.into(),
        addresses: Vec::new(),
        tls: None,
        http2: false,
        host: HostRewrite::Client,
        timeouts: config::Timeouts {
            connect: seconds(2),
            read: seconds(60),
            write: seconds(10),
            idle: seconds(60),
        },
        health: config::Health {
            path: None,
            interval: seconds(5),
            timeout: seconds(1),
            healthy: 1,
            unhealthy: 2,
        },
        circuit: None,
        identity: Vec::new(),
        assertion: None,
    }
}

/// Tells the control plane who asks, for what, and under which audit event: it believes all
/// of it, and knows nothing else of the caller.
pub(super) fn put_caller(
    built: &mut RequestHeader,
    permit: &Permit,
    exchange: &Exchange,
    sent: &HeaderMap,
) -> pingora::Result<()> {
    let mut put = |name: HeaderName, value: Option<String>| match value {
        Some(value) => built.insert_header(name, value),
        None => Ok(()),
    };
    let subject = permit.subject();
    let principal = subject.map(|subject| subject.principal.id.to_string());
    let credential = subject.and_then(|subject| subject.credential.id.as_ref());
    let session = credential.filter(|id| id.kind() == CredentialKind::Session);
    let tenant = permit.tenant().map(|tenant| tenant.id.to_string());
    let project = permit.project().map(|project| project.id.to_string());
    put(ControlHeaders::PRINCIPAL, principal)?;
    put(
        ControlHeaders::CREDENTIAL,
        credential.map(ToString::to_string),
    )?;
    put(ControlHeaders::SESSION, session.map(ToString::to_string))?;
    let scopes = subject.and_then(|subject| subject.credential.scopes.as_ref());
    put(ControlHeaders::SCOPES, scopes.map(ToString::to_string))?;
    let route = permit.route();
    let asks = matches!(route.requirement, Requirement::Permission { .. });
    let scope = asks.then(|| route.scope.as_str().to_owned());
    put(ControlHeaders::SCOPE, scope)?;
    put(ControlHeaders::TENANT, tenant)?;
    put(ControlHeaders::PROJECT, project)?;
    put(ControlHeaders::EVENT, Some(exchange.event_id.to_string()))?;
    let arrived = exchange.occurred_at.timestamp_micros();
    put(ControlHeaders::ARRIVED, Some(arrived.to_string()))?;
    put(ControlHeaders::ROUTE, Some(route.label.to_string()))?;
    put(
        ControlHeaders::DEVICE,
        shown_device(sent).map(str::to_owned),
    )?;
    put(
        ControlHeaders::ERRAND,
        shown_errand(sent).map(str::to_owned),
    )?;
    put(
        ControlHeaders::CHOSEN_PROJECT,
        chosen_project(sent).map(str::to_owned),
    )
}

/// Why it has not carried out a request: told to us, and to no client.
pub(super) fn take_refusal(response: &mut ResponseHeader) -> Option<String> {
    let word = response.remove_header(&ControlHeaders::REFUSED)?;
    word.to_str().ok().map(str::to_owned)
}
