//! `portcullis check`: is the configuration right?

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use crate::config::{Diagnostic, Settings};

/// Exit code when a configuration is invalid.
pub const INVALID_CONFIGURATION: u8 = 3;

/// Check a configuration file and print everything that is wrong with it.
///
/// Prints `file:line:column: message` for each mistake and exits with 3, or a line that
/// begins with `ok` and exits with 0. Connects to nothing.
#[derive(Debug, clap::Args)]
pub struct CheckArgs {
    /// The file to check, instead of the one given by --config
    pub file: Option<PathBuf>,
}

/// Runs the subcommand. `config` is the file of the global option.
#[must_use]
pub fn run(args: &CheckArgs, config: &Path, json: bool) -> ExitCode {
    let file = args.file.as_deref().unwrap_or(config);
    match load(file, json) {
        Ok(settings) => {
            let (routes, upstreams) = (settings.routes.routes().len(), settings.upstreams.len());
            if json {
                println!("[]");
            } else {
                println!("ok: {routes} routes, {upstreams} upstreams");
            }
            ExitCode::SUCCESS
        }
        Err(code) => code,
    }
}

/// Loads a configuration with the process's environment, or prints what is wrong with it
/// and gives the exit code.
///
/// # Errors
///
/// When anything is wrong with it.
pub fn load(file: &Path, json: bool) -> Result<Settings, ExitCode> {
    Settings::load(file, &|name| std::env::var(name).ok()).map_err(|diagnostics| {
        report(&diagnostics, json);
        ExitCode::from(INVALID_CONFIGURATION)
    })
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
