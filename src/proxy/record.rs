//! The audit event of an exchange.

use std::sync::Arc;
use std::time::Instant;

use http::{Method, StatusCode};
use serde_json::{Map, Value, json};

use super::exchange::{Exchange, Outcome};
use crate::domain::{Actor, AuditEvent, AuditResult};
use crate::policy::{DenialReason, Facts};

const DENIED: &str = "authz.denied";
const UNAUTHENTICATED: &str = "authn.failed";
const MALFORMED: &str = "request.malformed";
const REDIRECTED: &str = "request.redirected";
const ABANDONED: &str = "request.abandoned";

/// Writes down what became of the exchange.
pub(super) fn event(exchange: &Exchange, now: Instant) -> AuditEvent {
    let facts = exchange.facts();
    let subject = facts.and_then(|facts| facts.subject.as_ref());
    let tenant = facts.and_then(|facts| facts.tenant.as_ref());
    let project = facts.and_then(|facts| facts.project.as_ref());
    let (result, reason) = result(exchange);
    let latency = now.saturating_duration_since(exchange.arrived).as_micros();
    AuditEvent {
        id: exchange.event_id,
        occurred_at: exchange.occurred_at,
        event: name(exchange),
        result,
        reason,
        tenant: tenant.map(|tenant| (tenant.id, tenant.slug.clone())),
        project: project.map(|project| (project.id, project.slug.clone())),
        actor: actor(facts),
        credential_id: subject
            .and_then(|subject| Some(subject.credential.id.as_ref()?.to_shared())),
        ip: exchange.client.as_ref().and_then(|client| client.ip),
        user_agent: exchange.user_agent.clone(),
        resource: facts.and_then(|facts| facts.resource.clone()),
        method: exchange.method.as_ref().map(Method::to_string),
        route: facts
            .and_then(|facts| facts.route.as_ref())
            .map(|route| Arc::clone(&route.label)),
        status: exchange.status.map(|status| status.as_u16()),
        latency: u64::try_from(latency).ok(),
        request_id: Some(exchange.request_id().to_owned()),
        details: details(exchange),
    }
}

fn name(exchange: &Exchange) -> Arc<str> {
    match &exchange.outcome {
        Outcome::Permitted(_) if refused_by_us(exchange).is_some() => DENIED.into(),
        Outcome::Permitted(permit) => Arc::clone(&permit.route().event),
        Outcome::Denied(denial, _) => match denial.reason() {
            DenialReason::Malformed(_) => MALFORMED.into(),
            DenialReason::Unauthenticated | DenialReason::Rejected(_) | DenialReason::Ended(_) => {
                UNAUTHENTICATED.into()
            }
            _ => DENIED.into(),
        },
        Outcome::Redirected => REDIRECTED.into(),
        Outcome::Open => ABANDONED.into(),
    }
}

/// Why our own control plane has denied it, after the route was permitted.
fn refused_by_us(exchange: &Exchange) -> Option<&String> {
    let is_denial = exchange.status == Some(StatusCode::FORBIDDEN);
    exchange.refused.as_ref().filter(|_| is_denial)
}

fn result(exchange: &Exchange) -> (AuditResult, Option<String>) {
    if let Some(word) = refused_by_us(exchange) {
        return (AuditResult::Denied, Some(word.clone()));
    }
    if let Outcome::Denied(denial, _) = &exchange.outcome {
        return (AuditResult::Denied, Some(denial.code().to_owned()));
    }
    if let Some(failure) = exchange.failure {
        return (AuditResult::Failed, Some(failure.code().to_owned()));
    }
    match exchange.status {
        Some(status) if status.is_client_error() || status.is_server_error() => (
            AuditResult::Failed,
            Some(match &exchange.refused {
                Some(word) => word.clone(),
                None => format!("upstream_{}", status.as_u16()),
            }),
        ),
        Some(_) => match exchange.grpc_status {
            None | Some(0) => (AuditResult::Success, None),
            Some(code) => (AuditResult::Failed, Some(format!("upstream_grpc_{code}"))),
        },
        None => (AuditResult::Failed, Some("no_answer".to_owned())),
    }
}

pub(super) fn actor(facts: Option<&Facts>) -> Actor {
    match facts.and_then(|facts| facts.subject.as_ref()) {
        None => Actor::anonymous(),
        Some(subject) => Actor {
            kind: subject.principal.kind.as_str(),
            id: Some(subject.principal.id.to_string()),
            email: subject.principal.email.clone(),
        },
    }
}

/// The client's certificate, path and host as decided upon, what was missing, and for a denial the event it
/// would have been.
fn details(exchange: &Exchange) -> Map<String, Value> {
    let mut details = Map::new();
    let connection = exchange.connection.as_ref();
    if let Some(certificate) = connection.and_then(|it| it.client_certificate.as_ref()) {
        let told = json!({ "subject": certificate.subject, "sha256": certificate.fingerprint });
        details.insert("client_certificate".to_owned(), told);
    }
    if !exchange.made.is_empty() {
        let made = exchange.made.iter();
        let made = made.map(|key| json!({ "type": key.kind, "id": key.id }));
        let what = match exchange.failure {
            None => "created",
            Some(_) => "orphaned",
        };
        details.insert(what.to_owned(), made.collect());
    }
    if exchange.asked.is_some() {
        details.insert("forwarded_by".to_owned(), asker(exchange).into());
    }
    if let Some(request) = &exchange.request {
        details.insert("path".to_owned(), request.path().encoded().into());
        details.insert("host".to_owned(), request.host().into());
    }
    if let (Outcome::Permitted(permit), Some(_)) = (&exchange.outcome, refused_by_us(exchange)) {
        let intended = &permit.route().event;
        details.insert("intended".to_owned(), (&**intended).into());
    }
    if let Outcome::Denied(denial, facts) = &exchange.outcome {
        if let Some(route) = &facts.route {
            details.insert("intended".to_owned(), (&*route.event).into());
        }
        if let DenialReason::PermissionMissing { permission, .. }
        | DenialReason::CredentialPermission { permission } = denial.reason()
        {
            details.insert("permission".to_owned(), permission.as_str().into());
        }
        if let DenialReason::RateLimited { rule, .. } = denial.reason() {
            details.insert("limit".to_owned(), rule.name().into());
        }
    }
    details
}

/// The address of the proxy that has asked.
fn asker(exchange: &Exchange) -> Option<String> {
    let peer = exchange.connection.as_deref()?.peer?;
    Some(peer.to_string())
}
