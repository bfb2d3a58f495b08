//! Puts a gateway together and lets it run.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use tokio::task::JoinSet;

use super::data_plane::DataPlane;
use super::database::{self, Database};
use super::desk::{Desk, Entrance};
use super::doors::Doors;
use super::reload::{self, InForce, Reloader, Reporter};
use super::running::Running;
use super::stop::Stop;
use super::upgrade::{self, Goods, Offer, Predecessor, UpgradeError};
use super::{ServeError, notify};
use crate::audit::AuditWriter;
use crate::authn::{Authenticator, Seal, SigningKeys, TokenRules, Truth};
use crate::cache::{
    KeyCache, OwnerCache, Owners, Refresh, RevokedTokens, RoleTables, SessionCache,
};
use crate::config::{self, ConfigFile, Settings};
use crate::control::api::{Api, ProviderDesk};
use crate::control::pages::Pages;
use crate::control::{
    self, Expiry, Letterbox, Mailer, OAuthDesk, OwnKeys, OwnSocket, Postman, SignIns,
};
use crate::domain::Pepper;
use crate::proxy::{
    Asker, Assertions, CertificateWatch, ControlPlane, Core, Gateway, InFlight, Lineage, Listener,
    LiveRules, PageTokens, Protocol, Provisioner, Rules,
};
use crate::rate::RateLimiter;
use crate::store::{Author, Db};

/// How long an upgrade waits for the database: the running gateway serves meanwhile.
const UPGRADE_PATIENCE: Duration = Duration::from_secs(30);

/// What both planes are made of.
pub(super) struct Parts {
    pub(super) settings: Settings,
    pub(super) db: Db,
    pub(super) desk: Desk,
}

impl Parts {
    /// Serves, until the end. Without an entrance, that of the running gateway is taken
    /// over as soon as nothing else is missing.
    pub(super) async fn serve(
        mut self,
        entrance: Option<Entrance>,
        database: &mut Database,
        mut stop: Stop,
        source: reload::Source,
        tasks: &mut JoinSet<io::Result<()>>,
    ) -> Result<(), ServeError> {
        let rules = Rules::new(
            &mut self.settings,
            None,
            &self.desk.clock,
            &self.desk.metrics,
        )
        .await?;
        rules.watch_upstreams();
        let rules = LiveRules::new(rules);
        let tables = self.tables();
        let socket = OwnSocket::open(&self.settings.data_dir)?;
        let gateway = tokio::select! {
            gateway = self.gateway(&tables, &rules, socket, tasks) => gateway?,
            () = stop.requested() => return Ok(()),
            () = tokio::time::sleep(UPGRADE_PATIENCE), if entrance.is_none() => {
                return Err(UpgradeError::Database.into());
            }
        };
        let protocols = self.protocols(tasks)?;
        let (mut entrance, predecessor) = tokio::select! {
            entered = self.enter(entrance, database, tasks) => entered?,
            () = stop.requested() => return Ok(()),
        };
        let in_force = InForce {
            rules: rules.clone(),
            tables: Arc::clone(&tables),
            keys: Arc::clone(gateway.authenticator.key_cache()),
            shutdown: Arc::new(ArcSwap::from_pointee(self.settings.shutdown)),
            protocols,
            metrics: Arc::clone(&self.desk.metrics),
            clock: self.desk.clock.clone(),
        };
        let shutdown = Arc::clone(&in_force.shutdown);
        let writer = AuditWriter::spawn(self.desk.spool.clone(), self.db.clone());
        let protocols = in_force.protocols.iter().cloned();
        let sockets = entrance.open_public()?.into_iter();
        let listeners = sockets.zip(protocols);
        let listeners = listeners.map(|(socket, protocol)| Listener { socket, protocol });
        let plane = DataPlane::start(&self.settings, gateway, listeners.collect());
        if let Some(predecessor) = predecessor {
            self.relieve(predecessor, database).await;
        }
        self.background(tables, rules, &plane, tasks);
        let offer = self.offer(entrance.goods, database);
        let reporter = self.reporter(&source.config);
        reporter.started();
        let desk = self.desk;
        let reloader = Reloader::new(source, self.settings, in_force, reporter);
        let reloading = tasks.spawn(async move { reloader.run().await });
        desk.health.listening();
        notify::ready();
        let running = Running {
            desk,
            plane,
            writer,
            shutdown,
            close_private: entrance.close_private,
            reloading,
            offer,
        };
        running.until_end(database, &mut stop, tasks).await
    }

    fn tables(&mut self) -> Arc<RoleTables> {
        let catalogue = std::mem::take(&mut self.settings.catalogue);
        Arc::new(RoleTables::new(
            self.db.clone(),
            catalogue,
            self.desk.clock.clone(),
            self.settings.cache.max_staleness,
        ))
    }

