//! Where the right of the caller holds. Only the data plane's word makes one of these, and only
//! if it is about what the path names.

use std::sync::Arc;

use axum::extract::{FromRequestParts, RawPathParams};
use axum::http::request::Parts;

use super::Api;
use super::caller::told;
use super::problem::Problem;
use crate::domain::{ControlHeaders, Project, Scope, Slug, Tenant, TenantId};
use crate::store::Claims;

/// The permission of the route is held on the platform.
#[derive(Debug)]
pub(super) struct OnPlatform;

/// It is held in this tenant.
#[derive(Debug)]
pub(super) struct InTenant(pub(super) Arc<Tenant>);

/// It is held in this project.
#[derive(Debug)]
pub(super) struct InProject {
    pub(super) tenant: Arc<Tenant>,
    pub(super) project: Arc<Project>,
}

/// Where a change is made, and in whose name.
#[derive(Debug)]
pub(super) struct Site {
    pub(super) claims: Claims,
    pub(super) tenant: Option<(TenantId, Slug)>,
}

impl OnPlatform {
    /// Where a change is made that no tenant makes.
    pub(super) const SITE: Site = Site {
        claims: Self::CHANGES,
        tenant: None,
    };

    /// Whoever may only read does so by the rules of the database, too.
    pub(super) const READS: Claims = Claims::Reviewer;
    const CHANGES: Claims = Claims::Superadmin;
}

impl InTenant {
    pub(super) fn claims(&self) -> Claims {
        Claims::Member(self.0.id)
    }

    pub(super) fn scope(&self) -> Scope {
        Scope::Tenant(self.0.id)
    }

    /// Where a change in it is made.
    pub(super) fn site(&self) -> Site {
        Site {
            claims: self.claims(),
            tenant: Some((self.0.id, self.0.slug.clone())),
        }
    }
}

impl InProject {
    pub(super) fn claims(&self) -> Claims {
        Claims::Member(self.tenant.id)
    }

    pub(super) fn scope(&self) -> Scope {
        Scope::Project(self.project.id)
    }

    /// Where a change in it is made.
    pub(super) fn site(&self) -> Site {
        Site {
            claims: self.claims(),
            tenant: Some((self.tenant.id, self.tenant.slug.clone())),
        }
    }

    /// Both, for the store.
    pub(super) fn place(&self) -> (&Tenant, &Project) {
        (&self.tenant, &self.project)
    }
}

impl FromRequestParts<Api> for OnPlatform {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &Api) -> Result<Self, Problem> {
        held(parts, "platform").map(|()| Self)
    }
}

impl FromRequestParts<Api> for InTenant {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Problem> {
        held(parts, "tenant")?;
        tenant(parts, api).await.map(Self)
    }
}

impl FromRequestParts<Api> for InProject {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Problem> {
        held(parts, "project")?;
        let tenant = tenant(parts, api).await?;
        let id = told(&parts.headers, &ControlHeaders::PROJECT)?.parse().ok();
        let table = api.tables.current();
        let project = id.and_then(|id| table.project(id));
        let project = project.filter(|project| project.tenant == tenant.id);
        let project = project.ok_or_else(|| Problem::not_found("the project is gone"))?;
        let project = Arc::clone(project);
        is_named(parts, api, "project", project.slug.as_str()).await?;
        Ok(Self { tenant, project })
    }
}

fn held(parts: &Parts, scope: &str) -> Result<(), Problem> {
    if told(&parts.headers, &ControlHeaders::SCOPE)? == scope {
        return Ok(());
    }
    Err(Problem::internal("the permission is held elsewhere"))
}

async fn tenant(parts: &mut Parts, api: &Api) -> Result<Arc<Tenant>, Problem> {
    let id = told(&parts.headers, &ControlHeaders::TENANT)?.parse().ok();
    let table = api.tables.current();
    let tenant = id.and_then(|id| table.tenant(id)).map(Arc::clone);
    let tenant = tenant.ok_or_else(|| Problem::not_found("the tenant is gone"))?;
    is_named(parts, api, "tenant", tenant.slug.as_str()).await?;
    Ok(tenant)
}

/// What was decided about is what the path names.
async fn is_named(parts: &mut Parts, api: &Api, name: &str, slug: &str) -> Result<(), Problem> {
    let params = RawPathParams::from_request_parts(parts, api).await;
    let params = params.map_err(|_| Problem::internal("no path"))?;
    if params.iter().any(|param| param == (name, slug)) {
        return Ok(());
    }
    Err(Problem::internal("the path names something else"))
}
