//! `portcullis routes`: what the configuration lets through, and on which terms.

use clap::Args;
use serde::Serialize;

use super::output::{Column, Output};
use super::{CliError, Global, check};
use crate::policy::{Requirement, Route};

/// List all routes, those of presets included, and what each requires
///
/// A request that matches none of them is refused.
#[derive(Args, Debug)]
pub struct RoutesArgs {}

/// One line of the table.
#[derive(Serialize)]
struct Row {
    methods: String,
    hosts: String,
    path: String,
    requirement: String,
    scope: &'static str,
    rate: String,
    event: String,
    upstream: String,
    origin: String,
}

const COLUMNS: [Column<Row>; 9] = [
    ("METHODS", |row| row.methods.clone()),
    ("HOSTS", |row| row.hosts.clone()),
    ("PATH", |row| row.path.clone()),
    ("REQUIREMENT", |row| row.requirement.clone()),
    ("SCOPE", |row| row.scope.to_owned()),
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
        let routes = settings.routes.routes().iter();
        let rows: Vec<Row> = routes.map(|route| Row::from(&**route)).collect();
        Ok(Output { json }.list(&rows, &COLUMNS)?)
    }
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
";
        let settings = Settings::parse("p.yaml", text, &|_| None).unwrap();
        let routes = settings.routes.routes().iter();
        let rows = routes.map(|route| {
            let row = Row::from(&**route);
            COLUMNS.map(|(_, cell)| cell(&row)).join(", ")
        });
        insta::assert_snapshot!(rows.collect::<Vec<_>>().join("\n"), @r"
        GET|PUT, *.a.b, /runs/{id}, permission runs:read, project, key 9/s, runs.read, m, p.yaml:5
        DELETE, -, /, deny: never, -, -, request.forwarded, -, p.yaml:6
        ");
    }
}
