//! `portcullis import`: a first route map, from what a backend says of itself.

mod guess;
mod skeleton;
#[cfg(test)]
mod tests;
mod words;
mod yaml;

use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use clap::{Args, Subcommand};
use serde::Serialize;

use self::skeleton::{Settled, Skeleton, Upstream};
use super::output::Output;
use super::{CliError, Global, check, settings};
use crate::config::Description;
use crate::domain::Slug;

/// Make a first route map from a description
#[derive(Debug, Subcommand)]
pub enum ImportCommand {
    /// From an OpenAPI 3.0 or 3.1 description, in JSON or YAML
    ///
    /// Writes a whole configuration with a route for each operation. Who may do what is
    /// not in a description: permissions are guessed from tag, path and method, and marked
    /// `guessed`. What cannot be expressed is commented out with the reason.
    ///
    /// Examples:
    ///
    ///   curl -s localhost:8000/openapi.json > openapi.json
    ///   portcullis import openapi openapi.json --upstream app=http://127.0.0.1:8000
    #[command(verbatim_doc_comment)]
    Openapi(OpenapiArgs),
}

/// What `import openapi` takes.
#[derive(Args, Debug)]
pub struct OpenapiArgs {
    /// The description
    pub file: PathBuf,
    /// Name and URL of the backend [default: `backend` and the description's server]
    #[arg(long, value_name = "NAME=URL")]
    upstream: Option<UpstreamOption>,
    /// Where the paths begin, instead of what the description's servers say
    #[arg(long, value_name = "PATH")]
    base_path: Option<String>,
    /// Write here, to a file that does not exist yet, instead of to standard output
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// `NAME=URL`.
#[derive(Clone, Debug)]
struct UpstreamOption {
    name: Slug,
    url: String,
}

impl FromStr for UpstreamOption {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, url) = text.split_once('=').ok_or("write NAME=URL")?;
        let name = name.parse().map_err(|error| format!("`{name}`: {error}"))?;
        Ok(Self {
            name,
            url: url.to_owned(),
        })
    }
}

/// What was made.
#[derive(Serialize)]
struct Summary {
    /// The text; `None` if it was written to a file.
    configuration: Option<String>,
    routes: usize,
    left_out: Vec<LeftOut>,
}

/// An operation that is commented out.
#[derive(Serialize)]
struct LeftOut {
    operation: String,
    reason: String,
}

impl ImportCommand {
    pub(super) fn run(self, global: &Global) -> Result<(), CliError> {
        let Self::Openapi(args) = self;
        args.run(global)
    }
}

impl OpenapiArgs {
    fn run(self, global: &Global) -> Result<(), CliError> {
        let described = Description::load(&self.file, self.base_path.as_deref());
        let description =
            described.map_err(|diagnostics| check::refuse(&diagnostics, global.json()))?;
        let upstream = self.upstream(&description);
        let catalogue = settings::built_in(&[])?.catalogue;
        let source = self.file.to_string_lossy();
        let skeleton = Skeleton::new(&source, &description, &upstream, &catalogue);
        let settled = skeleton.settle().map_err(CliError::Failed)?;
        self.deliver(settled, global)
    }

    fn upstream(&self, description: &Description) -> Upstream {
        if let Some(UpstreamOption { name, url }) = &self.upstream {
            return Upstream {
                name: name.to_string(),
                url: url.clone(),
                guessed: false,
            };
        }
        let url = description.authority.as_deref();
        Upstream {
            name: "backend".to_owned(),
            url: url.unwrap_or("http://127.0.0.1:8000").to_owned(),
            guessed: true,
        }
    }

    fn deliver(&self, settled: Settled, global: &Global) -> Result<(), CliError> {
        if let Some(file) = &self.output {
            write_new(file, &settled.text)?;
        }
        if global.json() {
            return Ok(Output { json: true }.block(&self.summary(settled), &[])?);
        }
        if self.output.is_none() {
            io::stdout().lock().write_all(settled.text.as_bytes())?;
        }
        let (routes, left_out) = (settled.routes, settled.left_out.len());
        eprintln!(
            "{routes} routes, {left_out} operations or paths left out; review what is marked `guessed`"
        );
        Ok(())
    }

    fn summary(&self, settled: Settled) -> Summary {
        let left_out = settled.left_out.into_iter();
        Summary {
            configuration: self.output.is_none().then_some(settled.text),
            routes: settled.routes,
            left_out: left_out
                .map(|(operation, reason)| LeftOut { operation, reason })
                .collect(),
        }
    }
}

/// Never over a map that somebody has reviewed.
fn write_new(file: &Path, text: &str) -> Result<(), CliError> {
    let opened = OpenOptions::new().write(true).create_new(true).open(file);
    let mut opened = opened.map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => {
            CliError::Exists(format!("{} exists already", file.display()))
        }
        _ => CliError::Failed(format!("cannot write {}: {error}", file.display())),
    })?;
    Ok(opened.write_all(text.as_bytes())?)
}
