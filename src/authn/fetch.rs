//! Asking other services: bounded in time and size, and never led elsewhere.

use std::pin::Pin;
use std::time::Duration;

use openidconnect::{AsyncHttpClient, HttpRequest, HttpResponse, http};

/// How long one request may take, body included.
const PATIENCE: Duration = Duration::from_secs(10);
/// Longest answer, in bytes.
const MOST: usize = 1 << 20;

/// Asks providers. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Fetch(reqwest::Client);

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// It could not be asked, or gave up half-way.
    #[error("it does not answer: {0}")]
    Silent(#[from] reqwest::Error),
    /// Nobody needs so much.
    #[error("its answer is longer than {MOST} bytes")]
    TooLarge,
    /// The answer is none.
    #[error("its answer cannot be read: {0}")]
    Malformed(#[from] http::Error),
}

impl Fetch {
    /// What asks.
    ///
    /// # Errors
    ///
    /// If TLS cannot be had.
    pub fn new() -> Result<Self, FetchError> {
        let client = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(PATIENCE)
            .user_agent("portcullis");
        Ok(Self(client.build()?))
    }

    /// Sends a request.
    ///
    /// # Errors
    ///
    /// As told.
    pub async fn send(&self, request: HttpRequest) -> Result<HttpResponse, FetchError> {
        let mut answer = self.0.execute(request.try_into()?).await?;
        let mut built = http::Response::builder().status(answer.status());
        for (name, value) in answer.headers() {
            built = built.header(name, value);
        }
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await? {
            if body.len() + chunk.len() > MOST {
                return Err(FetchError::TooLarge);
            }
            body.extend_from_slice(&chunk);
        }
        Ok(built.body(body)?)
    }
}

impl<'c> AsyncHttpClient<'c> for Fetch {
    type Error = FetchError;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, FetchError>> + Send + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(self.send(request))
    }
}
