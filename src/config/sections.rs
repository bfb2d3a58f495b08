//! The small sections at the top level.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;
use secrecy::SecretString;

use super::node::Node;
use super::reader::{Fields, Reader};
use super::settings::{Audit, Cache, Database, Log, Shutdown};
use crate::domain::WhenFull;
use crate::policy::Dialect;
use crate::telemetry::LogFormat;

const MEBIBYTE: u64 = 1 << 20;

pub(super) fn version(reader: Reader<'_>, fields: &Fields<'_>) {
    let Some(node) = fields.required("version") else {
        return;
    };
    if !matches!(node.value, super::node::Value::Integer(1)) {
        reader.report(
            node.place,
            "unknown version; this Portcullis reads `version: 1`",
        );
    }
}

pub(super) fn data_dir(reader: Reader<'_>, fields: &Fields<'_>) -> Option<PathBuf> {
    match fields.get("data_dir") {
        Some(node) => reader.path(node),
        None => Some(reader.directory.join("portcullis-data")),
    }
}

pub(super) fn database(reader: Reader<'_>, fields: &Fields<'_>) -> Option<Database> {
    let node = fields.get("database")?;
    let fields = reader.fields(node, &["url", "migrate_url", "max_connections"])?;
    let url = fields.required("url");
    let url = url.and_then(|node| database_url(reader, node));
    let migrate_url = fields.get("migrate_url");
    let migrate_url = migrate_url.and_then(|node| database_url(reader, node));
    let max_connections = fields.get("max_connections");
    let max_connections = max_connections.and_then(|node| reader.integer(node, &(2..=1000)));
    Some(Database {
        url: url?,
        migrate_url,
        max_connections: max_connections.unwrap_or(8),
    })
}

/// Never shown: it holds a password.
fn database_url(reader: Reader<'_>, node: &Node) -> Option<SecretString> {
    const EXPECTED: &str = "a Postgres URL; write `postgres://user@host/database`";
    reader.parsed(node, EXPECTED, |text| {
        let known = ["postgres://", "postgresql://"];
        if known.iter().any(|scheme| text.starts_with(scheme)) {
            Ok(SecretString::from(text))
        } else {
            Err(format!("not {EXPECTED}"))
        }
    })
}

pub(super) fn trusted_proxies(reader: Reader<'_>, fields: &Fields<'_>) -> Vec<IpNet> {
    let node = fields.get("trusted_proxies");
    node.map_or_else(Vec::new, |node| networks(reader, node))
}

/// `decisions.trusted`: who may ask for them.
pub(super) fn askers(reader: Reader<'_>, fields: &Fields<'_>) -> Vec<IpNet> {
    let node = fields.get("decisions");
    let fields = node.and_then(|node| reader.fields(node, &["trusted"]));
    let trusted = fields
        .as_ref()
        .and_then(|fields| fields.required("trusted"));
    trusted.map_or_else(Vec::new, |node| networks(reader, node))
}

fn networks(reader: Reader<'_>, node: &Node) -> Vec<IpNet> {
    const EXPECTED: &str = "a network; write `10.0.0.0/8` or `10.1.2.3`";
    let network = |text: &str| {
        let address = || text.parse::<IpAddr>().map(IpNet::from);
        text.parse::<IpNet>()
            .or_else(|_| address())
            .map_err(|_| format!("`{text}` is not {EXPECTED}"))
    };
    let items = reader.list(node).iter();
    items
        .filter_map(|item| reader.parsed(item, EXPECTED, network))
        .collect()
}

pub(super) fn workers(reader: Reader<'_>, fields: &Fields<'_>) -> Option<usize> {
    let node = fields.get("workers")?;
    reader.integer(node, &(1..=1024))
}

pub(super) fn log(reader: Reader<'_>, fields: &Fields<'_>) -> Option<Log> {
    const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];
    let mut log = Log {
        format: LogFormat::Pretty,
        level: "info",
    };
    let Some(node) = fields.get("log") else {
        return Some(log);
    };
    let fields = reader.fields(node, &["format", "level"])?;
    if let Some(node) = fields.get("format") {
        let formats = [("json", LogFormat::Json), ("pretty", LogFormat::Pretty)];
        log.format = reader.choice(node, &formats)?;
    }
    if let Some(node) = fields.get("level") {
        log.level = reader.choice(node, &LEVELS.map(|level| (level, level)))?;
    }
    Some(log)
}

pub(super) fn shutdown(reader: Reader<'_>, fields: &Fields<'_>) -> Option<Shutdown> {
    let default = Shutdown {
        deadline: Duration::from_secs(30),
        drain_delay: Duration::ZERO,
    };
    let Some(node) = fields.get("shutdown") else {
        return Some(default);
    };
    let fields = reader.fields(node, &["deadline", "drain_delay"])?;
    let (least, most) = (Duration::from_secs(1), Duration::from_hours(1));
    Some(Shutdown {
        deadline: fields.duration("deadline", &(least..=most), default.deadline),
        drain_delay: fields.duration("drain_delay", &(Duration::ZERO..=most), Duration::ZERO),
    })
}

/// A revocation may be at most 5 s late when a notification is lost: the poll's bound.
pub(super) fn cache(reader: Reader<'_>, fields: &Fields<'_>) -> Option<Cache> {
    let default = Cache {
        poll: Duration::from_secs(2),
        max_staleness: Duration::from_mins(15),
    };
    let Some(node) = fields.get("cache") else {
        return Some(default);
    };
    let fields = reader.fields(node, &["poll", "max_staleness"])?;
    let poll = Duration::from_millis(100)..=Duration::from_secs(5);
    let staleness = Duration::from_secs(10)..=Duration::from_hours(24);
    Some(Cache {
        poll: fields.duration("poll", &poll, default.poll),
        max_staleness: fields.duration("max_staleness", &staleness, default.max_staleness),
    })
}

pub(super) fn audit(reader: Reader<'_>, fields: &Fields<'_>) -> Option<Audit> {
    let mut audit = Audit {
        when_full: WhenFull::Refuse,
        max_bytes: 1024 * MEBIBYTE,
    };
    let Some(node) = fields.get("audit") else {
        return Some(audit);
    };
    let fields = reader.fields(node, &["when_full", "max_bytes"])?;
    if let Some(node) = fields.get("when_full") {
        let choices = [("refuse", WhenFull::Refuse), ("drop", WhenFull::Drop)];
        audit.when_full = reader.choice(node, &choices)?;
    }
    if let Some(node) = fields.get("max_bytes") {
        audit.max_bytes = reader.size(node, MEBIBYTE)?;
    }
    Some(audit)
}

/// `errors:`, at the top, in a preset or on a route.
pub(super) fn dialect(reader: Reader<'_>, fields: &Fields<'_>) -> Option<Dialect> {
    let node = fields.get("errors")?;
    reader.choice(
        node,
        &Dialect::ALL.map(|dialect| (dialect.as_str(), dialect)),
    )
}
