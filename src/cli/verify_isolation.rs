//! `portcullis verify-isolation`.

use clap::Args;

use super::output::{Column, Output};
use super::session::{self, block_on};
use super::{CliError, Global};
use crate::store::{DatabaseUrl, Finding, verify_isolation};

/// Check that the database keeps tenants apart
///
/// Looks at roles, row-level security, policies, grants and functions, then asks as SQL what
/// each claim lets through: of two tenants made in a transaction that is rolled back, and of
/// some that exist. Changes nothing. Use the database login of the gateway, not the owner's.
#[derive(Args, Debug)]
pub(super) struct VerifyIsolationArgs {
    /// The database [default: `database.url` of the configuration, else the private Postgres]
    #[arg(long, env = "DATABASE_URL", hide_env_values = true, value_name = "URL")]
    database_url: Option<DatabaseUrl>,
    /// How many of the existing tenants are looked at, chosen by chance
    #[arg(long, default_value_t = 10, value_name = "NUMBER")]
    tenants: u32,
}

impl VerifyIsolationArgs {
    pub(super) fn run(self, global: &Global) -> Result<(), CliError> {
        let url = session::database_url(global, self.database_url)?;
        let found = verify_isolation(&url, self.tenants);
        let findings = block_on(async { Ok(found.await?) })?;
        let output = Output {
            json: global.json(),
        };
        output.list(&findings, COLUMNS)?;
        match findings.iter().filter(|each| each.wrong.is_some()).count() {
            0 => Ok(()),
            wrong => Err(CliError::Failed(format!(
                "{wrong} of {} checks failed",
                findings.len()
            ))),
        }
    }
}

const COLUMNS: &[Column<Finding>] = &[
    ("SUBJECT", |each| each.subject.clone()),
    ("RULE", |each| each.rule.to_owned()),
    ("HOLDS", |each| match &each.wrong {
        None => "yes".to_owned(),
        Some(wrong) => format!("NO: {wrong}"),
    }),
];
