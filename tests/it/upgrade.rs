//! Upgrades: another process takes over, and nobody notices.

mod failed;
mod handed_over;
mod killed;
mod private_postgres;
mod under_load;
