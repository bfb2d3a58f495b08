//! Rate limits: who may send how many requests in what time.
//!
//! | file | what |
//! |---|---|
//! | `gcra.rs` | the arithmetic of one counter |
//! | `subject.rs` | of whom a counter counts |
//! | `counters.rs` | the counters of this process: exact, bounded, no lock for all |
//! | `shared.rs`, `charge.lua` | the counters of several processes, in Redis |
//! | `limiter.rs` | asks one or the other, and tells what stands where |
//! | `standing.rs` | what clients are told |

mod counters;
mod gcra;
mod limiter;
mod redis_url;
mod shared;
mod standing;
mod subject;

pub use limiter::{RateLimiter, Refusal, Taken};
pub use redis_url::{MalformedRedisUrl, RedisUrl};
pub use shared::{RedisOptions, WhenAway};
pub use standing::{Standing, Standings};
pub use subject::{Charge, Subject};
