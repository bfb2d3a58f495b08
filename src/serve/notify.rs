//! Tells systemd which process is the gateway (`sd_notify(3)`).

use std::io;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};

/// This process serves. After an upgrade it is another one than systemd has started.
pub(super) fn ready() {
    let Some(address) = std::env::var_os("NOTIFY_SOCKET") else {
        return;
    };
    let told = address.to_str().map_or_else(
        || Err(io::ErrorKind::InvalidInput.into()),
        |address| {
            tell(
                address,
                &format!("READY=1\nMAINPID={}\n", std::process::id()),
            )
        },
    );
    if let Err(error) = told {
        tracing::warn!(%error, "cannot tell the service manager");
    }
}

fn tell(address: &str, what: &str) -> io::Result<()> {
    // A leading `@` stands for a name that is no file.
    let address = match address.strip_prefix('@') {
        Some(name) => SocketAddr::from_abstract_name(name)?,
        None => SocketAddr::from_pathname(address)?,
    };
    UnixDatagram::unbound()?.send_to_addr(what.as_bytes(), &address)?;
    Ok(())
}
