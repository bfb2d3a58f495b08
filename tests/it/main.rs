//! Integration tests: one binary, one module a subject.

mod audit;
mod private_postgres;
mod support;
