//! What a gateway does of its own for one request, step by step, on warm caches: shared by the
//! criterion benches and the count of allocations.

pub mod credentials;
pub mod rows;
pub mod steps;
pub mod world;
