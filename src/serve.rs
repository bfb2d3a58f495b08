//! The composition root: puts the planes together, starts and stops them.
//!
//! Two runtimes: the data plane's, whose threads do nothing but requests, and the
//! control runtime, which owns the database connections and all background tasks.

mod data_plane;
mod database;
mod descriptors;
mod listener;
mod reload;
mod stop;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinSet;

use self::data_plane::DataPlane;
use self::database::Database;
use self::listener::Bound;
use self::reload::{InForce, Reloader, Reporter};
use self::stop::Stop;
use crate::audit::{AuditWriter, Spool, SpoolError, SpoolOptions};
use crate::authn::Authenticator;
use crate::cache::{KeyCache, Refresh, RoleTables};
use crate::clock::Clock;
use crate::config::{ConfigFile, Files, Settings};
use crate::control::{self, Health};
use crate::proxy::{
    CertificateWatch, Core, Gateway, InFlight, Listener, LiveRules, Protocol, Provisioner, Rules,
    UpstreamError,
};
use crate::rate::RateLimiter;
use crate::store::private_postgres::PrivatePostgresError;
use crate::store::{Db, MalformedDatabaseUrl, StoreError};
use crate::telemetry::{LogLevel, Metrics};

pub use self::listener::ListenError;

/// How long the audit writer may take at the end; what is left goes with the next start.
const DRAIN: Duration = Duration::from_secs(5);

