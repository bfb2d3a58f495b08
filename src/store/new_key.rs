//! New API keys.

use chrono::{DateTime, Utc};
use ipnet::IpNet;
use serde_json::json;

use super::author::{ChangeTx, Done};
use super::key_life::{end_of, insert};
use super::principals::principal;
use super::projects::project;
use super::roles::check_patterns;
use super::{Author, Db, Result, StoreError};
use crate::domain::{
    ApiKey, Catalogue, KeyToken, Principal, PrincipalId, PrincipalName, Project, ProjectPath,
    Quota, Tenant, TenantId,
};

/// A key to be created.
#[derive(Clone, Debug)]
pub struct NewKey {
    /// Who will hold it.
    pub principal: PrincipalName,
    /// Projects it is limited to; empty is no limit of its own.
    pub projects: Vec<ProjectPath>,
    /// Permission patterns it is limited to; empty is no limit of its own.
    pub permissions: Vec<String>,
    /// What it is for.
    pub description: String,
    /// Networks it may be used from; empty is from anywhere.
    pub networks: Vec<IpNet>,
    /// How many requests it may send, beside what others are limited to.
    pub rate: Option<Quota>,
    /// When it ends by itself.
    pub expires_at: Option<DateTime<Utc>>,
}

/// A key just created: the only moment at which the whole of it is known.
#[derive(Debug)]
pub struct CreatedKey {
    /// The whole key, to be shown once.
    pub token: KeyToken,
    /// What is stored of it.
    pub key: ApiKey,
    /// Projects it names that its holder has no role in: it opens nothing there.
    pub out_of_reach: Vec<ProjectPath>,
}

impl Db {
    /// Creates a key (`api_key.created`).
    ///
    /// # Errors
    ///
    /// `NotFound` for holder or projects, `Refused` for an unknown permission, a disabled
    /// holder or an expiry that is past.
    pub async fn create_key(
        &self,
        author: &mut Author,
        new: &NewKey,
        catalogue: &Catalogue,
    ) -> Result<CreatedKey> {
        if !new.permissions.is_empty() {
            check_patterns(&new.permissions, catalogue)?;
        }
        let pepper = self.pepper().await?;
        let mut change = self.change(author).await?;
        let holder = principal(&mut change.tx, &new.principal).await?;
        new.check(&holder, change.author.now())?;
        let (projects, out_of_reach) = limits(&mut change, new, &holder).await?;
        let token = KeyToken::generate(&mut change.author.rng);
        let now = change.author.now();
        let limits: Option<Vec<_>> = limit(projects.iter().map(|(_, it)| it.id).collect());
        let whose = (holder.id, limits.as_deref());
        let expires_at = end_of(&mut change.tx, whose, new.expires_at, now).await?;
        let key = ApiKey {
            id: token.id().clone(),
            principal: holder.id,
            secret_hash: pepper.hash(token.secret()),
            permissions: limit(new.permissions.clone()),
            projects: limits,
            description: new.description.clone(),
            networks: limit(new.networks.clone()),
            rate: new.rate,
            rotated_from: None,
            approved_for: Vec::new(),
            expires_at,
            revoked_at: None,
            created_at: now,
            last_used_at: None,
            last_used_ip: None,
            last_used_route: None,
        };
        insert(&mut change.tx, &key, &change.author.label()).await?;
        let done = created(&key, &holder, &new.projects, &projects);
        change.commit(done).await?;
        Ok(CreatedKey {
            token,
            key,
            out_of_reach,
        })
    }
}

impl NewKey {
    fn check(&self, holder: &Principal, now: DateTime<Utc>) -> Result<()> {
        if holder.disabled {
            return Err(StoreError::Refused(format!(
                "`{}` is disabled",
                self.principal
            )));
        }
        if self.expires_at.is_some_and(|at| at <= now) {
            return Err(StoreError::Refused("the expiry is past".to_owned()));
        }
        Ok(())
    }
}

fn limit<T>(values: Vec<T>) -> Option<Vec<T>> {
    (!values.is_empty()).then_some(values)
}

/// The projects that limit the key, and those of them that its holder has no role in.
async fn limits(
    change: &mut ChangeTx<'_>,
    new: &NewKey,
    holder: &Principal,
) -> Result<(Vec<(Tenant, Project)>, Vec<ProjectPath>)> {
    let mut projects = Vec::new();
    let mut out_of_reach = Vec::new();
    for path in &new.projects {
        let found = project(&mut change.tx, path).await?;
        if !within_reach(change, holder.id, &found.1).await? {
            out_of_reach.push(path.clone());
        }
        projects.push(found);
    }
    Ok((projects, out_of_reach))
}

async fn within_reach(
    change: &mut ChangeTx<'_>,
    holder: PrincipalId,
    project: &Project,
) -> Result<bool> {
    if project.owner == holder {
        return Ok(true);
    }
    let TenantId(tenant) = project.tenant;
    let bound = sqlx::query_scalar!(
        r#"SELECT EXISTS (
               SELECT FROM bindings WHERE principal_id = $1 AND (scope = 'platform'
                   OR (scope = 'tenant' AND tenant_id = $2) OR project_id = $3)
           ) AS "bound!""#,
        holder.0,
        tenant,
        project.id.0,
    )
    .fetch_one(&mut *change.tx)
    .await?;
    Ok(bound)
}

/// The event names a tenant and a project only where the key is limited to one of them.
fn created(
    key: &ApiKey,
    holder: &Principal,
    paths: &[ProjectPath],
    projects: &[(Tenant, Project)],
) -> Done {
    let paths: Vec<String> = paths.iter().map(ToString::to_string).collect();
    let done = Done::new("api_key.created", "api_key", &key.id)
        .detail("principal_id", key.principal.to_string())
        .detail("principal", holder.label())
        .detail("description", key.description.as_str())
        .detail("expires_at", key.expires_at.map(|at| at.to_rfc3339()))
        .detail("permissions", key.permissions.clone())
        .detail("networks", json!(key.networks))
        .detail("rate", json!(key.rate))
        .detail("projects", limit(paths));
    match projects {
        [(tenant, project)] => done
            .tenant(tenant.id, &tenant.slug)
            .project(project.id, &project.slug),
        _ => done,
    }
}
