//! `portcullis audit`.

use std::collections::HashSet;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use clap::{Args, Subcommand, ValueEnum};

use super::CliError;
use super::output::Column;
use super::session::{Run, Session};
use super::when::When;
use crate::domain::Slug;
use crate::store::{AuditCursor, AuditFilter, AuditRecord};

#[derive(Debug, Subcommand)]
pub(super) enum AuditCommand {
    /// Show the latest events, the newest last
    Tail(Tail),
    /// Search the trail, the newest first
    ///
    /// Events of requests arrive within seconds; those of changes at once. To page on,
    /// pass `occurred_at` and `id` of the last event: --before 2026-01-31T12:00:00.5Z/ID.
    #[command(
        after_help = "Example: portcullis audit query --tenant acme --result denied --since 24h"
    )]
    Query(Query),
}

#[derive(Args, Debug)]
pub(super) struct Tail {
    /// How many
    #[arg(short, long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(0..=10_000))]
    number: u32,
    /// Go on showing new events until interrupted
    #[arg(short, long)]
    follow: bool,
}

#[derive(Args, Debug)]
pub(super) struct Query {
    /// Of this tenant
    #[arg(long)]
    tenant: Option<Slug>,
    /// Of the project of this short name
    #[arg(long)]
    project: Option<Slug>,
    /// Of this kind: `run.created`, or `run.*`
    #[arg(long)]
    event: Option<String>,
    /// By this actor: id or e-mail address
    #[arg(long)]
    actor: Option<String>,
    /// With this result
    #[arg(long, value_enum)]
    result: Option<ResultWord>,
    /// At or after: `24h` ago, or a moment
    #[arg(long, value_name = "WHEN")]
    since: Option<When>,
    /// Before: `1h` ago, or a moment
    #[arg(long, value_name = "WHEN")]
    until: Option<When>,
    /// Of the request with this X-Request-Id
    #[arg(long, value_name = "ID")]
    request_id: Option<String>,
    /// At most so many
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    limit: u32,
    /// Older than this event: the next page
    #[arg(long, value_name = "OCCURRED_AT/ID")]
    before: Option<AuditCursor>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum ResultWord {
    Success,
    Denied,
    Failed,
}

impl Run for AuditCommand {
    async fn run(self, session: &mut Session) -> Result<(), CliError> {
        match self {
            Self::Tail(tail) => tail.run(session).await,
            Self::Query(query) => {
                let limit = query.limit;
                let filter = query.filter(session.clock.now());
                let records = session.db.audit(&filter, limit).await?;
                Ok(session.output.list(&records, COLUMNS)?)
            }
        }
    }
}

impl Query {
    fn filter(self, now: DateTime<Utc>) -> AuditFilter {
        let result = self.result.and_then(|word| word.to_possible_value());
        AuditFilter {
            tenant: self.tenant.map(|slug| slug.to_string()),
            project: self.project.map(|slug| slug.to_string()),
            event: self.event,
            actor: self.actor,
            result: result.map(|value| value.get_name().to_owned()),
            request_id: self.request_id,
            since: self.since.map(|when| when.before(now)),
            until: self.until.map(|when| when.before(now)),
            before: self.before,
        }
    }
}

/// How often `--follow` looks.
const POLL: Duration = Duration::from_secs(1);

/// How far `--follow` looks back each time: a request's event bears the time of its
/// arrival, but is written after its end.
const LOOK_BACK: TimeDelta = TimeDelta::seconds(30);

/// The most that one look shows.
const PAGE: u32 = 10_000;

impl Tail {
    async fn run(self, session: &Session) -> Result<(), CliError> {
        let started = session.clock.now();
        let latest = session
            .db
            .audit(&AuditFilter::default(), self.number)
            .await?;
        if !self.follow {
            let in_order: Vec<AuditRecord> = latest.into_iter().rev().collect();
            return Ok(session.output.list(&in_order, COLUMNS)?);
        }
        let mut shown = HashSet::new();
        show(session, &latest, &mut shown)?;
        follow(session, shown, started).await
    }
}

async fn follow(
    session: &Session,
    mut shown: HashSet<AuditCursor>,
    started: DateTime<Utc>,
) -> Result<(), CliError> {
    let mut ticks = tokio::time::interval(POLL);
    loop {
        ticks.tick().await;
        let since = (session.clock.now() - LOOK_BACK).max(started);
        let filter = AuditFilter {
            since: Some(since),
            ..AuditFilter::default()
        };
        shown.retain(|cursor| cursor.occurred_at >= since);
        let recent = session.db.audit(&filter, PAGE).await?;
        show(session, &recent, &mut shown)?;
    }
}

/// Shows those not shown yet, the oldest first.
fn show(
    session: &Session,
    newest_first: &[AuditRecord],
    shown: &mut HashSet<AuditCursor>,
) -> Result<(), CliError> {
    for record in newest_first.iter().rev() {
        if shown.insert(record.cursor()) {
            session.output.line(record, COLUMNS)?;
        }
    }
    Ok(())
}

/// The method that was used, and the path of the route, which may list several.
fn request(event: &AuditRecord) -> String {
    let path = event.route.as_deref().map(|label| {
        let path = label.split_once(' ').map_or(label, |(_, path)| path);
        path.to_owned()
    });
    joined(&[&event.method, &path])
}

const COLUMNS: &[Column<AuditRecord>] = &[
    ("TIME", |event| {
        let millis = chrono::SecondsFormat::Millis;
        event.occurred_at.to_rfc3339_opts(millis, true)
    }),
    ("EVENT", |event| event.event.clone()),
    ("RESULT", |event| event.result.clone()),
    ("SCOPE", scope),
    ("ACTOR", actor),
    ("RESOURCE", |event| {
        joined(&[&event.resource_type, &event.resource_id])
    }),
    ("REQUEST", request),
    ("STATUS", |event| {
        let status = event.status.map(|status| status.to_string());
        status.unwrap_or_default()
    }),
    ("REASON", |event| event.reason.clone().unwrap_or_default()),
];

fn scope(event: &AuditRecord) -> String {
    match (&event.tenant, &event.project) {
        (Some(tenant), Some(project)) => format!("{tenant}/{project}"),
        (Some(tenant), None) => tenant.clone(),
        _ => String::new(),
    }
}

fn actor(event: &AuditRecord) -> String {
    let who = event.actor_email.as_ref().or(event.actor_id.as_ref());
    match who {
        Some(who) => format!("{} {who}", event.actor_type),
        None => event.actor_type.clone(),
    }
}

fn joined(parts: &[&Option<String>]) -> String {
    let present: Vec<&str> = parts.iter().filter_map(|part| part.as_deref()).collect();
    present.join(" ")
}