    /// Waits for the database, since nobody can be admitted without it.
    async fn gateway(
        &self,
        tables: &Arc<RoleTables>,
        rules: &LiveRules,
        socket: OwnSocket,
        tasks: &mut JoinSet<io::Result<()>>,
    ) -> Result<Gateway, ServeError> {
        let desk = &self.desk;
        let pepper = database::wait_for(tables, &self.db)
            .await
            .map_err(ServeError::Login)?;
        desk.health.watch(Arc::clone(tables));
        // Twice, for they are renewed halfway: whenever the database goes away, credentials
        // in use are known for as long as the role table is believed.
        let ttl = self.settings.cache.max_staleness * 2;
        let signing = self.signing_keys(&pepper, tables, tasks).await;
        let oauth2 = self.settings.oauth2.clone().map(Arc::new);
        let token_rules = oauth2
            .clone()
            .map(|oauth2| TokenRules::new(oauth2, Arc::clone(&signing)));
        let truth = Truth {
            revoked: Arc::new(RevokedTokens::new(ttl)),
            tokens: token_rules.clone(),
            db: self.db.clone(),
            keys: Arc::new(KeyCache::new(ttl)),
            sessions: Arc::new(SessionCache::new(ttl)),
            tables: Arc::clone(tables),
            pepper,
            clock: desk.clock.clone(),
        };
        let owned = Arc::new(OwnerCache::new(ttl));
        let refresh = Refresh {
            db: self.db.clone(),
            tables: Arc::clone(tables),
            keys: Arc::clone(&truth.keys),
            sessions: Arc::clone(&truth.sessions),
            tokens: Arc::clone(&truth.revoked),
            owners: Arc::clone(&owned),
            poll: self.settings.cache.poll,
        };
        tasks.spawn(async move { refresh.run().await });
        let page_tokens = PageTokens::new(&truth.pepper);
        let directories = self.settings.sign_in.as_ref();
        let directories = directories.map_or_else(Vec::new, |it| it.directories.clone());
        let oauth = token_rules.map(|rules| OAuthDesk::new(&truth, rules));
        let api = Api {
            oauth2,
            directories: directories.into(),
            providers: ProviderDesk::new(self.settings.sign_in.as_ref(), &truth.pepper),
            db: self.db.clone(),
            tables: Arc::clone(tables),
            keys: Arc::clone(&truth.keys),
            pepper: truth.pepper.clone(),
            clock: desk.clock.clone(),
            turn: Arc::default(),
        };
        let control_plane = ControlPlane::at(socket.path(), &desk.metrics);
        let pages = Pages {
            sign_ins: self.sign_ins(&truth.pepper, tables, tasks),
            tables: Arc::clone(tables),
            own_keys: OwnKeys {
                db: self.db.clone(),
                tables: Arc::clone(tables),
                keys: Arc::clone(&truth.keys),
                pepper: truth.pepper.clone(),
                clock: desk.clock.clone(),
            },
        };
        tasks.spawn(socket.serve(control::router(api, pages, oauth, Arc::clone(&signing))));
        let assertions = Assertions::new(signing, desk.clock.clone());
        Ok(Gateway::new(Core {
            rules: rules.clone(),
            authenticator: Authenticator::new(truth, &desk.metrics),
            tables: Arc::clone(tables),
            lineage: self.lineage(owned, &assertions),
            assertions,
            page_tokens,
            control_plane,
            limiter: self.limiter(tasks),
            spool: desk.spool.clone(),
            metrics: Arc::clone(&desk.metrics),
            clock: desk.clock.clone(),
            in_flight: InFlight::new(&desk.metrics.requests),
        }))
    }

    /// What the gateway signs with, from here on as it is on record.
    async fn signing_keys(
        &self,
        pepper: &Pepper,
        tables: &Arc<RoleTables>,
        tasks: &mut JoinSet<io::Result<()>>,
    ) -> Arc<SigningKeys> {
        let sealing = self.settings.sign_in.as_ref();
        let sealing = sealing.map_or(&[][..], |it| &it.secrets.keys);
        let seal = Seal::new(sealing, pepper);
        let (tables, clock) = (Arc::clone(tables), self.desk.clock.clone());
        let keys = Arc::new(SigningKeys::new(self.db.clone(), seal, tables, clock));
        if let Err(error) = keys.begin(&mut self.author()).await {
            tracing::error!(%error, "there is nothing to sign with yet");
        }
        let (followed, author) = (Arc::clone(&keys), self.author());
        tasks.spawn(async move {
            followed.follow(author).await;
            Ok(())
        });
        keys
    }

    fn sign_ins(
        &self,
        pepper: &Pepper,
        tables: &Arc<RoleTables>,
        tasks: &mut JoinSet<io::Result<()>>,
    ) -> Option<SignIns> {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let truth = control::Truth {
            db: self.db.clone(),
            tables: Arc::clone(tables),
            pepper: pepper.clone(),
            clock: self.desk.clock.clone(),
            metrics: Arc::clone(&self.desk.metrics),
        };
        let settings = self.settings.sign_in.clone()?;
        let letterbox = self.letterbox(&truth, &settings, tasks);
        let sign_ins = SignIns::new(truth, settings, letterbox, cores);
        let followed = sign_ins.clone();
        tasks.spawn(async move {
            followed.follow_certificates().await;
            Ok(())
        });
        let following = sign_ins.clone();
        tasks.spawn(async move {
            following.follow_providers().await;
            Ok(())
        });
        let (asking, clock) = (sign_ins.clone(), self.desk.clock.clone());
        tasks.spawn(async move {
            let author =
                move || Author::new(database::own_actor(), clock.clone(), StdRng::from_os_rng());
            asking.recheck(author).await;
            Ok(())
        });
        Some(sign_ins)
    }

