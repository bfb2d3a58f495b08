//! Who sends the request, by which key.

use chrono::{DateTime, Utc};

use super::super::CliError;
use super::ExplainArgs;
use crate::cache::CachedKey;
use crate::domain::{ApiKey, Catalogue, Principal};
use crate::policy::{Authentication, CredentialLimits, Rejection, Subject};
use crate::store::{Db, StoreError};

impl ExplainArgs {
    /// Who it is, and what the gateway would make of the key.
    pub(super) async fn authentication(
        &self,
        db: &Db,
        catalogue: &Catalogue,
        now: DateTime<Utc>,
    ) -> Result<(String, Authentication), CliError> {
        let principal = db.principal(&self.principal).await?;
        let key = match &self.key {
            Some(id) => {
                let found = db.find_key(id).await?;
                let missing = || StoreError::NotFound {
                    kind: "key",
                    name: id.to_string(),
                };
                Some(found.ok_or_else(missing)?)
            }
            None => None,
        };
        let label = principal.label().to_owned();
        Ok((label, authentication(principal, key, catalogue, now)))
    }
}

/// As if the principal had presented the key, or an unlimited one.
fn authentication(
    principal: Principal,
    key: Option<ApiKey>,
    catalogue: &Catalogue,
    now: DateTime<Utc>,
) -> Authentication {
    let rejected = match &key {
        _ if principal.disabled => Some(Rejection::PrincipalDisabled),
        Some(key) if key.principal != principal.id => Some(Rejection::Unknown),
        Some(key) if key.revoked_at.is_some() => Some(Rejection::Revoked),
        Some(key) if key.expires_at.is_some_and(|at| at <= now) => Some(Rejection::Expired),
        _ => None,
    };
    if let Some(why) = rejected {
        return Authentication::Rejected(why);
    }
    let limits = key.map(|key| CachedKey::new(key, catalogue).limits);
    Authentication::Authenticated(Subject {
        principal: principal.into(),
        credential: limits.unwrap_or_else(|| CredentialLimits::none().into()),
    })
}
