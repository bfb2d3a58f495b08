//! What goes wrong, one thing after the other, every few seconds.

use std::collections::BTreeMap;
use std::time::Duration;

use rustix::process::Signal;
use sqlx::{Connection as _, Executor as _, PgConnection};

use super::backend::{Backend, Mood};
use super::load::Load;
use crate::support::gateway::TestGateway;

/// From one to the next.
const PAUSE: Duration = Duration::from_millis(1500);
/// How long a backend is ill.
const ILLNESS: Duration = Duration::from_millis(700);

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    Backend(u8),
    PostgresRestarts,
    PostgresCrashes,
    ListenerLost,
    ConnectionsLost,
    Reload,
    BadReload,
    KeyRevoked,
}

const ILLNESSES: [Mood; 5] = [
    Mood::Resets,
    Mood::Slow,
    Mood::Garbage,
    Mood::HalfBody,
    Mood::HangsUp,
];

const ALL: [Fault; 12] = [
    Fault::Backend(0),
    Fault::ListenerLost,
    Fault::Backend(1),
    Fault::KeyRevoked,
    Fault::Backend(2),
    Fault::Reload,
    Fault::PostgresRestarts,
    Fault::Backend(3),
    Fault::ConnectionsLost,
    Fault::BadReload,
    Fault::Backend(4),
    Fault::PostgresCrashes,
];

pub struct Faults<'a> {
    backend: &'a Backend,
    load: &'a Load,
    done: BTreeMap<String, usize>,
    next: usize,
    reloads: u32,
}

impl<'a> Faults<'a> {
    pub fn new(backend: &'a Backend, load: &'a Load) -> Self {
        Self {
            backend,
            load,
            done: BTreeMap::new(),
            next: 0,
            reloads: 0,
        }
    }

    pub fn count(&self) -> usize {
        self.next
    }

    pub fn by_kind(&self) -> &BTreeMap<String, usize> {
        &self.done
    }

    /// Waits a little, then lets the next thing go wrong, to its end.
    pub async fn next(&mut self, gateway: &mut TestGateway) {
        tokio::time::sleep(PAUSE).await;
        let fault = ALL[self.next % ALL.len()];
        self.next += 1;
        let name = match fault {
            Fault::Backend(which) => format!("{:?}", ILLNESSES[usize::from(which)]),
            other => format!("{other:?}"),
        };
        *self.done.entry(name).or_default() += 1;
        match fault {
            Fault::Backend(which) => {
                self.backend.feel(ILLNESSES[usize::from(which)]);
                tokio::time::sleep(ILLNESS).await;
                self.backend.feel(Mood::Well);
            }
            Fault::PostgresRestarts => {
                gateway.postgres.stop();
                gateway.postgres.restart().await;
            }
            Fault::PostgresCrashes => {
                gateway.postgres.crash();
                gateway.postgres.restart().await;
            }
            Fault::ListenerLost => end_connections(gateway, "query ILIKE 'LISTEN%'").await,
            Fault::ConnectionsLost => end_connections(gateway, "true").await,
            Fault::Reload => {
                self.reloads += 1;
                gateway.configure(&super::config(self.backend, self.reloads));
                gateway.signal(Signal::HUP);
            }
            Fault::BadReload => {
                gateway.configure("upstreams: nonsense\n");
                gateway.signal(Signal::HUP);
            }
            Fault::KeyRevoked => self.revoke(gateway),
        }
    }

    /// A new key for the guests, and the end of their old one.
    fn revoke(&self, gateway: &TestGateway) {
        // The command line needs a configuration that can be read.
        gateway.configure(&super::config(self.backend, self.reloads));
        let new = gateway.key("viewer@example.com", Some("acme/fraud"));
        let old = self.load.change_guest_key(new);
        gateway.cli(&["keys", "revoke", old.split('_').nth(2).unwrap()]);
    }
}

/// Ends connections of the gateway in the middle of whatever they do.
async fn end_connections(gateway: &TestGateway, which: &str) {
    let sql = format!(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
         WHERE usename = 'portcullis' AND pid <> pg_backend_pid() AND {which}"
    );
    let superuser = gateway.postgres.superuser_url();
    let mut superuser = PgConnection::connect(&superuser).await.unwrap();
    superuser.execute(sqlx::AssertSqlSafe(sql)).await.unwrap();
}
