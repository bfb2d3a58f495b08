//! `PUT /tenants/{tenant}/session-rules`.

use axum::extract::State;
use axum::response::Response;

use super::SessionRules;
use crate::control::api::Api;
use crate::control::api::body::Body;
use crate::control::api::caller::Caller;
use crate::control::api::etag::IfMatch;
use crate::control::api::problem::Problem;
use crate::control::api::scope::InTenant;
use crate::domain::{self, PrincipalId};

/// Ask something else of the sessions of a tenant
#[utoipa::path(put, path = "/.portcullis/api/v1/tenants/{tenant}/session-rules",
    tag = "session rules", operation_id = "put_session_rules_of_tenant", request_body = SessionRules,
    responses((status = 200, description = "Changed", body = SessionRules)))]
pub(crate) async fn handle(
    State(api): State<Api>,
    caller: Caller,
    place: InTenant,
    seen: IfMatch,
    body: Body<SessionRules>,
) -> Result<Response, Problem> {
    let rules = domain::SessionRules::try_from(body.value)?;
    are_fit(&api, &place, &rules.break_glass).await?;
    if rules.enforce_sso {
        has_provider(&api, &place).await?;
    }
    let mut work = api.work(&caller, &place.site()).await?;
    let now = work.tx.rules_of_tenant(place.0.id).await?;
    seen.check(&SessionRules::from(now))?;
    let done = work.tx.put_rules_of_tenant(&place.0, &rules).await?;
    work.changed(done, &SessionRules::from(rules)).await
}

/// Nobody could come in any more where there is no provider whose word could be asked for.
async fn has_provider(api: &Api, place: &InTenant) -> Result<(), Problem> {
    let slug = &place.0.slug;
    let stored = api.db.stored_providers().await?;
    let mut configured = api.providers.configured.iter();
    if configured.any(|it| it.tenant == *slug) || stored.iter().any(|it| it.tenant == slug.as_str())
    {
        return Ok(());
    }
    let detail = "`enforce_sso`: no sign-in provider is this tenant's, so nobody could come in";
    Err(Problem::refused("invalid", detail))
}

/// Who may break the glass is in the tenant, and has a second factor: whoever has none could set
/// one up with a stolen password.
async fn are_fit(api: &Api, place: &InTenant, listed: &[PrincipalId]) -> Result<(), Problem> {
    let table = api.tables.current();
    for who in listed {
        if !table.is_in(*who, place.0.id) || !api.db.factors(*who).await?.any() {
            let detail = format!(
                "`break_glass`: {who} is nobody who is in this tenant and has a second factor"
            );
            return Err(Problem::refused("invalid", detail));
        }
    }
    Ok(())
}
