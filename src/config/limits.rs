//! `limits:`.

use std::time::Duration;

use super::node::Node;
use super::reader::{Fields, Reader};
use super::settings::Limits;
use crate::policy::HeadLimits;

const KEYS: [&str; 13] = [
    "request_line",
    "header_bytes",
    "header_count",
    "header_timeout",
    "body",
    "answer",
    "idle",
    "streams",
    "resets",
    "connections",
    "connections_per_address",
    "requests",
    "requests_per_address",
];
const KIBIBYTE: u64 = 1 << 10;
const MEBIBYTE: u64 = 1 << 20;
const GIBIBYTE: u64 = 1 << 30;

/// Pingora's parser takes no more header bytes.
const MOST_HEADER_BYTES: u64 = MEBIBYTE;
/// Pingora's parser takes no more header fields.
const MOST_HEADER_FIELDS: i128 = 256;
const SECOND: Duration = Duration::from_secs(1);

impl Default for Limits {
    fn default() -> Self {
        Self {
            head: HeadLimits {
                request_line: 16 * 1024,
                bytes: 64 * 1024,
                fields: 100,
            },
            header_timeout: Duration::from_secs(10),
            body: 64 * MEBIBYTE,
            answer: 8 << 20,
            idle: Duration::from_mins(1),
            streams: 100,
            resets: 200,
            connections: 10_000,
            connections_per_address: 1_000,
            requests: 5_000,
            requests_per_address: 1_000,
        }
    }
}

pub(super) fn read(reader: Reader<'_>, parent: &Fields<'_>) -> Option<Limits> {
    let default = Limits::default();
    let Some(node) = parent.get("limits") else {
        return Some(default);
    };
    let fields = reader.fields(node, &KEYS)?;
    let bytes = |key, least, most, default: usize| {
        let node = fields.get(key);
        let size = node.and_then(|node| bounded(reader, node, least, most));
        size.and_then(|size| usize::try_from(size).ok())
            .unwrap_or(default)
    };
    let request_line = bytes(
        "request_line",
        256,
        64 * KIBIBYTE,
        default.head.request_line,
    );
    let header_bytes = bytes(
        "header_bytes",
        KIBIBYTE,
        MOST_HEADER_BYTES,
        default.head.bytes,
    );
    let millions = 1..=1_000_000;
    Some(Limits {
        head: HeadLimits {
            request_line,
            bytes: header_bytes,
            fields: count(reader, &fields, "header_count", 1..=MOST_HEADER_FIELDS)
                .unwrap_or(default.head.fields),
        },
        header_timeout: fields.duration(
            "header_timeout",
            &(SECOND..=Duration::from_mins(5)),
            default.header_timeout,
        ),
        body: fields
            .get("body")
            .map_or(Some(default.body), |node| body(reader, node))?,
        answer: bytes("answer", KIBIBYTE, GIBIBYTE, default.answer),
        idle: fields.duration("idle", &(SECOND..=Duration::from_hours(24)), default.idle),
        streams: count(reader, &fields, "streams", 1..=10_000).unwrap_or(default.streams),
        resets: count(reader, &fields, "resets", 1..=1_000_000).unwrap_or(default.resets),
        connections: count(reader, &fields, "connections", millions.clone())
            .unwrap_or(default.connections),
        connections_per_address: count(
            reader,
            &fields,
            "connections_per_address",
            millions.clone(),
        )
        .unwrap_or(default.connections_per_address),
        requests: count(reader, &fields, "requests", millions.clone()).unwrap_or(default.requests),
        requests_per_address: count(reader, &fields, "requests_per_address", millions)
            .unwrap_or(default.requests_per_address),
    })
}

/// `limits.body`, and `max_body` of a route.
pub(super) fn body(reader: Reader<'_>, node: &Node) -> Option<u64> {
    if node.text() == Some("unlimited") {
        return Some(u64::MAX);
    }
    reader.size(node, 0)
}

fn count<T: TryFrom<i128> + std::fmt::Display>(
    reader: Reader<'_>,
    fields: &Fields<'_>,
    key: &str,
    range: std::ops::RangeInclusive<i128>,
) -> Option<T> {
    reader.integer(fields.get(key)?, &range)
}

fn bounded(reader: Reader<'_>, node: &Node, least: u64, most: u64) -> Option<u64> {
    let size = reader.size(node, least)?;
    if size > most {
        let most = super::units::show_size(most);
        reader.report(node.place, format!("must be at most {most}"));
        return None;
    }
    Some(size)
}
