//! What several subjects need.

pub mod postgres;
