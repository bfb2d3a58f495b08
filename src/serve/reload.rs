//! Takes the configuration anew: on SIGHUP at once, and when a file of it has changed.
//!
//! All or nothing. Whatever is wrong with the new one, the rules in force stay as they
//! are; if nothing is, they are swapped in one step, and a request that began under the
//! old ones ends under them. Before that step the role table and the keys are brought to
//! know every permission that the new rules ask for.

mod report;
mod watch;

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::signal::unix::Signal;

use self::watch::Watch;
use crate::cache::{KeyCache, RoleTables};
use crate::clock::Clock;
use crate::config::{ConfigFile, Diagnostic, Files, Listen, Loaded, Settings, Shutdown};
use crate::proxy::{LiveRules, Protocol, Renewal, Rules, UpstreamError};
use crate::store::StoreError;
use crate::telemetry::{LogLevel, Metrics};

pub(super) use self::report::Reporter;

/// How soon a reload that only the database kept from happening is tried again.
const RETRY: Duration = Duration::from_secs(5);

/// Why a configuration was not taken.
#[derive(Debug, thiserror::Error)]
enum Refused {
    #[error("{}", lines(.0))]
    Invalid(Vec<Diagnostic>),
    #[error(transparent)]
    Upstream(#[from] UpstreamError),
    #[error("TLS: {0}")]
    Tls(#[from] openssl::error::ErrorStack),
    #[error("its permissions are new, and the database cannot be asked for the roles: {0}")]
    Database(#[from] StoreError),
    #[error("reading it failed: {0}")]
    Broken(#[from] tokio::task::JoinError),
}

fn lines(diagnostics: &[Diagnostic]) -> String {
    let lines: Vec<_> = diagnostics.iter().map(ToString::to_string).collect();
    lines.join("\n")
}

/// What was taken.
struct Taken {
    /// Keys that changed, but wait for a new process.
    needs_restart: Vec<&'static str>,
}

/// What a reload changes.
pub(super) struct InForce {
    pub(super) rules: LiveRules,
    pub(super) tables: Arc<RoleTables>,
    pub(super) keys: Arc<KeyCache>,
    pub(super) shutdown: Arc<ArcSwap<Shutdown>>,
    /// In the order of `listen:`.
    pub(super) protocols: Vec<Arc<Protocol>>,
    pub(super) metrics: Arc<Metrics>,
    pub(super) clock: Clock,
}

impl InForce {
    /// TLS as these addresses want it, which are those that are open.
    fn renewals(&self, listen: &[Listen]) -> Result<Vec<Renewal>, Refused> {
        let open = self.protocols.iter().zip(listen);
        let renewals = open.map(|(protocol, listen)| protocol.renewal(listen));
        let renewals = renewals.collect::<Result<Vec<_>, _>>()?;
        Ok(renewals.into_iter().flatten().collect())
    }
}

/// What reloading starts from.
pub(super) struct Source {
    pub(super) config: ConfigFile,
    /// Those that the configuration of the start was read from.
    pub(super) files: Files,
    pub(super) level: LogLevel,
    pub(super) hangup: Signal,
}

/// The task that reloads.
pub(super) struct Reloader {
    config: ConfigFile,
    level: LogLevel,
    hangup: Signal,
    /// What this process was started with.
    started: Settings,
    in_force: InForce,
    reporter: Reporter,
    watch: Watch,
    /// The last attempt failed for a reason that may pass.
    again: bool,
}

impl Reloader {
    pub(super) fn new(
        source: Source,
        started: Settings,
        in_force: InForce,
        reporter: Reporter,
    ) -> Self {
        Self {
            config: source.config,
            level: source.level,
            hangup: source.hangup,
            started,
            in_force,
            reporter,
            watch: Watch::new(source.files),
            again: false,
        }
    }

    /// Runs for ever.
    pub(super) async fn run(mut self) -> ! {
        loop {
            tokio::select! {
                _ = self.hangup.recv() => tracing::info!("SIGHUP: reloading the configuration"),
                () = self.watch.changed() => tracing::info!("the configuration has changed: reloading it"),
                () = tokio::time::sleep(RETRY), if self.again => {}
            }
            self.reload().await;
        }
    }

    async fn reload(&mut self) {
        let config = self.config.clone();
        let outcome = match tokio::task::spawn_blocking(move || config.load()).await {
            Ok(Loaded { settings, files }) => {
                self.watch.read(files);
                match settings {
                    Ok(settings) => self.take(settings).await,
                    Err(diagnostics) => Err(Refused::Invalid(diagnostics)),
                }
            }
            Err(panicked) => Err(panicked.into()),
        };
        self.again = matches!(outcome, Err(Refused::Database(_)));
        let digest = self.watch.digest(&self.config.path);
        self.reporter.tell(digest, &outcome);
    }

    async fn take(&self, mut settings: Settings) -> Result<Taken, Refused> {
        let in_force = &self.in_force;
        let needs_restart = self.started.needs_restart(&settings);
        let former = in_force.rules.load_full();
        let renewals = if needs_restart.contains(&"listen") {
            Vec::new()
        } else {
            in_force.renewals(&settings.listen)?
        };
        let rules = Rules::new(
            &mut settings,
            Some(&former),
            &in_force.clock,
            &in_force.metrics,
        )
        .await?;
        if in_force.tables.add(&settings.catalogue).await? {
            // Their limits are compiled with the permissions there were.
            in_force.keys.invalidate_all();
        }
        rules.watch_upstreams();
        in_force.rules.store(rules);
        renewals.into_iter().for_each(Renewal::take_force);
        in_force.shutdown.store(Arc::new(settings.shutdown));
        self.level.set(settings.log.level);
        Ok(Taken { needs_restart })
    }
}
