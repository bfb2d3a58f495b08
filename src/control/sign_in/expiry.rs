//! Sessions whose time is over are ended, whether or not anybody presents them again.

use std::time::Duration;

use crate::store::{Author, Db};

/// How often it is looked.
const EVERY: Duration = Duration::from_secs(10);

/// Ends sessions, for ever.
#[derive(Debug)]
pub struct Expiry {
    db: Db,
    author: Author,
}

impl Expiry {
    /// In the name of this author.
    #[must_use]
    pub const fn new(db: Db, author: Author) -> Self {
        Self { db, author }
    }

    /// Looks again and again. While the database is away nobody has a session either.
    pub async fn run(mut self) -> ! {
        let mut ticks = tokio::time::interval(EVERY);
        loop {
            ticks.tick().await;
            match self.db.end_expired(&mut self.author).await {
                Ok(0) => {}
                Ok(sessions) => tracing::debug!(sessions, "sessions have expired"),
                Err(error) => tracing::warn!(%error, "sessions that expired were not ended"),
            }
        }
    }
}
