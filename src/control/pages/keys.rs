//! The API keys of somebody.

use askama::Template;
use axum::Form;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use rand::RngCore as _;

use super::Pages;
use super::account::unavailable;
use super::answer::{gone, page, see_other};
use super::frame::{Frame, Place};
use super::moment::Moment;
use super::sign_out::{OwnForm, foreign_form};
use super::visitor::SignedIn;
use crate::domain::{Effect, KeyId, Project, Scope, visible};
use crate::policy::RoleTable;
use crate::store::StoreError;
use crate::store::api::OwnKey;

const HERE: &str = "/.portcullis/account/keys";
/// Most projects that are offered.
const MOST: usize = 500;

#[derive(Debug, Template)]
#[template(path = "keys.html")]
struct KeysPage<'a> {
    frame: Frame,
    keys: Vec<Row>,
    projects: Vec<Offered>,
    /// One form makes one key.
    once: String,
    wrong: Option<&'a str>,
}

#[derive(Debug)]
struct Row {
    id: String,
    name: String,
    projects: String,
    made: Moment,
    last_used: Option<Moment>,
    expires: Option<Moment>,
    is_pending: bool,
}

/// A project for which a key can be made.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Offered {
    path: String,
    /// With the display name, if that says more.
    text: String,
}

impl From<OwnKey> for Row {
    fn from(key: OwnKey) -> Self {
        let name = visible(&key.description).into_owned();
        let projects = match key.projects {
            None => "all of mine".to_owned(),
            Some(paths) if paths.is_empty() => "none that exists".to_owned(),
            Some(paths) => paths.join(", "),
        };
        Self {
            name: if name.is_empty() {
                "without a name".to_owned()
            } else {
                name
            },
            id: key.id,
            projects,
            made: key.created_at.into(),
            last_used: key.last_used_at.map(Moment::from),
            expires: key.expires_at.map(Moment::from),
            is_pending: key.is_pending,
        }
    }
}

/// Those in force, and the form for another.
pub(super) async fn show(State(pages): State<Pages>, signed_in: SignedIn) -> Response {
    with(&pages, &signed_in, StatusCode::OK, None).await
}

/// The same, and what was wrong with what they asked for.
pub(super) async fn with(
    pages: &Pages,
    signed_in: &SignedIn,
    status: StatusCode,
    wrong: Option<&str>,
) -> Response {
    let SignedIn { visitor, person } = signed_in;
    let keys = match pages.own_keys.of(person.principal.id).await {
        Ok(keys) => keys,
        Err(error) => return unavailable(visitor, &error),
    };
    let shown = KeysPage {
        frame: Frame::of(signed_in, Place::Keys),
        keys: keys.into_iter().map(Row::from).collect(),
        projects: offered(pages, signed_in),
        once: format!("{:016x}", rand::rng().next_u64()),
        wrong,
    };
    page(status, &shown)
}

/// Revokes one of one's own.
pub(super) async fn revoke(
    State(pages): State<Pages>,
    signed_in: SignedIn,
    Path(key): Path<String>,
    Form(form): Form<OwnForm>,
) -> Response {
    let SignedIn { visitor, person } = signed_in;
    if !visitor
        .sign_ins
        .is_own_form(person.session, &form.csrf_token)
    {
        return foreign_form(&visitor);
    }
    let Ok(key) = key.parse::<KeyId>() else {
        return gone(&visitor, HERE);
    };
    let request = visitor.request.clone();
    let revoked = pages.own_keys.revoke(request, &person.principal, &key);
    match revoked.await {
        Ok(()) => see_other(HERE),
        Err(StoreError::NotFound { .. }) => gone(&visitor, HERE),
        Err(error) => unavailable(&visitor, &error),
    }
}

/// Projects in which they hold a role, by path.
fn offered(pages: &Pages, SignedIn { person, .. }: &SignedIn) -> Vec<Offered> {
    let table = pages.tables.current();
    let who = person.principal.id;
    let mut wider = table.grants_of(who).filter(|grant| {
        let wide = matches!(grant.scope, Scope::Platform | Scope::Tenant(_));
        wide && grant.effect == Effect::Allow
    });
    let mut found: Vec<_> = if wider.next().is_some() {
        let open = table.projects().filter(|it| table.reaches(who, it.id));
        open.take(MOST).filter_map(|it| offer(&table, it)).collect()
    } else {
        let mut own: Vec<_> = table
            .grants_of(who)
            .filter_map(|grant| match grant.scope {
                Scope::Project(id) | Scope::Resource { project: id, .. } => Some(id),
                _ => None,
            })
            .filter(|id| table.reaches(who, *id))
            .collect();
        own.sort_unstable();
        own.dedup();
        let own = own.into_iter().filter_map(|id| table.project(id));
        own.take(MOST).filter_map(|it| offer(&table, it)).collect()
    };
    found.sort();
    found
}

fn offer(table: &RoleTable, project: &Project) -> Option<Offered> {
    let path = format!("{}/{}", table.tenant(project.tenant)?.slug, project.slug);
    let says_more = project.name != project.slug.as_str();
    let text = if says_more {
        format!("{path} – {}", visible(&project.name))
    } else {
        path.clone()
    };
    Some(Offered { path, text })
}
