//! Pages of lists, by cursor: what is added or removed meanwhile neither repeats an item nor
//! hides one.

use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::problem::Problem;
use super::work::listed;
use crate::store::api::PageRequest;

/// Items of a page if nothing is said.
const DEFAULT: u32 = 100;
/// Most items of a page.
const MOST: u32 = 1000;

/// Which page of a list.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct PageQuery {
    /// `next_cursor` of the page before.
    #[param(pattern = r"^[A-Za-z0-9_-]+$", max_length = 500)]
    cursor: Option<String>,
    /// Most items of the page.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: Option<u32>,
}

/// A page of a list.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Page<T> {
    /// Some of the list.
    items: Vec<T>,
    /// `cursor` of the next page; null on the last one.
    next_cursor: Option<String>,
}

impl PageQuery {
    pub(super) const fn new(cursor: Option<String>, limit: Option<u32>) -> Self {
        Self { cursor, limit }
    }

    pub(super) fn request(&self) -> Result<PageRequest, Problem> {
        let limit = self.limit.unwrap_or(DEFAULT);
        if !(1..=MOST).contains(&limit) {
            return Err(Problem::malformed(format!("`limit` is 1 to {MOST}.")));
        }
        let after = self.cursor.as_deref().map(read).transpose()?;
        Ok(PageRequest { after, limit })
    }
}

/// The answer to a list.
pub(super) trait Pages {
    /// A page of rows that are one more than wanted if there are more; `key` is what they are
    /// sorted by.
    fn answer<T, R>(&self, rows: Vec<R>, key: impl Fn(&R) -> String) -> Result<Response, Problem>
    where
        T: From<R> + Serialize;
}

impl Pages for PageRequest {
    fn answer<T, R>(
        &self,
        mut rows: Vec<R>,
        key: impl Fn(&R) -> String,
    ) -> Result<Response, Problem>
    where
        T: From<R> + Serialize,
    {
        let limit = self.limit as usize;
        let more = rows.len() > limit;
        rows.truncate(limit);
        let next_cursor = rows.last().filter(|_| more).map(|last| write(&key(last)));
        listed(&Page {
            items: rows.into_iter().map(T::from).collect(),
            next_cursor,
        })
    }
}

fn write(key: &str) -> String {
    URL_SAFE_NO_PAD.encode(format!("1:{key}"))
}

/// It has the form of one, and is none that was ever given.
pub(super) fn no_cursor() -> Problem {
    Problem::refused("cursor_invalid", "No page of this list has this cursor.")
}

fn read(cursor: &str) -> Result<String, Problem> {
    let bytes = URL_SAFE_NO_PAD.decode(cursor).ok();
    let text = bytes.and_then(|bytes| String::from_utf8(bytes).ok());
    let key = text.as_deref().and_then(|text| text.strip_prefix("1:"));
    let key = key.filter(|key| !key.chars().any(char::is_control));
    let key = key.ok_or_else(no_cursor)?;
    Ok(key.to_owned())
}
