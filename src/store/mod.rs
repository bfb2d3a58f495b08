//! (see ARCHITECTURE.md)

pub mod private_postgres;
