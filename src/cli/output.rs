//! Data on standard output: aligned tables for people, JSON for programs.

use std::fmt::Write as _;
use std::io::{self, Write};

use chrono::{DateTime, SecondsFormat, Utc};
use serde::Serialize;

/// How data is printed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Output {
    pub(super) json: bool,
}

/// A column: its title and how a row's cell is made.
pub(super) type Column<T> = (&'static str, fn(&T) -> String);

impl Output {
    /// A JSON object, or one line of text.
    pub(super) fn done(self, object: &impl Serialize, text: &str) -> io::Result<()> {
        if self.json {
            return json(object);
        }
        writeln!(io::stdout().lock(), "{}", printable(text))
    }

    /// A JSON object, or several lines of text.
    pub(super) fn block(self, object: &impl Serialize, lines: &[String]) -> io::Result<()> {
        if self.json {
            return json(object);
        }
        let mut out = io::stdout().lock();
        lines
            .iter()
            .try_for_each(|line| writeln!(out, "{}", printable(line)))
    }

    /// A JSON array, or a table.
    pub(super) fn list<T: Serialize>(self, rows: &[T], columns: &[Column<T>]) -> io::Result<()> {
        if self.json {
            return json(&rows);
        }
        let mut lines = vec![
            columns
                .iter()
                .map(|(title, _)| (*title).to_owned())
                .collect(),
        ];
        lines.extend(rows.iter().map(|row| cells(row, columns)));
        io::stdout().lock().write_all(aligned(&lines).as_bytes())
    }

    /// One JSON object a line, or one line of text: for what goes on and on.
    pub(super) fn line<T: Serialize>(self, row: &T, columns: &[Column<T>]) -> io::Result<()> {
        let text = if self.json {
            serde_json::to_string(row)?
        } else {
            cells(row, columns).join("  ")
        };
        writeln!(io::stdout().lock(), "{text}")
    }
}

fn json(value: &impl Serialize) -> io::Result<()> {
    let mut out = io::stdout().lock();
    serde_json::to_writer_pretty(&mut out, value)?;
    writeln!(out)
}

fn cells<T>(row: &T, columns: &[Column<T>]) -> Vec<String> {
    columns
        .iter()
        .map(|(_, cell)| printable(&cell(row)))
        .collect()
}

fn aligned(lines: &[Vec<String>]) -> String {
    let columns = lines.first().map_or(0, Vec::len);
    let width = |at: usize| lines.iter().map(|line| line[at].chars().count()).max();
    let widths: Vec<usize> = (0..columns).map(|at| width(at).unwrap_or(0)).collect();
    let mut text = String::new();
    for line in lines {
        let mut row = String::new();
        for (cell, width) in line.iter().zip(&widths) {
            let _ = write!(row, "{cell:<width$}  ");
        }
        let _ = writeln!(text, "{}", row.trim_end());
    }
    text
}

/// Control characters escaped: what clients send reaches the terminal in audit events.
fn printable(text: &str) -> String {
    text.chars()
        .flat_map(|c| {
            let escaped = c.is_control().then(|| c.escape_default());
            let plain = escaped.is_none().then_some(c);
            escaped.into_iter().flatten().chain(plain)
        })
        .collect()
}

/// A moment for a table, in UTC; empty if there is none.
pub(super) fn moment(at: Option<DateTime<Utc>>) -> String {
    at.map(|at| at.to_rfc3339_opts(SecondsFormat::Secs, true))
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned() {
        let lines = [vec!["A", "B"], vec!["long", "x"], vec!["é", ""]];
        let lines = lines.map(|line| line.into_iter().map(str::to_owned).collect());
        assert_eq!(aligned(&lines), "A     B\nlong  x\né\n");
    }

    #[test]
    fn what_would_steer_a_terminal_is_escaped() {
        let hostile = "a\u{1b}[2Jb\r\nc\u{9b}é";
        assert_eq!(printable(hostile), "a\\u{1b}[2Jb\\r\\nc\\u{9b}é");
    }
}
