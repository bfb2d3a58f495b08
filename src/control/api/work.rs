//! A change under way: from its transaction to its answer.

use std::sync::Arc;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use tokio::sync::OwnedMutexGuard;

use super::Api;
use super::caller::Caller;
use super::etag::Etag;
use super::once::{Once, Seal};
use super::problem::Problem;
use super::scope::Site;
use crate::store::Done;
use crate::store::api::{ApiTx, KeptFor};

/// An answer that can be kept.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Answer {
    status: u16,
    location: Option<String>,
    etag: Option<String>,
    body: Option<String>,
}

/// A change that nobody else disturbs. Dropped, it leaves nothing.
#[derive(Debug)]
pub(super) struct Work<'a> {
    pub(super) tx: ApiTx,
    api: &'a Api,
    _turn: OwnedMutexGuard<()>,
    keep: Option<(KeptFor, Seal)>,
}

/// Why a request that may be one sent again is not carried out.
#[derive(Debug)]
pub(super) enum Stop {
    /// It was sent before: this is what it got.
    Replayed(Response),
    /// It is refused.
    Refused(Problem),
}

impl<E: Into<Problem>> From<E> for Stop {
    fn from(refused: E) -> Self {
        Self::Refused(refused.into())
    }
}

impl IntoResponse for Stop {
    fn into_response(self) -> Response {
        match self {
            Self::Replayed(response) => response,
            Self::Refused(problem) => problem.into_response(),
        }
    }
}

impl Api {
    /// Begins a change.
    pub(super) async fn work(&self, caller: &Caller, site: &Site) -> Result<Work<'_>, Problem> {
        let turn = Arc::clone(&self.turn).lock_owned().await;
        let request = caller.request.clone();
        let tx = self.db.change_for(site.claims, request, self.clock.now());
        Ok(Work {
            tx: tx.await?,
            api: self,
            _turn: turn,
            keep: None,
        })
    }

    /// Begins a change that is made once, however often it is asked for under one key.
    pub(super) async fn work_once(
        &self,
        caller: &Caller,
        site: &Site,
        once: &Once,
        body: &[u8],
    ) -> Result<Work<'_>, Stop> {
        let mut work = self.work(caller, site).await?;
        let (method, path) = (&caller.request.method, &caller.request.path);
        let keep = once.kept_for(caller.principal.id, method, path, body);
        if let Some((of, seal)) = &keep
            && let Some(kept) = work.tx.kept_answer(of).await?
        {
            let answer = seal.replay(&kept, of)?;
            let mut done = Done::new("request.replayed", "request", path.as_str());
            if let Some((id, slug)) = &site.tenant {
                done = done.tenant(*id, slug);
            }
            work.tx.commit(done, answer.status().as_u16()).await?;
            return Err(Stop::Replayed(answer));
        }
        work.keep = keep;
        Ok(work)
    }
}

impl Work<'_> {
    /// It was made: 201.
    pub(super) async fn created(
        self,
        done: Done,
        location: String,
        shown: &impl Serialize,
    ) -> Result<Response, Problem> {
        let etag = Etag::of(shown);
        let answer = Answer::new(StatusCode::CREATED, Some(location), Some(etag), Some(shown))?;
        self.finish(done, answer).await
    }

    /// It was changed: 200.
    pub(super) async fn changed(
        self,
        done: Done,
        shown: &impl Serialize,
    ) -> Result<Response, Problem> {
        let etag = Etag::of(shown);
        let answer = Answer::new(StatusCode::OK, None, Some(etag), Some(shown))?;
        self.finish(done, answer).await
    }

    /// It is gone: 204.
    pub(super) async fn gone(self, done: Done) -> Result<Response, Problem> {
        let answer = Answer::new(StatusCode::NO_CONTENT, None, None, None::<&()>)?;
        self.finish(done, answer).await
    }

    async fn finish(mut self, done: Done, answer: Answer) -> Result<Response, Problem> {
        if let Some((of, seal)) = &self.keep {
            self.tx.keep_answer(of, &seal.close(&answer)?).await?;
        }
        self.tx.commit(done, answer.status).await?;
        // Whoever has the answer finds the change in force here; elsewhere it is a matter of
        // the notification, as it is here if the database is away now.
        if let Err(error) = self.api.tables.poll().await {
            tracing::warn!(%error, "the change is made, and not in force here yet");
        }
        Ok(answer.into_response())
    }
}

impl Answer {
    fn new(
        status: StatusCode,
        location: Option<String>,
        etag: Option<Etag>,
        shown: Option<&impl Serialize>,
    ) -> Result<Self, Problem> {
        let body = shown.map(serde_json::to_string).transpose();
        Ok(Self {
            status: status.as_u16(),
            location,
            etag: etag.map(|Etag(tag)| tag),
            body: body.map_err(|_| Problem::internal("no answer"))?,
        })
    }
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::OK);
        let has_body = self.body.is_some();
        let mut response = (status, self.body.unwrap_or_default()).into_response();
        let headers = response.headers_mut();
        headers.remove(header::CONTENT_TYPE);
        if has_body {
            let json = HeaderValue::from_static("application/json");
            headers.insert(header::CONTENT_TYPE, json);
        }
        for (name, value) in [(header::LOCATION, self.location), (header::ETAG, self.etag)] {
            if let Some(value) = value.and_then(|value| HeaderValue::try_from(value).ok()) {
                headers.insert(name, value);
            }
        }
        response
    }
}

/// What was asked for, with its tag: 200.
pub(super) fn shown(shown: &impl Serialize) -> Result<Response, Problem> {
    let etag = Etag::of(shown);
    Answer::new(StatusCode::OK, None, Some(etag), Some(shown)).map(Answer::into_response)
}

/// A list: 200.
pub(super) fn listed(shown: &impl Serialize) -> Result<Response, Problem> {
    Answer::new(StatusCode::OK, None, None, Some(shown)).map(Answer::into_response)
}
