//! The one object that an answer is about, where the request names it by something else than
//! its id.

use http::StatusCode;

use super::{Captured, unreadable};
use crate::policy::json_text::ids_at;
use crate::policy::{AnswerRule, Route};
use crate::proxy::exchange::Exchange;
use crate::proxy::gateway::Gateway;

impl Gateway {
    /// Whether the answer tells of nothing that the caller may not see. What the backend does
    /// not have is not the caller's own either: both are answered alike.
    pub(super) async fn is_about_own(
        &self,
        exchange: &mut Exchange,
        route: &Route,
        rule: &AnswerRule,
        answer: &mut Captured,
    ) -> pingora::Result<bool> {
        let status = answer.head.status;
        if matches!(status, StatusCode::NOT_FOUND | StatusCode::GONE) {
            return Ok(false);
        }
        if !status.is_success() {
            return Ok(true);
        }
        answer.decode(exchange)?;
        let ids = ids_at(answer.text(exchange)?, &rule.id).map_err(unreadable(exchange))?;
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        let seen = self.seen(exchange, route, &rule.kind, &ids).await?;
        Ok(!seen.is_empty() && seen.into_iter().all(|seen| seen))
    }
}
