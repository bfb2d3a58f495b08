//! Start, stop, health, metrics and logs.

mod clock;
mod start;
mod stop;
mod telemetry;
mod websockets;
