//! MLflow's own clients, as they come: the Python library, and the web UI in a browser.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use super::Setup;
use super::server::python;
use crate::support::from_environment;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/e2e");

/// `tests/e2e/mlflow_client.py`.
pub fn python_library(setup: &Setup) {
    let dir = TempDir::new().unwrap();
    let mut command = Command::new(python());
    command.arg(Path::new(FOLDER).join("mlflow_client.py"));
    run(command, dir.path(), setup);
}

/// `tests/e2e/mlflow_names.py`.
pub fn two_tenants_by_the_python_library(setup: &Setup) {
    let dir = TempDir::new().unwrap();
    let mut command = Command::new(python());
    command.arg(Path::new(FOLDER).join("mlflow_names.py"));
    run(command, dir.path(), setup);
}

/// `tests/e2e/mlflow_ui.mjs`, beside the modules it imports: Node looks nowhere else.
pub fn browser(setup: &Setup) {
    let dir = TempDir::new().unwrap();
    let script = dir.path().join("mlflow_ui.mjs");
    fs::copy(Path::new(FOLDER).join("mlflow_ui.mjs"), &script).unwrap();
    let modules = from_environment("PORTCULLIS_TEST_NODE_MODULES");
    symlink(modules, dir.path().join("node_modules")).unwrap();
    let mut command = Command::new("node");
    command.arg(script);
    run(command, dir.path(), setup);
}

fn run(mut command: Command, dir: &Path, Setup { gateway, keys, .. }: &Setup) {
    command
        .current_dir(dir)
        .env("PORTCULLIS_URL", format!("http://{}", gateway.public()))
        .env("ACME_EDITOR_KEY", &keys.editor)
        .env("ACME_VIEWER_KEY", &keys.viewer)
        .env("GLOBEX_EDITOR_KEY", &keys.stranger);
    let output = command.output().unwrap();
    assert!(
        output.status.success(),
        "{}\n{}\n{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}
