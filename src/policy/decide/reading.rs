//! What a decision reads from the request: ids and the name of a project.

use std::borrow::Cow;
use std::sync::Arc;

use super::super::find_scope::ProjectName;
use super::super::{
    AmbiguousParameter, Malformed, Question, Route, Source, X_PORTCULLIS_PROJECT, chosen_project,
    deciding_header,
};
use crate::domain::ResourceRef;

/// What the request is about, for the audit event.
pub(super) fn resource(
    question: &Question<'_>,
    route: &Route,
) -> Result<Option<ResourceRef>, Malformed> {
    if let Some(first) = question.objects.and_then(|objects| objects.named.first()) {
        return Ok(Some(ResourceRef {
            kind: Arc::clone(&first.kind),
            id: first.id.to_string(),
        }));
    }
    let Some(rule) = &route.resource else {
        return Ok(None);
    };
    let Some(from) = rule.ids.first() else {
        return Ok(None);
    };
    let id = source(question, from)?;
    Ok(id.map(|id| ResourceRef {
        kind: Arc::clone(&rule.kind),
        id,
    }))
}

/// Where the request names its project.
pub(in crate::policy) fn named_project<'q>(
    question: &'q Question<'_>,
    route: &Route,
) -> Result<ProjectName<'q, impl FnOnce() -> Result<Option<&'q str>, Malformed> + 'q>, Malformed> {
    let read = |from: &Option<Source>| match from {
        Some(from) => source(question, from),
        None => Ok(None),
    };
    let by_route = match (read(&route.tenant)?, read(&route.project)?) {
        (Some(tenant), Some(project)) => Some(format!("{tenant}/{project}")),
        (_, project) => project,
    };
    Ok(ProjectName {
        by_route,
        by_header: || deciding_header(question.headers, &X_PORTCULLIS_PROJECT),
        chosen: chosen_project(question.headers),
    })
}

pub(super) fn source(question: &Question<'_>, from: &Source) -> Result<Option<String>, Malformed> {
    match from {
        Source::Path(name) => {
            let params = question.params();
            let value = params.and_then(|params| params.get(name, &question.path));
            Ok(value.map(Cow::into_owned))
        }
        Source::Query(name) => match question.request.query().single(name, question.keys()) {
            Ok(value) => Ok(value.map(Cow::into_owned)),
            Err(AmbiguousParameter) => Err(Malformed::RepeatedParameter),
        },
        Source::Header(name) => {
            deciding_header(question.headers, name).map(|value| value.map(str::to_owned))
        }
        // Objects named in a body come with the question.
        Source::QueryEach(_) | Source::Body(_) => Ok(None),
    }
}
