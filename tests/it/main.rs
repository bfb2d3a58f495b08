//! Integration tests: one binary, one module a subject.

mod private_postgres;
mod support;