    /// Where letters are asked for, and who sends them; `None`: there are none.
    fn letterbox(
        &self,
        truth: &control::Truth,
        settings: &config::SignIn,
        tasks: &mut JoinSet<io::Result<()>>,
    ) -> Option<Letterbox> {
        let (mail, site) = (settings.mail.as_ref()?, settings.public_url.clone()?);
        let mailer = Mailer::new(mail)
            .inspect_err(|error| tracing::error!(%error, "no mail can be sent"))
            .ok()?;
        let author = self.author();
        let (postman, letterbox) = Postman::new(truth.clone(), author, mailer, site);
        tasks.spawn(async move {
            postman.run().await;
            Ok(())
        });
        Some(letterbox)
    }

    /// For what the gateway does by itself.
    fn author(&self) -> Author {
        let (actor, clock) = (database::own_actor(), self.desk.clock.clone());
        Author::new(actor, clock, StdRng::from_os_rng())
    }

    fn lineage(&self, owned: Arc<OwnerCache>, assertions: &Assertions) -> Lineage {
        let clock = self.desk.clock.clone();
        let owners = Owners::new(self.db.clone(), owned, clock, &self.desk.metrics);
        let asker = Asker::asserting(assertions.clone());
        Lineage::new(Arc::new(asker), Arc::new(owners))
    }

    fn limiter(&self, tasks: &mut JoinSet<io::Result<()>>) -> Arc<RateLimiter> {
        let redis = self.settings.rate_limits.redis.clone();
        let (clock, metrics) = (self.desk.clock.clone(), &self.desk.metrics);
        let limiter = Arc::new(RateLimiter::new(redis, clock, metrics));
        let running = Arc::clone(&limiter);
        tasks.spawn(async move { running.run().await });
        limiter
    }

    /// Our own entrance, else that of the gateway that runs, if one does.
    async fn enter(
        &self,
        own: Option<Entrance>,
        database: &mut Database,
        tasks: &mut JoinSet<io::Result<()>>,
    ) -> Result<(Entrance, Option<Predecessor>), ServeError> {
        if let Some(own) = own {
            return Ok((own, None));
        }
        let data_dir = &self.settings.data_dir;
        let (mut inherited, predecessor) = upgrade::take_over(data_dir, &self.desk.spool).await?;
        let doors = Doors::bind(&self.settings, &mut inherited)?;
        if predecessor.is_none() {
            database.inherit(data_dir, None).await;
        }
        Ok((self.desk.open(doors, tasks)?, predecessor))
    }

    /// Tells the former process that this one serves.
    async fn relieve(&self, predecessor: Predecessor, database: &mut Database) {
        if let Some(lock) = predecessor.relieve().await {
            database.inherit(&self.settings.data_dir, Some(lock)).await;
        }
        tracing::info!("took over from the former process");
    }

    /// Lets another process take over one day.
    fn offer(&self, mut goods: Goods, database: &Database) -> Option<Offer> {
        let mut open = || {
            goods.spool_lock(self.desk.spool.share_lock()?);
            goods.postgres_lock(database.share_lock()?);
            Offer::open(&self.settings.data_dir, std::mem::take(&mut goods))
        };
        open()
            .inspect_err(|error| tracing::warn!(%error, "no other process can take over"))
            .ok()
    }

    /// What is spoken at each address. Certificates are followed from here on.
    fn protocols(
        &self,
        tasks: &mut JoinSet<io::Result<()>>,
    ) -> Result<Vec<Arc<Protocol>>, ServeError> {
        let protocols = self.settings.listen.iter().cloned().map(Protocol::new);
        let protocols = protocols.collect::<Result<Vec<_>, _>>()?;
        let tls = protocols.iter().filter_map(Protocol::tls);
        let (metrics, clock) = (Arc::clone(&self.desk.metrics), self.desk.clock.clone());
        tasks.spawn(CertificateWatch::new(tls, metrics, clock).run());
        Ok(protocols.into_iter().map(Arc::new).collect())
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
        if self.settings.sign_in.is_some() {
            let expiry = Expiry::new(self.db.clone(), self.author());
            tasks.spawn(async move { expiry.run().await });
        }
        let provisioner = Provisioner::new(rules);
        tasks.spawn(async move { provisioner.run(&tables).await });
    }

    fn reporter(&self, config: &ConfigFile) -> Reporter {
        Reporter {
            path: config.path.clone(),
            actor: database::own_actor(),
            spool: self.desk.spool.clone(),
            metrics: Arc::clone(&self.desk.metrics),
            clock: self.desk.clock.clone(),
        }
    }
}
