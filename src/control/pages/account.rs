//! Who somebody is here, and what they may do where.

use std::collections::HashMap;

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;

use super::Pages;
use super::answer::{message, page};
use super::frame::{Frame, Place};
use super::visitor::{SignedIn, Visitor};
use crate::domain::{BindingId, Effect, PrincipalId, Scope, visible};
use crate::policy::{Grant, RoleTable};
use crate::store::StoreError;

#[derive(Debug, Template)]
#[template(path = "account.html")]
struct AccountPage {
    frame: Frame,
    places: Vec<Held>,
}

/// The roles that somebody holds at one place.
#[derive(Debug)]
struct Held {
    scope: Scope,
    /// Where: `acme / fraud`.
    path: String,
    /// The display name, if it says more.
    name: String,
    roles: Vec<Role>,
}

/// One of them.
#[derive(Debug)]
struct Role {
    name: String,
    /// The provider by whose word it is held; empty: it was given by hand.
    by: String,
}

/// The first page of an account.
pub(super) async fn show(State(pages): State<Pages>, signed_in: SignedIn) -> Response {
    let who = signed_in.person.principal.id;
    let given = match pages.own_keys.db.given_by_providers(who).await {
        Ok(given) => given,
        Err(error) => return unavailable(&signed_in.visitor, &error),
    };
    let table = pages.tables.current();
    let shown = AccountPage {
        frame: Frame::of(&signed_in, Place::Overview),
        places: held(&table, who, &given),
    };
    page(StatusCode::OK, &shown)
}

/// Grants come sorted by where they hold.
fn held(table: &RoleTable, who: PrincipalId, given: &HashMap<BindingId, String>) -> Vec<Held> {
    let mut places: Vec<Held> = Vec::new();
    for grant in table.grants_of(who) {
        let by = grant.binding.and_then(|id| given.get(&id));
        let role = Role {
            name: role(grant),
            by: by.cloned().unwrap_or_default(),
        };
        match places.last_mut() {
            Some(last) if last.scope == grant.scope => last.roles.push(role),
            _ => places.extend(place(table, grant.scope).map(|(path, name)| Held {
                scope: grant.scope,
                path,
                name,
                roles: vec![role],
            })),
        }
    }
    places.sort_by(|a, b| a.path.cmp(&b.path));
    places
}

fn role(grant: &Grant) -> String {
    let name = visible(&grant.role.name);
    let condition = if grant.condition.is_some() {
        ", under a condition"
    } else {
        ""
    };
    match grant.effect {
        Effect::Allow => format!("{name}{condition}"),
        Effect::Deny => format!("not {name}{condition}"),
    }
}

fn place(table: &RoleTable, scope: Scope) -> Option<(String, String)> {
    let project = match scope {
        Scope::Platform => {
            return Some((
                "Everywhere".to_owned(),
                "all tenants and projects".to_owned(),
            ));
        }
        Scope::Tenant(id) => {
            let tenant = table.tenant(id)?;
            return Some((tenant.slug.to_string(), "all of the tenant".to_owned()));
        }
        Scope::Project(id) | Scope::Resource { project: id, .. } => table.project(id)?,
    };
    let tenant = &table.tenant(project.tenant)?.slug;
    let path = format!("{tenant} / {}", project.slug);
    let name = match scope {
        Scope::Resource { .. } => "single objects".to_owned(),
        // Which says no more.
        _ if project.name == project.slug.as_str() => String::new(),
        _ => visible(&project.name).into_owned(),
    };
    Some((path, name))
}

/// The truth cannot be asked.
pub(super) fn unavailable(visitor: &Visitor, error: &StoreError) -> Response {
    tracing::error!(%error, "an account cannot be shown or changed");
    let text = "Your account cannot be reached at the moment. Try again.";
    let status = StatusCode::SERVICE_UNAVAILABLE;
    message(visitor, status, "Not now", text)
}
