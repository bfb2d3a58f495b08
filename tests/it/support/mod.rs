//! What several subjects need.

pub mod gateway;
pub mod http2;
pub mod load;
pub mod postgres;
pub mod raw;
pub mod redis;
pub mod store;
pub mod upstream;
