//! Writing the audit trail: rows of COPY's text format into `audit_events`.
//!
//! COPY does not go into a table under row-level security. Rows are copied into a temporary
//! table of the connection, which costs no write-ahead log, and inserted from there.

use std::collections::HashSet;

use sqlx::error::DatabaseError;
use sqlx::{Executor, PgConnection};

use super::{Claims, Db};

/// Why rows did not get into the table. None of them did, or all (see `Unavailable`).
#[derive(Debug, thiserror::Error)]
pub enum SinkError {
    /// Postgres refuses at least one for what it says.
    #[error("{0}")]
    Rejected(String),
    /// Postgres is away, or not as it should be. The rows may have got in nonetheless:
    /// the answer to a commit can be lost.
    #[error("{0}")]
    Unavailable(String),
}

/// Where rows go. Rows are lines; the first two columns are the id, 36 characters long,
/// and the time, which begins with year and month as `2026-11`.
#[derive(Debug)]
pub struct AuditSink {
    db: Db,
    copy: String,
    merge: String,
    /// Months whose partition is known to exist.
    months: HashSet<Vec<u8>>,
}

/// Made once a connection; that it is there already is nothing to tell.
const STAGING: &str = "
    SET LOCAL client_min_messages = warning;
    CREATE TEMPORARY TABLE IF NOT EXISTS audit_staging
        (LIKE public.audit_events INCLUDING DEFAULTS) ON COMMIT DELETE ROWS";

impl AuditSink {
    /// A sink for rows of these columns, separated by commas.
    #[must_use]
    pub fn new(db: Db, columns: &str) -> Self {
        Self {
            db,
            copy: format!("COPY pg_temp.audit_staging ({columns}) FROM STDIN"),
            merge: format!(
                "INSERT INTO audit_events ({columns}) SELECT {columns} FROM pg_temp.audit_staging
                 ON CONFLICT DO NOTHING"
            ),
            months: HashSet::new(),
        }
    }

    /// Inserts those rows that are not there yet.
    ///
    /// # Errors
    ///
    /// When one of them is refused, or Postgres is away.
    pub async fn insert(&mut self, rows: &[u8]) -> Result<(), SinkError> {
        let mut sent = self.try_insert(rows).await;
        if lacks_partition(&sent) {
            self.months.clear();
            sent = self.try_insert(rows).await;
        }
        sent.map_err(SinkError::from)
    }

    async fn try_insert(&mut self, rows: &[u8]) -> sqlx::Result<()> {
        let db = self.db.claiming(Claims::Gateway);
        ensure_partitions(&db, &mut self.months, rows).await?;
        let mut tx = db.begin().await?;
        tx.execute(STAGING).await?;
        copy(&mut tx, &self.copy, rows).await?;
        let merge = sqlx::AssertSqlSafe(self.merge.as_str());
        sqlx::query(merge).execute(&mut *tx).await?;
        tx.commit().await
    }
}

/// A partition that we knew was dropped meanwhile. (A CHECK that fails has a name.)
fn lacks_partition(sent: &sqlx::Result<()>) -> bool {
    let Err(sqlx::Error::Database(cause)) = sent else {
        return false;
    };
    cause.code().as_deref() == Some("23514") && cause.constraint().is_none()
}

impl From<sqlx::Error> for SinkError {
    fn from(error: sqlx::Error) -> Self {
        match error {
            sqlx::Error::Database(cause) => from_database(&*cause),
            other => Self::Unavailable(other.to_string()),
        }
    }
}

async fn copy(connection: &mut PgConnection, statement: &str, rows: &[u8]) -> sqlx::Result<()> {
    let mut copy = connection.copy_in_raw(statement).await?;
    copy.send(rows).await?;
    copy.finish().await.map(drop)
}

/// Each in a transaction of its own: the lock that making one takes is not kept while rows
/// are sent.
async fn ensure_partitions(db: &Db, known: &mut HashSet<Vec<u8>>, rows: &[u8]) -> sqlx::Result<()> {
    let lines = rows.split(|byte| *byte == b'\n');
    for month in lines.filter_map(|line| line.get(37..44)) {
        if !known.contains(month) {
            let first = format!("{}-01T00:00:00Z", String::from_utf8_lossy(month));
            let mut tx = db.begin().await?;
            sqlx::query("SELECT audit_ensure_partition($1::text::timestamptz)")
                .bind(first)
                .execute(&mut *tx)
                .await?;
            tx.commit().await?;
            known.insert(month.to_vec());
        }
    }
    Ok(())
}

/// Only what the data itself is to blame for counts against the rows. Everything else
/// (no rights, no table, read-only, disk full, shutting down) may pass.
fn from_database(cause: &dyn DatabaseError) -> SinkError {
    let message = cause.message().to_owned();
    match cause.code().as_deref() {
        Some(code) if code.starts_with("22") || code.starts_with("23") => {
            SinkError::Rejected(message)
        }
        _ => SinkError::Unavailable(message),
    }
}
