//! `portcullis check`: is the configuration right?

use std::path::{Path, PathBuf};

use clap::Args;

use super::{CliError, Global};
use crate::clock::Clock;
use crate::config::{Diagnostic, Serves, Settings};

/// Check a configuration and print everything that is wrong with it
///
/// Prints `file:line:column: message` for each mistake and exits with 3, or a line that
/// begins with `ok` and exits with 0. What deserves a look, such as a certificate that has
/// expired, is a line that begins with `warning`. Connects to nothing.
#[derive(Args, Debug)]
pub struct CheckArgs {
    /// The file to check, instead of the one given by --config
    pub file: Option<PathBuf>,
}

impl CheckArgs {
    /// Runs it.
    ///
    /// # Errors
    ///
    /// When anything is wrong with the configuration; it has been printed.
    pub fn run(self, global: &Global) -> Result<(), CliError> {
        let file = self.file.as_deref().unwrap_or(global.config());
        let settings = load(file, global.json())?;
        for warning in warnings(&settings) {
            eprintln!("warning: {warning}");
        }
        if global.json() {
            report(&[], true);
            return Ok(());
        }
        let (routes, upstreams) = (settings.backend_routes().count(), settings.upstreams.len());
        println!(
            "ok: {}, {}",
            counted(routes, "route"),
            counted(upstreams, "upstream")
        );
        Ok(())
    }
}

/// What can be served, but should be looked after.
fn warnings(settings: &Settings) -> Vec<String> {
    let now = Clock::system().now();
    let certificates = settings.listen.iter().filter_map(|it| match &it.serves {
        Serves::Tls(tls) => Some(&tls.certificates),
        _ => None,
    });
    certificates
        .flatten()
        .flat_map(|it| it.warnings(now))
        .collect()
}

/// Loads a configuration with the process's environment.
///
/// # Errors
///
/// When anything is wrong with it; it has been printed.
pub(super) fn load(file: &Path, json: bool) -> Result<Settings, CliError> {
    Settings::load(file, &environment).map_err(|diagnostics| refuse(&diagnostics, json))
}

/// The process's environment, for `${VAR}`.
pub(super) fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// Prints what is wrong.
pub(super) fn refuse(diagnostics: &[Diagnostic], json: bool) -> CliError {
    report(diagnostics, json);
    CliError::Config(String::new())
}

/// JSON is data and goes to standard output.
fn report(diagnostics: &[Diagnostic], json: bool) {
    if json {
        println!("{}", serde_json::json!(diagnostics));
        return;
    }
    for diagnostic in diagnostics {
        eprintln!("{diagnostic}");
    }
}

fn counted(count: usize, what: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {what}{plural}")
}
