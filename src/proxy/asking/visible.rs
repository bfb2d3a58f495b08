//! Objects of types whose owners the backend keeps: whether it shows one in a project.
//!
//! Such a backend keeps projects apart by what the gateway tells it of them, but may not look
//! at each id that a request names. So it is asked for that id in the caller's project.

use super::{Asker, Question};
use crate::policy::{AskedFor, Permit};
use crate::proxy::rescue::Failure;
use crate::proxy::upstream::Upstream;

impl Asker {
    /// Whether the backend shows all of these to whom the permit is for.
    pub(in crate::proxy) async fn shows(
        &self,
        upstream: &Upstream,
        permit: &Permit,
        objects: &[AskedFor],
    ) -> Result<bool, Failure> {
        for object in objects {
            let Some(question) = Question::of_one(&object.request, &object.id) else {
                return Ok(false);
            };
            let reply = self.ask_for(upstream, &question, Some(permit)).await?;
            match reply.status {
                200..=299 => {}
                400..=499 => return Ok(false),
                _ => return Err(Failure::UpstreamBroken),
            }
        }
        Ok(true)
    }
}
