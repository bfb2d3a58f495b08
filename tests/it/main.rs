//! Integration tests: one binary, one module a subject.

mod builtin_roles;
mod config_diagnostics;
mod config_examples;
mod preset_mlflow;
mod admin_cli;
mod audit;
mod private_postgres;
mod store_append_only;
mod store_migrate;
mod store_policy;
mod store_rules;
mod support;
