//! What several subjects need.

pub mod browser;
pub mod certificates;
pub mod clock;
pub mod gateway;
pub mod http2;
pub mod http2_peers;
pub mod load;
pub mod oidc;
pub mod platform;
pub mod postgres;
pub mod raw;
pub mod redis;
pub mod saml;
pub mod server;
pub mod store;
pub mod tls;
pub mod upstream;

use std::path::PathBuf;

/// The path of a real part, which `make test` installs and names.
pub fn from_environment(name: &str) -> PathBuf {
    let path = std::env::var_os(name).map(PathBuf::from);
    let path = path.unwrap_or_else(|| {
        panic!("{name} is not set: run `make test`, or see CONTRIBUTING.md for how to set it")
    });
    assert!(path.exists(), "{name}: there is no {}", path.display());
    path
}