/// Why the gateway does not start.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// An address cannot be listened on.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// The certificates of an address cannot be used.
    #[error("TLS: {0}")]
    Tls(#[from] openssl::error::ErrorStack),
    /// The private Postgres does not start.
    #[error(transparent)]
    Postgres(#[from] PrivatePostgresError),
    /// `database.url` is no URL of a Postgres.
    #[error("database.url: {0}")]
    Url(#[from] MalformedDatabaseUrl),
    /// The private Postgres cannot be migrated.
    #[error("migrating the private PostgreSQL: {0}")]
    Migrate(StoreError),
    /// An upstream cannot be set up.
    #[error(transparent)]
    Upstream(#[from] UpstreamError),
    /// The audit spool cannot be used.
    #[error("audit spool: {0}")]
    Spool(#[from] SpoolError),
    /// A task that must not end did.
    #[error("a background task failed; see the log")]
    Background,
    /// Signals cannot be received, or a runtime cannot be made.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// What a gateway is started with.
#[derive(Debug)]
pub struct Start {
    /// Its configuration.
    pub settings: Settings,
    /// What that was read from.
    pub files: Files,
    /// Where to read it anew.
    pub config: ConfigFile,
    /// The level of the log, which is part of it.
    pub level: LogLevel,
}

/// Runs the gateway until a signal ends it.
///
/// # Errors
///
/// [`ServeError`]: before any request was taken, or because a task failed on the way.
pub fn run(start: Start) -> Result<(), ServeError> {
    let control = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .thread_name("control")
        .enable_all()
        .build()?;
    let ran = control.block_on(serve(start));
    control.shutdown_timeout(Duration::from_secs(1));
    ran
}

async fn serve(start: Start) -> Result<(), ServeError> {
    let mut stop = Stop::new()?;
    // Before anything is ready to be reloaded: by default the signal would end us.
    let hangup = signal(SignalKind::hangup())?;
    let Start {
        settings,
        files,
        config,
        level,
    } = start;
    let source = reload::Source {
        config,
        files,
        level,
        hangup,
    };
    let clock = Clock::system();
    descriptors::raise(&settings.limits);
    let metrics = Arc::new(Metrics::new());
    let health = Arc::new(Health::default());
    let public = settings.listen.iter().map(|it| Bound::new(it.address));
    let public = public.collect::<Result<Vec<_>, _>>()?;
    let private = Bound::new(settings.private_listen)?.listen("private")?;
    let spool = Spool::open(&settings.data_dir.join("spool"), spool_options(&settings))?;
    let mut tasks = JoinSet::new();
    tasks.spawn(control::serve(
        private,
        Arc::clone(&health),
        Arc::clone(&metrics),
        spool.clone(),
        clock.clone(),
    ));
    let database = tokio::select! {
        database = Database::open(&settings, &clock) => database?,
        () = stop.requested() => return Ok(()),
    };
    let parts = Parts {
        settings,
        db: database.db.clone(),
        spool,
        health,
        metrics,
        clock,
    };
    let served = parts.serve(public, stop, source, &mut tasks).await;
    tasks.shutdown().await;
    database.close().await;
    served
}

fn spool_options(settings: &Settings) -> SpoolOptions {
    SpoolOptions {
        max_bytes: settings.audit.max_bytes,
        when_full: settings.audit.when_full,
        shards: data_plane::workers(settings),
        ..SpoolOptions::default()
    }
}

/// What both planes are made of.
struct Parts {
    settings: Settings,
    db: Db,
    spool: Spool,
    health: Arc<Health>,
    metrics: Arc<Metrics>,
    clock: Clock,
}

impl Parts {
    async fn serve(
        mut self,
        public: Vec<Bound>,
        mut stop: Stop,
        source: reload::Source,
        tasks: &mut JoinSet<io::Result<()>>,
    ) -> Result<(), ServeError> {
        let rules = Rules::new(&mut self.settings, None, &self.clock, &self.metrics).await?;
        rules.watch_upstreams();
        let rules: LiveRules = Arc::new(ArcSwap::from_pointee(rules));
        let tables = self.tables();
        let gateway = tokio::select! {
            gateway = self.gateway(&tables, &rules, tasks) => gateway,
            () = stop.requested() => return Ok(()),
        };
        let usage = Arc::clone(&gateway.authenticator.usage);
        let in_force = InForce {
            rules: Arc::clone(&rules),
            tables: Arc::clone(&tables),
            keys: Arc::clone(&gateway.authenticator.keys),
            shutdown: Arc::new(ArcSwap::from_pointee(self.settings.shutdown)),
            protocols: self.protocols(tasks)?,
            metrics: Arc::clone(&self.metrics),
            clock: self.clock.clone(),
        };
        let shutdown = Arc::clone(&in_force.shutdown);
        let writer = AuditWriter::spawn(self.spool.clone(), self.db.clone());
        let listeners = open(public, &in_force.protocols)?;
        let plane = DataPlane::start(&self.settings, gateway, listeners);
        self.background(tables, rules, &plane, tasks);
        let reporter = self.reporter(&source.config);
        reporter.started();
        let reloader = Reloader::new(source, self.settings, in_force, reporter);
        tasks.spawn(async move { reloader.run().await });
        self.health.listening();
        let asked = tokio::select! {
            () = stop.requested() => true,
            () = first_to_end(tasks) => false,
        };
        self.health.draining();
        plane.stop(&shutdown.load(), &mut stop).await;
        usage.flush(&self.db).await;
        let left = writer.drain(DRAIN, &self.clock).await;
        if left.depth_events > 0 {
            tracing::warn!(
                events = left.depth_events,
                "audit events stay in the spool for the next start"
            );
        }
        if asked {
            Ok(())
        } else {
            Err(ServeError::Background)
        }
    }

    /// What is spoken at each address. Certificates are followed from here on.
    fn protocols(
        &self,
        tasks: &mut JoinSet<io::Result<()>>,
    ) -> Result<Vec<Arc<Protocol>>, ServeError> {
        let protocols = self.settings.listen.iter().cloned().map(Protocol::new);
        let protocols = protocols.collect::<Result<Vec<_>, _>>()?;
        let tls = protocols.iter().filter_map(Protocol::tls);
        let (metrics, clock) = (Arc::clone(&self.metrics), self.clock.clone());
        tasks.spawn(CertificateWatch::new(tls, metrics, clock).run());
        Ok(protocols.into_iter().map(Arc::new).collect())
    }

    fn tables(&mut self) -> Arc<RoleTables> {
        let catalogue = std::mem::take(&mut self.settings.catalogue);
        Arc::new(RoleTables::new(
            self.db.clone(),
            catalogue,
            self.clock.clone(),
            self.settings.cache.max_staleness,
        ))
    }

    /// Waits for the database, since nobody can be admitted without it.
    async fn gateway(
        &mut self,
        tables: &Arc<RoleTables>,
        rules: &LiveRules,
        tasks: &mut JoinSet<io::Result<()>>,
    ) -> Gateway {
        let pepper = database::wait_for(tables, &self.db).await;
        self.health.watch(Arc::clone(tables));
        // Twice, for they are renewed halfway: whenever the database goes away, keys in
        // use are known for as long as the role table is believed.
        let keys = Arc::new(KeyCache::new(self.settings.cache.max_staleness * 2));
        let refresh = Refresh {
            db: self.db.clone(),
            tables: Arc::clone(tables),
            keys: Arc::clone(&keys),
            poll: self.settings.cache.poll,
        };
        tasks.spawn(async move { refresh.run().await });
        let authenticator = Authenticator::new(
            self.db.clone(),
            keys,
            Arc::clone(tables),
            pepper,
            self.clock.clone(),
            &self.metrics,
        );
        Gateway::new(Core {
            rules: Arc::clone(rules),
            authenticator,
            tables: Arc::clone(tables),
            limiter: self.limiter(tasks),
            spool: self.spool.clone(),
            metrics: Arc::clone(&self.metrics),
            clock: self.clock.clone(),
            in_flight: InFlight::new(self.metrics.in_flight.clone()),
        })
    }

    fn limiter(&self, tasks: &mut JoinSet<io::Result<()>>) -> Arc<RateLimiter> {
        let redis = self.settings.rate_limits.redis.clone();
        let limiter = Arc::new(RateLimiter::new(redis, self.clock.clone(), &self.metrics));
        let running = Arc::clone(&limiter);
        tasks.spawn(async move { running.run().await });
        limiter
    }

    fn background(
        &self,
        tables: Arc<RoleTables>,
        rules: LiveRules,
        plane: &DataPlane,
        tasks: &mut JoinSet<io::Result<()>>,
    ) {
        let (db, usage) = (self.db.clone(), plane.usage());
        tasks.spawn(async move { usage.run(&db).await });
        let provisioner = Provisioner::new(rules);
        tasks.spawn(async move { provisioner.run(&tables).await });
    }

    fn reporter(&self, config: &ConfigFile) -> Reporter {
        Reporter {
            path: config.path.clone(),
            actor: database::own_actor(),
            spool: self.spool.clone(),
            metrics: Arc::clone(&self.metrics),
            clock: self.clock.clone(),
        }
    }
}

/// Opens the addresses of clients.
fn open(public: Vec<Bound>, protocols: &[Arc<Protocol>]) -> Result<Vec<Listener>, ServeError> {
    let listener = |(bound, protocol): (Bound, &Arc<Protocol>)| {
        Ok(Listener {
            socket: bound.listen("public")?.into_std()?,
            protocol: Arc::clone(protocol),
        })
    };
    public.into_iter().zip(protocols).map(listener).collect()
}

/// Waits for a background task to end, which none does by itself: without it the
/// gateway would go on with caches that nobody keeps true, so it stops.
async fn first_to_end(tasks: &mut JoinSet<io::Result<()>>) {
    match tasks.join_next().await {
        Some(Err(error)) => tracing::error!(%error, "a background task failed: stopping"),
        Some(Ok(Err(error))) => tracing::error!(%error, "the private listener failed: stopping"),
        Some(Ok(Ok(()))) => tracing::error!("a background task ended: stopping"),
        None => std::future::pending().await,
    }
}
