//! Start, stop, health, metrics and logs.

mod start;
mod stop;
mod telemetry;
