//! The preset, read and compiled by the gateway's own configuration.

use http::Method;
use portcullis::config::Settings;
use portcullis::domain::RoleScope;
use portcullis::policy::{Lookup, PathRef, Requirement};

use super::table::Row;

const CONFIGURATION: &str = r#"
version: 1
upstreams: { mlflow: { url: "http://127.0.0.1:5000" } }
presets: [ { name: NAME, upstream: mlflow } ]
"#;

/// The compiled preset.
pub struct Preset {
    /// All that follows from it.
    pub settings: Settings,
}

/// What becomes of a request.
#[derive(Debug)]
pub enum Answer {
    /// No route.
    Unknown,
    /// Refused on purpose.
    Denied,
    /// Answered by the gateway; MLflow never sees it.
    Answered,
    /// Forwarded to whoever has this, there.
    Forwarded(Requirement, RoleScope),
}

impl Answer {
    /// Whether MLflow never sees the request, whoever sends it.
    pub fn is_kept_from_mlflow(&self) -> bool {
        matches!(self, Self::Denied | Self::Answered)
    }
}

impl Preset {
    /// Reads and compiles.
    pub fn load(name: &str) -> Self {
        let text = CONFIGURATION.replace("NAME", name);
        let settings = Settings::parse("portcullis.yaml", &text, &|_| None);
        let settings = settings.unwrap_or_else(|diagnostics| {
            let told: Vec<_> = diagnostics.iter().map(ToString::to_string).collect();
            panic!("{told:#?}")
        });
        Self { settings }
    }

    /// The route of a request.
    pub fn find(&self, method: &Method, (segments, slash): &(Vec<&str>, bool)) -> Lookup<'_> {
        let path = PathRef {
            segments,
            trailing_slash: *slash,
        };
        self.settings.routes.find(method, "localhost", &path)
    }

    /// What becomes of the row.
    pub fn answer(&self, row: &Row) -> Answer {
        let Lookup::Found { route, .. } = self.find(&row.method(), &row.segments()) else {
            return Answer::Unknown;
        };
        match &route.requirement {
            Requirement::Deny { .. } => Answer::Denied,
            _ if route.respond.is_some() => Answer::Answered,
            requirement => Answer::Forwarded(requirement.clone(), route.scope),
        }
    }
}
