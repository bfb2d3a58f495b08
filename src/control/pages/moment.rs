//! Points in time, as pages show them.

use askama::Template;
use chrono::{DateTime, SecondsFormat, Utc};

/// Read by people and by programs.
#[derive(Debug, Template)]
#[template(
    source = r#"<time datetime="{{ exact }}">{{ text }}</time>"#,
    ext = "html"
)]
pub(super) struct Moment {
    exact: String,
    pub(super) text: String,
}

impl From<DateTime<Utc>> for Moment {
    fn from(at: DateTime<Utc>) -> Self {
        Self {
            exact: at.to_rfc3339_opts(SecondsFormat::Secs, true),
            text: at.format("%Y-%m-%d %H:%M UTC").to_string(),
        }
    }
}
