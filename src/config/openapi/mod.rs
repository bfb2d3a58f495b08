//! OpenAPI 3.0 and 3.1, as far as a route map needs it: which operations there are.
//!
//! Only what decides on routes is looked at; schemas, bodies and answers are not. What
//! cannot be read (a reference into another file) is told, never passed over: an
//! operation that nobody sees would be one that nobody thinks of.

mod document;
mod json;
mod operation;
mod reference;
mod servers;
mod template;
#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::Arc;

use http::Method;

use super::Diagnostic;
use crate::policy::Origin;

pub use template::{Part, Template};

/// What a backend says of itself.
#[derive(Debug)]
pub struct Description {
    /// `info.title` and `info.version`.
    pub title: String,
    /// `openapi`, the version of the format.
    pub version: String,
    /// `http://host:port` of the first server, if it names one.
    pub authority: Option<String>,
    /// Other base paths, which were not taken.
    pub other_bases: Vec<String>,
    /// All operations, in the order of the document.
    pub operations: Vec<Operation>,
    /// Paths whose operations could not be read.
    pub unread: Vec<Unread>,
}

/// One operation.
#[derive(Clone, Debug)]
pub struct Operation {
    /// Its method.
    pub method: Method,
    /// Its path, base path included.
    pub template: Template,
    /// `operationId`.
    pub id: Option<String>,
    /// `summary`, else the first line of `description`.
    pub summary: Option<String>,
    /// `tags`.
    pub tags: Vec<String>,
    /// Whether it is going away.
    pub deprecated: bool,
    /// Whether the backend asks for no credential.
    pub open: bool,
    /// Header fields that it reads.
    pub headers: Vec<String>,
    /// What of it could not be read.
    pub notes: Vec<String>,
    /// Where it is written.
    pub origin: Origin,
}

/// A path whose operations could not be read.
#[derive(Clone, Debug)]
pub struct Unread {
    /// As written.
    pub path: String,
    /// Why, and where.
    pub diagnostic: Diagnostic,
}

impl Description {
    /// Reads a file. `base` takes the place of the base path that its servers have.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with it, sorted by place.
    pub fn load(path: &Path, base: Option<&str>) -> Result<Self, Vec<Diagnostic>> {
        let name = path.to_string_lossy().into_owned();
        let text = document::read(path).map_err(|message| {
            vec![Diagnostic {
                file: name.as_str().into(),
                line: 1,
                column: 1,
                message,
            }]
        })?;
        Self::parse(&name, &text, base)
    }

    /// Reads a text; `name` is its path, for diagnostics.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with it, sorted by place.
    pub fn parse(name: &str, text: &str, base: Option<&str>) -> Result<Self, Vec<Diagnostic>> {
        let file: Arc<str> = name.into();
        document::parse(&file, text, base)
    }
}
