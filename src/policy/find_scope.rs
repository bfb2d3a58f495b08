//! Which project a request is about: the one that its route reads from it, else the
//! credential's, else the one that the header names, else the one that somebody with a browser has
//! chosen, else the only one its principal has.

use std::sync::Arc;

use http::HeaderName;

use super::{DenialReason, Malformed, RoleTable, Subject};
use crate::domain::{Project, Scope, Slug, TenantId};

/// Names the project, `tenant/project`, where the credential leaves it open.
pub const X_PORTCULLIS_PROJECT: HeaderName = HeaderName::from_static("x-portcullis-project");

/// Why no project was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoProject {
    /// None was named and none follows.
    Unnamed,
    /// The short name fits several.
    Ambiguous,
    /// Unknown, or closed to this principal.
    Closed,
    /// The credential is for other projects.
    OutsideCredential,
    /// It was named in a way that has no single meaning.
    Malformed(Malformed),
}

impl NoProject {
    /// Whether it stands against the request even where no project is needed.
    pub(super) const fn is_refusal(self) -> bool {
        !matches!(self, Self::Unnamed)
    }
}

impl From<NoProject> for DenialReason {
    fn from(why: NoProject) -> Self {
        match why {
            NoProject::Unnamed => Self::ProjectRequired,
            NoProject::Ambiguous => Self::ProjectAmbiguous,
            NoProject::Closed => Self::ProjectClosed,
            NoProject::OutsideCredential => Self::CredentialScope,
            NoProject::Malformed(malformed) => Self::Malformed(malformed),
        }
    }
}

impl From<Malformed> for NoProject {
    fn from(malformed: Malformed) -> Self {
        Self::Malformed(malformed)
    }
}

impl From<Malformed> for DenialReason {
    fn from(malformed: Malformed) -> Self {
        Self::Malformed(malformed)
    }
}

/// Where a request names its project.
pub(in crate::policy) struct ProjectName<'n, F> {
    /// In the place that its route gives: the backend reads it there too.
    pub(super) by_route: Option<String>,
    /// In `X-Portcullis-Project`, read only if it comes to that.
    pub(super) by_header: F,
    /// What the browser says that its user has chosen.
    pub(super) chosen: Option<&'n str>,
}

/// Whom a project is open to.
#[derive(Clone, Copy)]
pub(super) enum Entry {
    /// Whoever holds a role that counts in all of it.
    Whole,
    /// Whoever has a right to something in it, be it one object: enough for a list from
    /// which goes what the caller may not see.
    Part,
}

/// Finds the project, and makes sure that the principal has a role there and that
/// the credential admits it.
///
/// A name that the backend reads too decides alone, lest one project be checked and
/// another be meant; a header that says otherwise is refused.
pub(super) fn find_project<'n>(
    table: &RoleTable,
    subject: &Subject,
    named: ProjectName<'n, impl FnOnce() -> Result<Option<&'n str>, Malformed>>,
) -> Result<Arc<Project>, NoProject> {
    match named_project(table, subject, named, Entry::Whole)? {
        Some(project) => Ok(project),
        None => only_own(table, subject),
    }
}

/// The project that the request or its credential names, if there is one.
pub(super) fn named_project<'n>(
    table: &RoleTable,
    subject: &Subject,
    named: ProjectName<'n, impl FnOnce() -> Result<Option<&'n str>, Malformed>>,
    entry: Entry,
) -> Result<Option<Arc<Project>>, NoProject> {
    if let Some(name) = named.by_route {
        let project = by_name(table, subject, &name)?;
        let project = admitted(table, subject, &project, entry)?;
        // One answer for every other name: whether that one exists is not told.
        let same = (named.by_header)()?.is_none_or(|name| is(table, subject, name, &project));
        let contradiction = NoProject::Malformed(Malformed::DecidingHeader);
        return same.then_some(Some(project)).ok_or(contradiction);
    }
    if let Some([only]) = subject.credential.projects.as_deref() {
        let project = table.project(*only).ok_or(NoProject::Closed)?;
        return admitted(table, subject, project, entry).map(Some);
    }
    let Some(name) = (named.by_header)()? else {
        return chosen(table, subject, named.chosen, entry);
    };
    let project = by_name(table, subject, name)?;
    admitted(table, subject, &project, entry).map(Some)
}

