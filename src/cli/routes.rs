//! `portcullis routes`: what the configuration lets through, and on which terms.

use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;

use super::coverage::{self, Coverage, State};
use super::output::{Column, Output};
use super::{CliError, Global, check, objects};
use crate::config::{Description, Settings};
use crate::policy::{HostPattern, Requirement, Route};

/// List all routes, those of presets included, and what each requires
///
/// A request that matches none of them is refused. With `--uncovered`, list instead the
/// operations of a backend's OpenAPI description that the routes neither allow nor deny;
/// exit code 1 if there are any.
#[derive(Args, Debug)]
pub struct RoutesArgs {
    /// An OpenAPI 3.0 or 3.1 description, in JSON or YAML
    #[arg(long, value_name = "FILE")]
    uncovered: Option<PathBuf>,
    /// Where the paths begin, instead of what the description's servers say
    #[arg(long, value_name = "PATH", requires = "uncovered")]
    base_path: Option<String>,
    /// Which host clients ask [default: any; a route with `hosts` covers a part only]
    #[arg(long, value_name = "HOST", requires = "uncovered", value_parser = host)]
    host: Option<String>,
    /// List the covered operations too, with the routes that take them
    #[arg(long, short, requires = "uncovered")]
    verbose: bool,
}

/// One line of the table.
#[derive(Serialize)]
struct Row {
    methods: String,
    hosts: String,
    path: String,
    requirement: String,
    scope: &'static str,
    objects: String,
    rate: String,
    event: String,
    upstream: String,
    origin: String,
}

const COLUMNS: [Column<Row>; 10] = [
    ("METHODS", |row| row.methods.clone()),
    ("HOSTS", |row| row.hosts.clone()),
    ("PATH", |row| row.path.clone()),
    ("REQUIREMENT", |row| row.requirement.clone()),
    ("SCOPE", |row| row.scope.to_owned()),
    ("OBJECTS", |row| row.objects.clone()),
    ("RATE", |row| row.rate.clone()),
    ("EVENT", |row| row.event.clone()),
    ("UPSTREAM", |row| row.upstream.clone()),
    ("DEFINED AT", |row| row.origin.clone()),
];

impl RoutesArgs {
    /// Runs it.
    ///
    /// # Errors
    ///
    /// When anything is wrong with the configuration; it has been printed.
    pub fn run(self, global: &Global) -> Result<(), CliError> {
        let json = global.json();
        let settings = check::load(global.config(), json)?;
        if let Some(file) = &self.uncovered {
            return self.uncovered(file, &settings, json);
        }
        let routes = settings.routes.routes().iter();
        let rows: Vec<Row> = routes.map(|route| Row::from(&**route)).collect();
        Ok(Output { json }.list(&rows, &COLUMNS)?)
    }

    fn uncovered(&self, file: &Path, settings: &Settings, json: bool) -> Result<(), CliError> {
        let described = Description::load(file, self.base_path.as_deref());
        let description = described.map_err(|diagnostics| check::refuse(&diagnostics, json))?;
        let mut rows = coverage::of(&description, &settings.routes, self.host.as_deref());
        let (all, open) = (rows.len(), unsettled(&rows));
        if !json && !self.verbose {
            rows.retain(|row| !row.state.is_settled());
        }
        if json || !rows.is_empty() {
            Output { json }.list(&rows, &OPERATIONS)?;
        }
        if open > 0 {
            eprintln!("{open} of {all} operations are not covered");
            return Err(CliError::Uncovered);
        }
        if !json {
            println!("ok: all {all} operations are covered");
        }
        Ok(())
    }
}

/// One host, as the routes have them.
fn host(text: &str) -> Result<String, String> {
    match text.parse() {
        Ok(HostPattern::Exact(host)) => Ok(host.to_string()),
        Ok(HostPattern::Below(_)) => Err("name one host".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

fn unsettled(rows: &[Coverage]) -> usize {
    let open = |row: &&Coverage| !row.state.is_settled();
    rows.iter().filter(open).count()
}

const OPERATIONS: [Column<Coverage>; 5] = [
    ("STATE", |row| row.state.as_str().to_owned()),
    ("METHOD", |row| row.method.clone()),
    ("PATH", |row| row.path.clone()),
    ("DESCRIBED AT", |row| row.described_at.clone()),
    ("ROUTES", routes_of),
];

/// `GET /a at map.yaml:7 (permission a:read)`, for each.
fn routes_of(row: &Coverage) -> String {
    if row.state == State::Unread {
        return row.note.clone().unwrap_or_default();
    }
    let routes = row.routes.iter();
    let routes = routes.map(|taker| {
        format!(
            "{} at {} ({})",
            taker.route, taker.defined_at, taker.requirement
        )
    });
    or_dash(&routes.collect::<Vec<_>>().join(", "))
}

impl From<&Route> for Row {
    fn from(route: &Route) -> Self {
        let methods: Vec<_> = route.methods.iter().map(http::Method::as_str).collect();
        let hosts: Vec<_> = route.hosts.iter().map(ToString::to_string).collect();
        let path = route.label.split_once(' ').map_or("", |(_, path)| path);
        let scope = match &route.requirement {
            Requirement::Permission { .. } => route.scope.as_str(),
            _ => "-",
        };
        Self {
            methods: methods.join("|"),
            hosts: or_dash(&hosts.join(" ")),
            path: path.to_owned(),
            requirement: route.requirement.to_string(),
            scope,
            objects: or_dash(&objects::summary(route)),
            rate: or_dash(&route.rate.to_string()),
            event: route.event.to_string(),
            upstream: or_dash(&route.upstream),
            origin: route.origin.to_string(),
        }
    }
}

fn or_dash(text: &str) -> String {
    let text = if text.is_empty() { "-" } else { text };
    text.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Settings;

    #[test]
    fn a_row_tells_what_a_route_requires() {
        let text = "
version: 1
upstreams: { m: { url: 'http://h' } }
routes:
- { route: 'GET|PUT /runs/{id}', upstream: m, permission: runs:read, hosts: ['*.a.b'], rate: { key: 9/s } }
- { route: DELETE /, deny: never }
- route: POST /runs
  upstream: m
  permission: runs:create
  resource: { type: experiment, id: body./experiment }
  references: [ { type: model, id: query.m, optional: true } ]
  set: [ { at: query.project, value: '{project.slug}' } ]
  creates: { type: dataset, id: response.body./id }
";
        let settings = Settings::parse("p.yaml", text, &|_| None).unwrap();
        let rows = settings.backend_routes().map(|route| {
            let row = Row::from(&**route);
            COLUMNS.map(|(_, cell)| cell(&row)).join(", ")
        });
        insta::assert_snapshot!(rows.collect::<Vec<_>>().join("\n"), @r"
        GET|PUT, *.a.b, /runs/{id}, permission runs:read, project, -, key 9/s, runs.read, m, p.yaml:5
        DELETE, -, /, deny: never, -, -, -, request.forwarded, -, p.yaml:6
        POST, -, /runs, permission runs:create, project, experiment, model?; creates dataset; sets query.project; reads the body, -, experiment.create, m, p.yaml:7
        ");
    }
}
