//! The project that somebody works in, for pages of a backend that do not say which they are
//! about.

use askama::Template;
use axum::Form;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;

use super::Pages;
use super::answer::{page, see_other};
use super::cookie::with_project;
use super::frame::{Frame, Place};
use super::sign_in::{From, back};
use super::sign_out::foreign_form;
use super::visitor::{Person, SignedIn};
use crate::domain::{ReturnPath, Scope, Slug, visible};
use crate::policy::RoleTable;

/// Most projects that are offered by name; whoever has more types one.
const MOST: usize = 100;

#[derive(Debug, Template)]
#[template(path = "project.html")]
struct ProjectPage<'a> {
    frame: Frame,
    projects: Vec<Offered>,
    /// Whether there are others than those offered.
    others: bool,
    /// What was typed.
    typed: &'a str,
    back: &'a ReturnPath,
    wrong: bool,
}

/// A project that is theirs.
#[derive(Debug)]
struct Offered {
    /// `tenant/project`.
    path: String,
    name: String,
    is_chosen: bool,
}

/// What the form holds.
#[derive(Deserialize)]
pub(super) struct Chosen {
    #[serde(default)]
    csrf_token: String,
    #[serde(default)]
    project: String,
    #[serde(default, rename = "return")]
    back: String,
}

/// Those that there are.
pub(super) async fn form(
    State(pages): State<Pages>,
    signed_in: SignedIn,
    from: Result<Query<From>, QueryRejection>,
) -> Response {
    let back = back(&from.map(|Query(from)| from.back).unwrap_or_default());
    show(&pages, &signed_in, &back, None)
}

/// One of them.
pub(super) async fn submit(
    State(pages): State<Pages>,
    signed_in: SignedIn,
    Form(form): Form<Chosen>,
) -> Response {
    let SignedIn { visitor, person } = &signed_in;
    if !visitor
        .sign_ins
        .is_own_form(person.session, &form.csrf_token)
    {
        return foreign_form(visitor);
    }
    let back = back(&form.back);
    let typed = form.project.trim();
    match (
        path_of(&pages.tables.current(), person, typed),
        visitor.cookie,
    ) {
        (Some(path), Some(cookie)) => with_project(see_other(back.as_str()), cookie, &path),
        _ => show(&pages, &signed_in, &back, Some(typed)),
    }
}

/// `tenant/project`, if there is such a project and they have a role in all of it.
fn path_of(table: &RoleTable, person: &Person, typed: &str) -> Option<String> {
    let (tenant, project) = typed.split_once('/')?;
    let tenant = table.tenant_by_slug(&tenant.trim().parse::<Slug>().ok()?)?;
    let project = table.project_by_slug(tenant.id, &project.trim().parse::<Slug>().ok()?)?;
    let open = table.admits(person.principal.id, Scope::Project(project.id));
    open.then(|| format!("{}/{}", tenant.slug, project.slug))
}

fn show(pages: &Pages, signed_in: &SignedIn, back: &ReturnPath, refused: Option<&str>) -> Response {
    let SignedIn { visitor, person } = signed_in;
    let table = pages.tables.current();
    let who = person.principal.id;
    let offered = |id| {
        let project = table.project(id)?;
        let path = format!("{}/{}", table.tenant(project.tenant)?.slug, project.slug);
        Some(Offered {
            is_chosen: visitor.chosen.as_deref() == Some(&path),
            name: visible(&project.name).into_owned(),
            path,
        })
    };
    let mut projects: Vec<_> = table
        .own_projects(who)
        .filter_map(offered)
        .take(MOST + 1)
        .collect();
    let wider = |scope| matches!(scope, Scope::Platform | Scope::Tenant(_));
    let others = projects.len() > MOST || table.grants_of(who).any(|grant| wider(grant.scope));
    projects.truncate(MOST);
    projects.sort_by(|a, b| a.path.cmp(&b.path));
    let shown = ProjectPage {
        frame: Frame::of(signed_in, Place::Project),
        projects,
        others,
        typed: refused.unwrap_or_default(),
        back,
        wrong: refused.is_some(),
    };
    let status = match refused {
        Some(_) => StatusCode::UNPROCESSABLE_ENTITY,
        None => StatusCode::OK,
    };
    page(status, &shown)
}
