//! Whether the isolation of tenants holds in a live database: what is set up, and what the
//! claims let through.
//!
//! Nothing is changed. Two tenants that the probes need are made in a transaction that is
//! rolled back.

mod catalogue;
mod probes;

use std::collections::BTreeSet;

use serde::Serialize;
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, Row};

use super::{DatabaseUrl, Result, login};

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What was looked at: a role, a table, a claim.
    pub subject: String,
    /// What must hold of it.
    pub rule: &'static str,
    /// What is wrong; `None`: it holds.
    pub wrong: Option<String>,
}

/// Looks at everything. `sample`: so many existing tenants are probed at the most.
///
/// # Errors
///
/// `Unavailable` when the database cannot be asked, or has no schema of ours.
pub async fn verify_isolation(url: &DatabaseUrl, sample: u32) -> Result<Vec<Finding>> {
    let mut connection = url.connect_as_owner().await?;
    let mut report = Report::default();
    let login = text(&mut connection, "SELECT session_user::text").await?;
    let fit = login::check(&mut connection).await;
    report.add(
        &login.join(""),
        "the login cannot get around row-level security",
        fit.err().map(|error| error.to_string()),
    );
    connection.execute(PREPARE).await?;
    catalogue::roles(&mut connection, &mut report).await?;
    catalogue::tables(&mut connection, &mut report).await?;
    catalogue::functions(&mut connection, &mut report).await?;
    probes::made(&mut connection, &mut report).await?;
    probes::existing(&mut connection, &mut report, sample).await?;
    connection.close().await?;
    Ok(report.0)
}

const PREPARE: &str = "
    SET ROLE portcullis_gateway;
    SET search_path = public;
    SET statement_timeout = '5min';
    SET lock_timeout = '5s'";

#[derive(Default)]
pub(super) struct Report(Vec<Finding>);

impl Report {
    pub(super) fn add(&mut self, subject: &str, rule: &'static str, wrong: Option<String>) {
        self.0.push(Finding {
            subject: subject.to_owned(),
            rule,
            wrong,
        });
    }

    /// Both must be the same.
    pub(super) fn compare(
        &mut self,
        subject: &str,
        rule: &'static str,
        found: &[String],
        expected: &[&str],
    ) {
        let found: BTreeSet<&str> = found.iter().map(String::as_str).collect();
        let expected: BTreeSet<&str> = expected.iter().copied().collect();
        let list = |words: BTreeSet<&str>| words.into_iter().collect::<Vec<_>>().join(", ");
        let beyond = list(found.difference(&expected).copied().collect());
        let missing = list(expected.difference(&found).copied().collect());
        let wrong = match (beyond.is_empty(), missing.is_empty()) {
            (true, true) => None,
            (false, true) => Some(format!("too many: {beyond}")),
            (true, false) => Some(format!("missing: {missing}")),
            (false, false) => Some(format!("too many: {beyond}; missing: {missing}")),
        };
        self.add(subject, rule, wrong);
    }
}

/// The first column of each row, as text.
pub(super) async fn text(connection: &mut PgConnection, sql: &str) -> Result<Vec<String>> {
    let rows = sqlx::query(AssertSqlSafe(sql))
        .fetch_all(connection)
        .await?;
    let texts = rows.iter().map(|row| row.try_get(0));
    Ok(texts.collect::<sqlx::Result<_>>()?)
}
