//! Upgrades: another process takes over, and nobody notices.

mod failed;
mod handed_over;
mod killed;
mod listeners;
mod private_postgres;
mod under_load;

use std::sync::atomic::{AtomicBool, Ordering};

/// Ends the load even if the test fails.
struct Ends<'c>(&'c AtomicBool);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
