//! The request that is asked about.

use chrono::{DateTime, Utc};
use http::{HeaderMap, HeaderValue, header};

use super::super::CliError;
use super::ExplainArgs;
use crate::policy::{
    Authentication, Body, CanonicalRequest, Circumstances, Lookup, PathRef, Question, RawRequest,
    RoleTable, RouteMap, X_PORTCULLIS_PROJECT,
};

/// A request that nobody sends.
pub(super) struct Asked {
    request: CanonicalRequest,
    headers: HeaderMap,
}

impl Asked {
    pub(super) fn new(args: &ExplainArgs) -> Result<Self, CliError> {
        let headers = args.headers()?;
        let target = args.url.path_and_query();
        let request = CanonicalRequest::parse(&RawRequest {
            method: &args.method,
            target: target.map_or("/", |target| target.as_str()).as_bytes(),
            authority: None,
            headers: &headers,
        });
        let request = request.map_err(|malformed| CliError::failed(format!("400: {malformed}")))?;
        Ok(Self { request, headers })
    }

    pub(super) fn segments(&self) -> Vec<&str> {
        self.request.path().segments().to_vec()
    }

    pub(super) fn question<'q>(
        &'q self,
        segments: &'q [&'q str],
        routes: &'q RouteMap,
        authentication: &'q Authentication,
        table: &'q RoleTable,
        at: DateTime<Utc>,
    ) -> Question<'q> {
        let path = PathRef {
            segments,
            trailing_slash: self.request.path().trailing_slash(),
        };
        Question {
            request: &self.request,
            path,
            headers: &self.headers,
            lookup: routes.find(self.request.method(), self.request.host(), &path),
            authentication,
            table,
            circumstances: Circumstances {
                ip: None,
                at,
                scheme: "https",
            },
            objects: None,
        }
    }
}

impl ExplainArgs {
    /// The body, if the route reads it.
    pub(super) fn body(&self, lookup: &Lookup<'_>) -> Result<Option<Body>, CliError> {
        let Lookup::Found { route, .. } = lookup else {
            return Ok(None);
        };
        let bytes = match &self.body {
            None => Vec::new(),
            Some(json) if json.trim_start().starts_with(['{', '[']) => json.clone().into_bytes(),
            Some(file) => {
                std::fs::read(file).map_err(|error| CliError::failed(format!("{file}: {error}")))?
            }
        };
        let rule = route.objects.body.as_ref();
        let body = rule.map(|rule| Body::parse(rule.format, rule.keys, bytes.into()));
        let body = body.transpose();
        body.map_err(|malformed| CliError::failed(format!("400: {malformed}")))
    }

    fn headers(&self) -> Result<HeaderMap, CliError> {
        let mut headers = HeaderMap::new();
        let host = self.url.authority();
        let host = host.map_or("localhost", |host| host.as_str());
        headers.insert(header::HOST, value(host)?);
        if let Some(project) = &self.project {
            headers.insert(X_PORTCULLIS_PROJECT, value(&project.to_string())?);
        }
        Ok(headers)
    }
}

fn value(text: &str) -> Result<HeaderValue, CliError> {
    text.parse().map_err(CliError::failed)
}
