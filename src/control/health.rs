//! Whether the gateway is ready, and what is missing if not.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::cache::RoleTables;

/// What readiness rests on, filled in as the start goes on.
#[derive(Debug, Default)]
pub struct Health {
    tables: OnceLock<std::sync::Arc<RoleTables>>,
    listening: AtomicBool,
    draining: AtomicBool,
}

impl Health {
    /// The role table is there to be asked.
    pub fn watch(&self, tables: std::sync::Arc<RoleTables>) {
        // Told once, by the one start.
        let _ = self.tables.set(tables);
    }

    /// The public listener is open.
    pub fn listening(&self) {
        self.listening.store(true, Ordering::Release);
    }

    /// No new requests are wanted.
    pub fn draining(&self) {
        self.draining.store(true, Ordering::Release);
    }

    /// What keeps requests from being served; empty when ready.
    #[must_use]
    pub fn missing(&self) -> Vec<&'static str> {
        let mut missing = Vec::new();
        match self.tables.get() {
            None => missing.push("database: waiting for the first connection"),
            Some(tables) if tables.is_stale() => {
                missing.push("role table: the database has not confirmed it for too long");
            }
            Some(_) => {}
        }
        if !self.listening.load(Ordering::Acquire) {
            missing.push("listener: not open yet");
        }
        if self.draining.load(Ordering::Acquire) {
            missing.push("shutdown: draining");
        }
        missing
    }
}
