//! Integration tests: one binary, one module a subject.

mod admin_cli;
mod audit;
mod audit_trail;
mod builtin_roles;
mod config_diagnostics;
mod config_examples;
mod design_rules;
mod explain;
mod hostile;
mod layering;
mod lifecycle;
mod mlflow;
mod preset_mlflow;
mod private_postgres;
mod readme;
mod request_way;
mod revocation;
mod store_append_only;
mod store_keys;
mod store_migrate;
mod store_policy;
mod store_rules;
mod streaming;
mod support;
mod transport;
mod upstreams;
