//! Integration tests: one binary, one module a subject.

mod builtin_roles;
mod preset_mlflow;