/// A choice is no claim: of one that does not count, or not any more, people are asked anew. What
/// they then do must not land in another project because it is the only one that is left. It is
/// that of people with a browser; programs say what they mean.
fn chosen(
    table: &RoleTable,
    subject: &Subject,
    name: Option<&str>,
    entry: Entry,
) -> Result<Option<Arc<Project>>, NoProject> {
    let Some(name) = name.filter(|_| subject.credential.sign_in.is_some()) else {
        return Ok(None);
    };
    let project = by_name(table, subject, name);
    let project = project.and_then(|project| admitted(table, subject, &project, entry));
    project.map(Some).map_err(|_| NoProject::Unnamed)
}

/// Whether a request that is about something in `project` names no other one.
pub(super) fn names_no_other<'n>(
    table: &RoleTable,
    subject: &Subject,
    project: &Project,
    named: ProjectName<'n, impl FnOnce() -> Result<Option<&'n str>, Malformed>>,
) -> Result<bool, Malformed> {
    let by_header = (named.by_header)()?;
    let mut told = named.by_route.as_deref().into_iter().chain(by_header);
    Ok(told.all(|name| is(table, subject, name, project)))
}

fn is(table: &RoleTable, subject: &Subject, name: &str, project: &Project) -> bool {
    by_name(table, subject, name).is_ok_and(|it| it.id == project.id)
}

fn admitted(
    table: &RoleTable,
    subject: &Subject,
    project: &Arc<Project>,
    entry: Entry,
) -> Result<Arc<Project>, NoProject> {
    if !subject.credential.admits(project.id) {
        return Err(NoProject::OutsideCredential);
    }
    let open = match entry {
        Entry::Whole => table.admits(subject.principal.id, Scope::Project(project.id)),
        Entry::Part => table.reaches(subject.principal.id, project.id),
    };
    open.then(|| Arc::clone(project)).ok_or(NoProject::Closed)
}

/// `tenant/project`, `tenant--project` (the form in which backends know it) or the
/// short name alone among the principal's own projects.
fn by_name(table: &RoleTable, subject: &Subject, name: &str) -> Result<Arc<Project>, NoProject> {
    let slug = |text: &str| text.parse::<Slug>().map_err(|_| NoProject::Closed);
    match name.split_once('/').or_else(|| name.split_once("--")) {
        Some((tenant, project)) => {
            let tenant = table.tenant_by_slug(&slug(tenant)?);
            in_tenant(table, tenant.map(|tenant| tenant.id), &slug(project)?)
        }
        None => short_name(table, subject, &slug(name)?),
    }
}

fn in_tenant(
    table: &RoleTable,
    tenant: Option<TenantId>,
    slug: &Slug,
) -> Result<Arc<Project>, NoProject> {
    tenant
        .and_then(|tenant| table.project_by_slug(tenant, slug))
        .cloned()
        .ok_or(NoProject::Closed)
}

fn short_name(
    table: &RoleTable,
    subject: &Subject,
    slug: &Slug,
) -> Result<Arc<Project>, NoProject> {
    if let Some(tenant) = subject.principal.tenant {
        return in_tenant(table, Some(tenant), slug);
    }
    let mut fitting = own(table, subject).filter(|project| project.slug == *slug);
    match (fitting.next(), fitting.next()) {
        (Some(project), None) => Ok(Arc::clone(project)),
        (Some(_), Some(_)) => Err(NoProject::Ambiguous),
        _ => Err(NoProject::Closed),
    }
}

fn only_own(table: &RoleTable, subject: &Subject) -> Result<Arc<Project>, NoProject> {
    let mut own = own(table, subject);
    match (own.next(), own.next()) {
        (Some(project), None) => Ok(Arc::clone(project)),
        _ => Err(NoProject::Unnamed),
    }
}

/// Those in which the principal has a role of its own, and the credential counts.
pub(super) fn own<'t>(
    table: &'t RoleTable,
    subject: &'t Subject,
) -> impl Iterator<Item = &'t Arc<Project>> {
    table
        .own_projects(subject.principal.id)
        .filter(|project| subject.credential.admits(*project))
        .filter_map(|project| table.project(project))
}
