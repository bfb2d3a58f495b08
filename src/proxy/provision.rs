//! The gateway's own requests: what a backend must hold before a project can use it.
//!
//! Whenever the role table changes, every project that this process has not yet seen
//! provisioned is; "exists already" is success. So a backend that was away, or that
//! lost its data, is made whole by the next attempt or the next start. Rules that
//! prepare projects otherwise, or elsewhere, begin anew.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;

use super::asking::{Asker, Question, Reply};
use super::rescue::Failure;
use super::rules::{LiveRules, Rules};
use super::upstream::Upstream;
use crate::cache::RoleTables;
use crate::config::Provision;
use crate::domain::{Project, ProjectId, Tenant};
use crate::policy::Field;

/// How often projects are compared with what was provisioned.
const EVERY: Duration = Duration::from_millis(200);
/// Pause after a failure.
const RETRY: Duration = Duration::from_secs(2);
/// So much of an answer is told if it is a refusal, in bytes.
const TOLD: usize = 300;

/// Why a project has not what it needs.
#[derive(Debug, thiserror::Error)]
enum Unprovided {
    #[error("there is no such upstream")]
    NoUpstream,
    #[error("what is to be sent names something that a project has not")]
    Field,
    #[error("no answer: {}", .0.code())]
    Unanswered(Failure),
    #[error("status {status}: {answer}")]
    Refused { status: u16, answer: String },
}

/// Provisions projects in the backends.
pub struct Provisioner {
    rules: LiveRules,
    asker: Asker,
    /// By (index of the provision, project).
    done: Mutex<HashSet<(usize, ProjectId)>>,
}

impl Provisioner {
    /// A provisioner that has done nothing yet.
    #[must_use]
    pub fn new(rules: LiveRules) -> Self {
        Self {
            rules,
            asker: Asker::default(),
            done: Mutex::default(),
        }
    }

    /// Follows the role table and the rules for ever.
    pub async fn run(&self, tables: &RoleTables) -> ! {
        let mut rules = self.rules.load_full();
        let mut seen = None;
        loop {
            let in_force = self.rules.load_full();
            if !in_force.provisions_like(&rules) {
                seen = None;
                self.done().clear();
            }
            rules = in_force;
            let version = tables.current().version();
            let pause = if seen == Some(version) {
                EVERY
            } else if self.provision_all(&rules, tables).await {
                seen = Some(version);
                EVERY
            } else {
                RETRY
            };
            tokio::time::sleep(pause).await;
        }
    }

    /// Whether all projects have what they need.
    async fn provision_all(&self, rules: &Rules, tables: &RoleTables) -> bool {
        let table = tables.current().clone();
        let mut complete = true;
        for project in table.projects() {
            let Some(tenant) = table.tenant(project.tenant) else {
                continue;
            };
            complete &= self.provision_by(rules, tenant, project).await;
        }
        complete
    }

    /// Makes sure of one project; returns whether all of it succeeded.
    pub async fn provision(&self, tenant: &Tenant, project: &Project) -> bool {
        let rules = self.rules.load_full();
        self.provision_by(&rules, tenant, project).await
    }

    async fn provision_by(&self, rules: &Rules, tenant: &Tenant, project: &Project) -> bool {
        let mut complete = true;
        for (at, provision) in rules.provisions.iter().enumerate() {
            if self.done().contains(&(at, project.id)) {
                continue;
            }
            let (upstream, project_name) = (&provision.upstream, &project.slug);
            let asked = match rules.upstreams.find(upstream) {
                Some(upstream) => self.ask(provision, upstream, tenant, project).await,
                None => Err(Unprovided::NoUpstream),
            };
            match asked {
                Ok(()) => {
                    tracing::info!(%upstream, project = %project_name, "project provisioned");
                    self.done().insert((at, project.id));
                }
                Err(error) => {
                    tracing::warn!(%upstream, project = %project_name, %error, "project not provisioned yet");
                    complete = false;
                }
            }
        }
        complete
    }

    fn done(&self) -> std::sync::MutexGuard<'_, HashSet<(usize, ProjectId)>> {
        self.done.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn ask(
        &self,
        rule: &Provision,
        upstream: &Upstream,
        tenant: &Tenant,
        project: &Project,
    ) -> Result<(), Unprovided> {
        let question = Question {
            method: rule.method.clone(),
            target: rule.path.clone(),
            body: Some(body(rule, tenant, project)?),
        };
        let reply = self.asker.ask(upstream, &question).await;
        let Reply { status, body } = reply.map_err(Unprovided::Unanswered)?;
        if (200..300).contains(&status) || exists(rule, status, &body) {
            return Ok(());
        }
        let told = &body[..body.len().min(TOLD)];
        let answer = String::from_utf8_lossy(told).into_owned();
        Err(Unprovided::Refused { status, answer })
    }
}

fn body(rule: &Provision, tenant: &Tenant, project: &Project) -> Result<Bytes, Unprovided> {
    let fields = |field| {
        Some(match field {
            Field::TenantId => tenant.id.to_string().into(),
            Field::TenantSlug => tenant.slug.as_str().into(),
            Field::ProjectId => project.id.to_string().into(),
            Field::ProjectSlug => project.slug.as_str().into(),
            _ => return None,
        })
    };
    let body = rule.body.render(&fields).ok_or(Unprovided::Field)?;
    Ok(body.to_string().into())
}

fn exists(rule: &Provision, status: u16, answer: &[u8]) -> bool {
    let code = serde_json::from_slice::<serde_json::Value>(answer)
        .ok()
        .and_then(|answer| Some(answer.get("error_code")?.as_str()?.to_owned()));
    rule.exists.iter().any(|exists| {
        exists.status == status
            && exists
                .code
                .as_ref()
                .is_none_or(|want| code.as_ref() == Some(want))
    })
}
