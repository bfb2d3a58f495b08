//! Where a tenant takes the word of its own services only: the way there.

use askama::Template;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query};
use axum::http::StatusCode;
use axum::response::Response;

use super::answer::{page, see_other};
use super::provider::{listed, nowhere};
use super::sign_in::{From, back};
use super::visitor::SignedIn;

#[derive(Debug, Template)]
#[template(path = "at_tenant.html")]
struct AtTenantPage<'a> {
    tenant: &'a str,
    /// The way there, and what it is called.
    providers: Vec<(String, String)>,
}

/// Whoever is signed in some other way is led to the tenant's service; to which of several they
/// say themselves.
pub(super) async fn show(
    SignedIn { visitor, .. }: SignedIn,
    Path(tenant): Path<String>,
    from: Result<Query<From>, QueryRejection>,
) -> Response {
    let back = back(&from.map(|Query(from)| from.back).unwrap_or_default());
    let providers = listed(visitor.sign_ins.buttons_of(&tenant), &back);
    match &*providers {
        [] => nowhere(&visitor),
        [(only, _)] => see_other(only),
        _ => {
            let tenant = &tenant;
            page(StatusCode::OK, &AtTenantPage { tenant, providers })
        }
    }
}
