//! Rows that Postgres refuses are put aside, so that they do not hold up the rest.

use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Appends the row to `rejected.log` in the spool's directory, or to our own log if
/// even that fails.
pub(super) fn put_aside(dir: &Path, row: &[u8], why: &str) {
    let row = String::from_utf8_lossy(row);
    let path = dir.join("rejected.log");
    let file = path.display();
    match append(&path, &row, why) {
        Ok(()) => tracing::error!(why, %file, "PostgreSQL refused an audit event, it is put aside"),
        Err(error) => {
            tracing::error!(why, %row, %file, %error, "PostgreSQL refused an audit event");
        }
    }
}

fn append(path: &Path, row: &str, why: &str) -> io::Result<()> {
    let mut file = File::options()
        .create(true)
        .append(true)
        .mode(0o600)
        .open(path)?;
    let why = why.escape_debug();
    writeln!(file, "# {why}\n{}", row.trim_end_matches('\n'))?;
    file.sync_data()
}
