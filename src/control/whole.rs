//! A request is read to its end before anything is answered.
//!
//! A server that answers early closes the connection on what is still being sent, and the data
//! plane, which is sending it, may find a broken connection in the place of the answer.

use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use http_body_util::BodyExt as _;

/// Longest body that is handed on, in bytes; what is longer is handed on cut after one byte
/// more, which no handler takes.
const MAX: usize = 64 * 1024;

/// Reads the body, then goes on.
pub(super) async fn read_whole(request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    let kept = kept(body).await;
    next.run(Request::from_parts(parts, Body::from(kept))).await
}

async fn kept(mut body: Body) -> Bytes {
    let mut kept = Vec::new();
    // A body that breaks off has nobody waiting for the answer.
    while let Some(Ok(frame)) = body.frame().await {
        let data = frame.into_data().unwrap_or_default();
        let room = (MAX + 1).saturating_sub(kept.len());
        kept.extend_from_slice(&data[..data.len().min(room)]);
    }
    kept.into()
}
