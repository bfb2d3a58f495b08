//! The control plane.
//!
//! So far the private listener: health and metrics, for orchestrators and scrapers,
//! on an address that clients do not reach.

mod health;
mod private;

pub use health::Health;
pub use private::serve;
