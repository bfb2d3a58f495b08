//! What a running gateway cannot change.

use secrecy::ExposeSecret as _;

use super::settings::{Database, Listen, Serves, Settings};

/// The keys that take a new process.
pub const FIXED: [&str; 11] = [
    "listen",
    "private_listen",
    "data_dir",
    "database",
    "workers",
    "log.format",
    "cache",
    "audit",
    "rate_limits",
    "sign_in",
    "oauth2",
];

impl Settings {
    /// Those of [`FIXED`] whose values differ. Sockets, threads, the database's pool and
    /// the spool are made once.
    #[must_use]
    pub fn needs_restart(&self, new: &Self) -> Vec<&'static str> {
        let Self {
            listen,
            private_listen,
            data_dir,
            database,
            workers,
            log,
            cache,
            audit,
            rate_limits,
            sign_in,
            oauth2,
            ..
        } = self;
        let same = [
            same_sockets(listen, &new.listen),
            *private_listen == new.private_listen,
            *data_dir == new.data_dir,
            same(database.as_ref(), new.database.as_ref()),
            *workers == new.workers,
            log.format == new.log.format,
            *cache == new.cache,
            *audit == new.audit,
            *rate_limits == new.rate_limits,
            *sign_in == new.sign_in,
            *oauth2 == new.oauth2,
        ];
        let changed = FIXED.into_iter().zip(same).filter(|(_, same)| !same);
        changed.map(|(key, _)| key).collect()
    }
}

/// Certificates and what else belongs to TLS may change.
fn same_sockets(old: &[Listen], new: &[Listen]) -> bool {
    let same = |(old, new): (&Listen, &Listen)| {
        let serves = match (&old.serves, &new.serves) {
            (Serves::Plain, Serves::Plain) | (Serves::Tls(_), Serves::Tls(_)) => true,
            (Serves::Redirect(old), Serves::Redirect(new)) => old == new,
            _ => false,
        };
        let told = |it: &Listen| (it.address, it.http2, it.proxy_protocol);
        serves && told(old) == told(new)
    };
    old.len() == new.len() && old.iter().zip(new).all(same)
}

/// `migrate_url` is nothing to a running gateway.
fn same(old: Option<&Database>, new: Option<&Database>) -> bool {
    let told = |database: &Database| {
        let url = database.url.expose_secret().to_owned();
        (url, database.max_connections)
    };
    old.map(told) == new.map(told)
}
