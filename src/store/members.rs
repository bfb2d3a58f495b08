//! Who holds which role where: lists.

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::types::Uuid;

use super::bindings::{BindingPlace, Place};
use super::{Db, Result, StoreError};
use crate::domain::{BindingId, Effect, PrincipalId, ProjectPath, ResourceKey, ScopePath};

/// A member in a list: one role of one principal at one place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Member {
    /// Where; of an object, its project.
    pub scope: ScopePath,
    /// On which object of the project; `None`: on all of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resource: Option<ResourceKey>,
    /// Who: e-mail address, or `TENANT/NAME` of a service account.
    pub principal: String,
    /// Their id.
    pub principal_id: PrincipalId,
    /// Which role. A project's owner is listed with `owner`.
    pub role: String,
    /// What becomes of the role's permissions.
    pub effect: Effect,
    /// Counts only while this holds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub condition: Option<String>,
    /// The binding; `None` for a project's owner.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub binding: Option<BindingId>,
    /// By whose word: a sign-in provider's, or `scim`; `None`: by hand.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    /// Since when; for an owner, when the project was made.
    pub joined_at: DateTime<Utc>,
    /// Whether the principal is disabled: a disabled member may do nothing.
    pub disabled: bool,
}

impl Db {
    /// The members of one scope, or of all; owners included.
    ///
    /// # Errors
    ///
    /// `NotFound` for the scope.
    pub async fn members(&self, of: Option<&ScopePath>) -> Result<Vec<Member>> {
        let place = of.cloned().map(BindingPlace::Scope);
        self.members_at(place.as_ref()).await
    }

    /// As [`Db::members`], also of one object.
    ///
    /// # Errors
    ///
    /// `NotFound` for the place.
    pub async fn members_at(&self, of: Option<&BindingPlace>) -> Result<Vec<Member>> {
        let mut tx = self.read().await?;
        let place = match of {
            Some(place) => Some(Place::find(&mut tx, place).await?),
            None => None,
        };
        let kind = place.as_ref().map(Place::kind);
        let (tenant, project, resource) = place.map_or((None, None, None), |place| {
            (place.tenant, place.project, place.resource)
        });
        let rows = sqlx::query_as!(
            MemberRow,
            r#"SELECT m.scope AS "scope!", t.slug AS "tenant?", p.slug AS "project?", m.role AS "role!",
                   w.id AS "principal_id!", w.disabled_at IS NOT NULL AS "disabled!",
                   coalesce(w.email, h.slug || '/' || w.name) AS "principal!",
                   m.id AS "binding?", m.effect = 'deny' AS "denies!", m.condition,
                   m.created_at AS "joined_at!", o.upstream AS "upstream?", o.type AS "kind?",
                   o.external_id AS "external_id?", m.provider
               FROM (
                   SELECT b.scope, b.tenant_id, b.project_id, b.resource_id, b.principal_id,
                       r.name AS role, b.id, b.effect, b.condition, b.provider, b.created_at
                   FROM bindings b JOIN roles r ON r.id = b.role_id
                   UNION ALL
                   SELECT 'project', tenant_id, id, NULL, owner_id, 'owner', NULL, 'allow', NULL, NULL,
                       created_at
                   FROM projects
               ) m
               JOIN principals w ON w.id = m.principal_id
               LEFT JOIN tenants h ON h.id = w.tenant_id
               LEFT JOIN tenants t ON t.id = m.tenant_id
               LEFT JOIN projects p ON p.id = m.project_id
               LEFT JOIN resources o ON o.id = m.resource_id
               WHERE $1::text IS NULL OR (m.scope = $1
                   AND m.tenant_id IS NOT DISTINCT FROM $2 AND m.project_id IS NOT DISTINCT FROM $3
                   AND m.resource_id IS NOT DISTINCT FROM $4)
               ORDER BY array_position('{platform,tenant,project,resource}', m.scope), 2, 3, 12, 13, 14, 7, 4,
                   m.effect, m.condition NULLS FIRST, m.provider NULLS FIRST"#,
            kind,
            tenant.map(|tenant| tenant.id.0),
            project.map(|project| project.id.0),
            resource.map(|resource| resource.id.0),
        )
        .fetch_all(&mut *tx)
        .await?;
        rows.into_iter().map(Member::try_from).collect()
    }
}

struct MemberRow {
    scope: String,
    tenant: Option<String>,
    project: Option<String>,
    role: String,
    principal_id: Uuid,
    disabled: bool,
    principal: String,
    binding: Option<Uuid>,
    denies: bool,
    condition: Option<String>,
    provider: Option<String>,
    joined_at: DateTime<Utc>,
    upstream: Option<String>,
    kind: Option<String>,
    external_id: Option<String>,
}

impl TryFrom<MemberRow> for Member {
    type Error = StoreError;

    fn try_from(row: MemberRow) -> Result<Self> {
        let slug = |text: String| text.parse().map_err(StoreError::corrupt);
        let scope = match (row.tenant, row.project) {
            (None, None) => ScopePath::Platform,
            (Some(tenant), None) => ScopePath::Tenant(slug(tenant)?),
            (Some(tenant), Some(project)) => ScopePath::Project(ProjectPath {
                tenant: slug(tenant)?,
                project: slug(project)?,
            }),
            (None, Some(_)) => return Err(StoreError::Corrupt(row.scope)),
        };
        let key = row.upstream.zip(row.kind).zip(row.external_id);
        Ok(Self {
            scope,
            resource: key.map(|((upstream, kind), id)| ResourceKey {
                upstream: upstream.into(),
                kind: kind.into(),
                id: id.into(),
            }),
            principal: row.principal,
            principal_id: PrincipalId(row.principal_id),
            role: row.role,
            effect: effect(row.denies),
            condition: row.condition,
            binding: row.binding.map(BindingId),
            provider: row.provider,
            joined_at: row.joined_at,
            disabled: row.disabled,
        })
    }
}

/// Whatever is not known to deny grants: the two are told apart by SQL.
pub(super) const fn effect(denies: bool) -> Effect {
    if denies { Effect::Deny } else { Effect::Allow }
}
