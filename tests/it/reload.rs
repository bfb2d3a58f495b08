//! Reloading: by signal and by change, under load, and what outlives it.

mod connections;
mod kept;
mod retry;
mod settings;
mod under_load;
mod watch;
