//! `portcullis routes`: what the configuration lets through, and on which terms.

use std::path::Path;
use std::process::ExitCode;

use serde::Serialize;

use super::check;
use crate::policy::{Requirement, Route};

/// List all routes, those of presets included, and what each requires.
///
/// A request that matches none of them is refused.
#[derive(Debug, clap::Args)]
pub struct RoutesArgs {}

/// One line of the table.
#[derive(Serialize)]
struct Row {
    methods: String,
    hosts: String,
    path: String,
    requirement: String,
    scope: &'static str,
    event: String,
    upstream: String,
    origin: String,
}

const HEADINGS: [&str; 8] = [
    "METHODS",
    "HOSTS",
    "PATH",
    "REQUIREMENT",
    "SCOPE",
    "EVENT",
    "UPSTREAM",
    "DEFINED AT",
];

/// Runs the subcommand.
#[must_use]
pub fn run(_args: &RoutesArgs, config: &Path, json: bool) -> ExitCode {
    let settings = match check::load(config, json) {
        Ok(settings) => settings,
        Err(code) => return code,
    };
    let rows: Vec<Row> = settings
        .routes
        .routes()
        .iter()
        .map(|route| Row::from(&**route))
        .collect();
    if json {
        println!("{}", serde_json::json!(rows));
    } else {
        print!("{}", table(&rows));
    }
    ExitCode::SUCCESS
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
            event: route.event.to_string(),
            upstream: or_dash(&route.upstream),
            origin: route.origin.to_string(),
        }
    }
}

impl Row {
    fn cells(&self) -> [&str; 8] {
        [
            &self.methods,
            &self.hosts,
            &self.path,
            &self.requirement,
            self.scope,
            &self.event,
            &self.upstream,
            &self.origin,
        ]
    }
}

fn or_dash(text: &str) -> String {
    let text = if text.is_empty() { "-" } else { text };
    text.to_owned()
}

fn table(rows: &[Row]) -> String {
    let lines: Vec<[&str; 8]> = std::iter::once(HEADINGS)
        .chain(rows.iter().map(Row::cells))
        .collect();
    let widths: [usize; 8] = std::array::from_fn(|column| {
        let widths = lines.iter().map(|line| line[column].chars().count());
        widths.max().unwrap_or_default()
    });
    let mut table = String::new();
    for line in lines {
        let padded = line.iter().zip(widths);
        let padded: Vec<_> = padded.map(|(cell, width)| format!("{cell:width$}")).collect();
        table.push_str(padded.join("  ").trim_end());
        table.push('\n');
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Settings;

    #[test]
    fn columns_line_up() {
        let text = "
version: 1
upstreams: { m: { url: 'http://h' } }
routes:
- { route: 'GET|PUT /runs/{id}', upstream: m, permission: runs:read, hosts: ['*.a.b'] }
- { route: DELETE /, deny: never }
";
        let settings = Settings::parse("p.yaml", text, &|_| None).unwrap();
        let routes = settings.routes.routes().iter();
        let rows: Vec<Row> = routes.map(|route| Row::from(&**route)).collect();
        insta::assert_snapshot!(table(&rows), @r"
        METHODS  HOSTS  PATH        REQUIREMENT           SCOPE    EVENT              UPSTREAM  DEFINED AT
        GET|PUT  *.a.b  /runs/{id}  permission runs:read  project  runs.read          m         p.yaml:5
        DELETE   -      /           deny: never           -        request.forwarded  -         p.yaml:6
        ");
    }
}
