//! (see ARCHITECTURE.md)

pub mod postgres;
