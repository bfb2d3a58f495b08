//! `rate:`, at the top or on a route, and `rate_limits:`.

use std::time::Duration;

use super::node::{Node, Value};
use super::reader::{Fields, Reader};
use super::settings::RateLimits;
use crate::domain::{Dimension, Quota, RateUnit, Rates};
use crate::policy::{HostPattern, Requirement};
use crate::rate::{RedisOptions, RedisUrl, WhenAway};

const EXPECTED: &str = "a limit; write a whole number, `/` and s, m, h or d, as in `100/s`";

/// What a `rate:` says.
type Quotas = Vec<(Dimension, Quota)>;

/// At the top.
pub(super) fn of_all(reader: Reader<'_>, parent: &Fields<'_>) -> Rates {
    let fields = fields(reader, parent);
    Rates::of_all(&fields.map_or_else(Quotas::new, |fields| quotas(reader, &fields)))
}

/// On a route; a limit that could never count anything is a mistake.
pub(super) fn of_route(
    reader: Reader<'_>,
    parent: &Fields<'_>,
    requirement: Option<&Requirement>,
) -> Quotas {
    let Some(fields) = fields(reader, parent) else {
        return Quotas::new();
    };
    match requirement {
        Some(Requirement::Deny { .. }) => {
            let place = parent.key_place("rate");
            reader.report(place, "`rate` on a route with `deny`: nobody passes");
        }
        Some(Requirement::Public { .. }) if fields.get("tenant").is_some() => {
            let place = fields.key_place("tenant");
            reader.report(place, "`tenant` on a public route, which is of no tenant");
        }
        _ => {}
    }
    quotas(reader, &fields)
}

/// The rules of the one route with this line and these hosts.
pub(super) fn named(quotas: &[(Dimension, Quota)], label: &str, hosts: &[HostPattern]) -> Rates {
    let hosts: Vec<String> = hosts.iter().map(ToString::to_string).collect();
    let hosts = hosts.iter().map(String::as_str);
    let name: Vec<&str> = [label].into_iter().chain(hosts).collect();
    Rates::of_route(quotas, &name)
}

fn fields<'a>(reader: Reader<'a>, parent: &Fields<'a>) -> Option<Fields<'a>> {
    let node = parent.get("rate")?;
    if matches!(&node.value, Value::Map(entries) if entries.is_empty()) {
        reader.report(node.place, "`rate` limits nothing");
    }
    reader.fields(node, &Dimension::ALL.map(Dimension::as_str))
}

fn quotas(reader: Reader<'_>, fields: &Fields<'_>) -> Quotas {
    let quotas = Dimension::ALL.into_iter().filter_map(|dimension| {
        let node = fields.get(dimension.as_str())?;
        Some((dimension, quota(reader, node)?))
    });
    quotas.collect()
}

/// `100/s`, or `{ limit: 100/s, burst: 200 }`.
fn quota(reader: Reader<'_>, node: &Node) -> Option<Quota> {
    if !matches!(node.value, Value::Map(_)) {
        let (limit, unit) = limit(reader, node)?;
        return checked(reader, node, limit, unit, limit);
    }
    let fields = reader.fields(node, &["limit", "burst"])?;
    let written = fields.required("limit");
    let limit = written.and_then(|node| limit(reader, node));
    let burst = match fields.get("burst") {
        Some(node) => reader.integer(node, &(1..=Quota::MOST.into()))?,
        None => limit?.0,
    };
    let (limit, unit) = limit?;
    checked(
        reader,
        fields.get("burst").unwrap_or(node),
        limit,
        unit,
        burst,
    )
}

fn checked(
    reader: Reader<'_>,
    node: &Node,
    limit: u32,
    unit: RateUnit,
    burst: u32,
) -> Option<Quota> {
    let quota = Quota::new(limit, unit, burst);
    quota
        .map_err(|unreasonable| reader.report(node.place, unreasonable.to_string()))
        .ok()
}

fn limit(reader: Reader<'_>, node: &Node) -> Option<(u32, RateUnit)> {
    if let Value::Integer(_) | Value::Float(_) = node.value {
        return reader.wrong_type(node, EXPECTED);
    }
    let (limit, unit) = reader.parsed(node, EXPECTED, |text| {
        parse(text).ok_or_else(|| format!("`{text}` is not {EXPECTED}"))
    })?;
    let fitting = u32::try_from(limit).ok();
    let fitting = fitting.filter(|limit| (1..=Quota::MOST).contains(limit));
    if fitting.is_none() {
        let most = Quota::MOST;
        reader.report(node.place, format!("must be between 1 and {most}"));
    }
    fitting.map(|limit| (limit, unit))
}

fn parse(text: &str) -> Option<(u64, RateUnit)> {
    let (number, letter) = text.split_once('/')?;
    let is_number = !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit());
    let unit = RateUnit::ALL
        .into_iter()
        .find(|unit| unit.as_str() == letter)?;
    // A number beyond any bound is still a number.
    is_number.then(|| (number.parse().unwrap_or(u64::MAX), unit))
}

pub(super) fn limits(reader: Reader<'_>, parent: &Fields<'_>) -> RateLimits {
    let node = parent.get("rate_limits");
    let fields = node.and_then(|node| reader.fields(node, &["redis"]));
    let redis = fields.as_ref().and_then(|fields| fields.required("redis"));
    RateLimits {
        redis: redis.and_then(|node| self::redis(reader, node)),
    }
}

fn redis(reader: Reader<'_>, node: &Node) -> Option<RedisOptions> {
    let fields = reader.fields(node, &["url", "timeout", "when_away"])?;
    let url = fields.required("url").and_then(|node| url(reader, node));
    let timeout = Duration::from_millis(1)..=Duration::from_secs(5);
    let timeout = fields.duration("timeout", &timeout, Duration::from_millis(50));
    let choices = [
        ("local", WhenAway::CountLocally),
        ("refuse", WhenAway::Refuse),
    ];
    let when_away = match fields.get("when_away") {
        Some(node) => reader.choice(node, &choices)?,
        None => WhenAway::CountLocally,
    };
    Some(RedisOptions {
        url: url?,
        timeout,
        when_away,
    })
}

/// Never shown: it may hold a password.
fn url(reader: Reader<'_>, node: &Node) -> Option<RedisUrl> {
    const EXPECTED: &str = "the URL of a Redis or Valkey; write `redis://:password@host:6379/0`";
    reader.parsed(node, EXPECTED, |text| {
        text.parse().map_err(|_| format!("not {EXPECTED}"))
    })
}
