//! What the gateway signs with.

use chrono::{DateTime, TimeDelta, Utc};

use super::author::Done;
use super::{Author, Db, Result, StoreError};
use crate::domain::{SigningKeyId, SigningTimes, Succession};

/// How long a new key is shown before it signs: longer than verifiers keep what they fetched.
const LEAD: TimeDelta = TimeDelta::minutes(15);
/// How long the one before is shown after that: longer than anything that it signed is valid.
const OVERLAP: TimeDelta = TimeDelta::hours(1);

/// A key as it is on record.
#[derive(Clone, Debug)]
pub struct StoredSigningKey {
    /// Its name.
    pub id: SigningKeyId,
    /// Its private part, sealed.
    pub sealed: Vec<u8>,
    /// Its life.
    pub times: SigningTimes,
}

struct Row {
    id: String,
    sealed: Vec<u8>,
    created_at: DateTime<Utc>,
    signs_from: DateTime<Utc>,
    served_until: Option<DateTime<Utc>>,
}

impl TryFrom<Row> for StoredSigningKey {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self> {
        Ok(Self {
            id: row.id.parse().map_err(StoreError::corrupt)?,
            sealed: row.sealed,
            times: SigningTimes {
                created_at: row.created_at,
                signs_from: row.signs_from,
                served_until: row.served_until,
            },
        })
    }
}

impl Db {
    /// All of them, the newest first.
    ///
    /// # Errors
    ///
    /// `Unavailable`.
    pub async fn signing_keys(&self) -> Result<Vec<StoredSigningKey>> {
        let rows = sqlx::query_as!(
            Row,
            "SELECT id, sealed, created_at, signs_from, served_until FROM signing_keys
             ORDER BY signs_from DESC, created_at DESC, id",
        )
        .fetch_all(&mut *self.read().await?)
        .await?;
        rows.into_iter().map(TryInto::try_into).collect()
    }

    /// Puts a new key in the place of the one there is (`signing_key.created`), and forgets those
    /// whose time is over. `None`: there is one already, and this would be the first.
    ///
    /// # Errors
    ///
    /// `Unavailable`.
    pub async fn add_signing_key(
        &self,
        author: &mut Author,
        (id, sealed): (&SigningKeyId, &[u8]),
        succession: Succession,
    ) -> Result<Option<SigningTimes>> {
        let mut change = self.change(author).await?;
        let now = change.author.now();
        sqlx::query!(
            "SELECT pg_advisory_xact_lock(hashtext('portcullis.signing_keys')) AS \"done: ()\""
        )
        .fetch_one(&mut *change.tx)
        .await?;
        let newest = sqlx::query!("SELECT id FROM signing_keys WHERE served_until IS NULL")
            .fetch_optional(&mut *change.tx)
            .await?;
        let (lead, overlap) = match (succession, &newest) {
            (Succession::First, Some(_)) => return Ok(None),
            (Succession::Planned, Some(_)) => (LEAD, OVERLAP),
            _ => (TimeDelta::zero(), TimeDelta::zero()),
        };
        let times = SigningTimes {
            created_at: now,
            signs_from: now + lead,
            served_until: None,
        };
        let former_until = times.signs_from + overlap;
        sqlx::query!(
            "DELETE FROM signing_keys WHERE least(served_until, $1) <= $2",
            former_until,
            now,
        )
        .execute(&mut *change.tx)
        .await?;
        sqlx::query!(
            "UPDATE signing_keys SET served_until = $1
             WHERE served_until IS NULL OR served_until > $1",
            former_until,
        )
        .execute(&mut *change.tx)
        .await?;
        sqlx::query!(
            "INSERT INTO signing_keys (id, sealed, created_at, signs_from) VALUES ($1, $2, $3, $4)",
            id.as_str(),
            sealed,
            now,
            times.signs_from,
        )
        .execute(&mut *change.tx)
        .await?;
        let mut done = Done::new("signing_key.created", "signing_key", id)
            .detail("signs_from", times.signs_from.to_rfc3339());
        if let Some(former) = newest {
            done = done
                .detail("former", former.id)
                .detail("former_until", former_until.to_rfc3339());
        }
        change.commit(done).await?;
        Ok(Some(times))
    }
}
