//! What several subjects need.

pub mod certificates;
pub mod gateway;
pub mod http2;
pub mod load;
pub mod postgres;
pub mod raw;
pub mod redis;
pub mod store;
pub mod tls;
pub mod upstream;
