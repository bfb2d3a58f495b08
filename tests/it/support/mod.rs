//! What several subjects need.

pub mod postgres;
pub mod store;
