//! Reloading: by signal and by change, under load, and what outlives it.

mod kept;
mod settings;
mod under_load;
mod watch;
