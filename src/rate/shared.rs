//! The counters of several processes, in Redis or Valkey.
//!
//! One task keeps the connection, on the runtime that it was started on; requests only send
//! their commands over it. While Redis is away no request waits for it: the first that gets
//! no answer in time says so, and the task looks for Redis until it answers in time again.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use prometheus::IntGauge;
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, RedisError, Script};
use tokio::sync::Notify;
use tokio::time::timeout;

use super::RedisUrl;
use super::counters::{Charged, Debts};
use super::subject::Charge;

/// How soon a Redis that was lost is looked for again.
const RETRY: Duration = Duration::from_millis(250);
/// How often it is tried whether Redis is there while nobody asks it.
const TRIAL: Duration = Duration::from_secs(1);
/// How long a connection may take to be made, TLS included.
const CONNECT: Duration = Duration::from_secs(2);

/// What becomes of a request while Redis is away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhenAway {
    /// Each instance counts for itself.
    CountLocally,
    /// It is refused.
    Refuse,
}

/// How to share counters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RedisOptions {
    /// Where.
    pub url: RedisUrl,
    /// How long a request waits for an answer.
    pub timeout: Duration,
    /// What becomes of it without one.
    pub when_away: WhenAway,
}

/// Redis did not answer.
#[derive(Debug)]
pub(super) struct Away;

pub(super) struct SharedCounters {
    pub options: RedisOptions,
    connection: ArcSwapOption<MultiplexedConnection>,
    lost: Notify,
    script: Script,
    up: IntGauge,
}

/// As [`Charged`], with Redis' own time.
pub(super) struct ChargedAt {
    pub charged: Charged,
    /// Microseconds.
    pub now: i64,
}

impl SharedCounters {
    pub fn new(options: RedisOptions, up: IntGauge) -> Self {
        Self {
            options,
            connection: ArcSwapOption::empty(),
            lost: Notify::new(),
            script: Script::new(include_str!("charge.lua")),
            up,
        }
    }

    /// Keeps the connection, for ever.
    pub async fn run(&self) -> ! {
        let redis = self.options.url.address();
        let mut told = false;
        loop {
            match self.connect().await {
                Ok(connection) => {
                    tracing::info!(%redis, "rate limits are counted in Redis");
                    told = false;
                    self.use_until_lost(Arc::new(connection)).await;
                }
                // Once an outage.
                Err(error) if !told => {
                    told = true;
                    let then = match self.options.when_away {
                        WhenAway::CountLocally => "this gateway counts for itself",
                        WhenAway::Refuse => "requests that are limited are refused",
                    };
                    tracing::warn!(%redis, %error, "Redis is away: {then}");
                }
                Err(_) => {}
            }
            tokio::time::sleep(RETRY).await;
        }
    }

    /// Lets requests use it until one of them, or a trial, gets no answer.
    async fn use_until_lost(&self, connection: Arc<MultiplexedConnection>) {
        self.connection.store(Some(Arc::clone(&connection)));
        self.up.set(1);
        while timeout(TRIAL, self.lost.notified()).await.is_err() {
            let mut using = MultiplexedConnection::clone(&connection);
            if let Err(error) = redis::cmd("PING").exec_async(&mut using).await {
                self.lose(&connection, &error.to_string());
            }
        }
        self.up.set(0);
    }

    /// A connection over which the script was loaded as fast as requests want an answer.
    async fn connect(&self) -> Result<MultiplexedConnection, RedisError> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(CONNECT))
            .set_response_timeout(Some(self.options.timeout));
        let client = self.options.url.client();
        let mut connection = client
            .get_multiplexed_async_connection_with_config(&config)
            .await?;
        self.script.load_async(&mut connection).await?;
        Ok(connection)
    }

    /// Counts a request by all of `asked` or by none; then `held` of `taken_at` is given
    /// back.
    pub async fn charge(
        &self,
        asked: &[Charge],
        held: &[Charge],
        taken_at: i64,
    ) -> Result<ChargedAt, Away> {
        let connection = self.connection.load_full().ok_or(Away)?;
        let mut using = MultiplexedConnection::clone(&connection);
        let mut call = self.script.prepare_invoke();
        for charge in asked.iter().chain(held) {
            call.key(charge.key().in_redis());
        }
        call.arg(asked.len()).arg(taken_at);
        for charge in asked {
            let quota = charge.rule.quota;
            call.arg(quota.interval()).arg(quota.capacity());
        }
        for charge in held {
            call.arg(charge.rule.quota.interval());
        }
        let answered = timeout(self.options.timeout, call.invoke_async(&mut using)).await;
        let error = match answered {
            Ok(Ok(answer)) => match read(answer, asked.len()) {
                Some(charged) => return Ok(charged),
                None => "an answer of another form".to_owned(),
            },
            Ok(Err(error)) => error.to_string(),
            Err(_) => "no answer in time".to_owned(),
        };
        self.lose(&connection, &error);
        Err(Away)
    }

    /// Gives the connection up, unless another request did, or there is a new one.
    fn lose(&self, connection: &Arc<MultiplexedConnection>, error: &str) {
        let gone = None::<Arc<MultiplexedConnection>>;
        let before = self.connection.compare_and_swap(connection, gone);
        if before
            .as_ref()
            .is_some_and(|now| Arc::ptr_eq(now, connection))
        {
            let redis = self.options.url.address();
            tracing::warn!(%redis, error, "Redis did not answer: looking for it anew");
            self.lost.notify_one();
        }
    }
}

fn read(answer: Vec<i64>, asked: usize) -> Option<ChargedAt> {
    let (admitted, now) = (*answer.first()?, *answer.get(1)?);
    let debts: Result<Debts, _> = answer.into_iter().skip(2).map(u64::try_from).collect();
    let debts = debts.ok().filter(|debts| debts.len() >= asked)?;
    let charged = Charged {
        admitted: admitted == 1,
        debts,
    };
    Some(ChargedAt { charged, now })
}
