//! A record of the spool: `<kind> <crc32> <length> <row>\n`.
//!
//! The row is a line of COPY's text format, so that the writer sends it as it is. The
//! checksum covers kind and row; with the length it tells a torn tail from a record.

use std::io::Write;

use chrono::{DateTime, Datelike, Timelike, Utc};
use uuid::Uuid;

use super::{bounds, json, text};
use crate::domain::{AuditEvent, AuditResult};

/// The columns of a row.
pub(super) const COLUMNS: &str = "id,occurred_at,event,result,reason,tenant,project,tenant_id,\
    project_id,actor_type,actor_id,actor_email,credential_id,ip,user_agent,resource_type,\
    resource_id,method,route,status,latency,request_id,details";

/// `E 0123abcd 01f4 `
pub(super) const PREFIX: usize = 16;

/// The reason of an event made from an intent.
const INTERRUPTED: &str = "gateway_interrupted";

/// What a record means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// It happened.
    Event,
    /// It is about to happen; void once an event of the same id follows.
    Intent,
}

impl Kind {
    const fn letter(self) -> u8 {
        match self {
            Self::Event => b'E',
            Self::Intent => b'I',
        }
    }
}

/// Replaces what is in `out` by the record of the event.
pub(super) fn record(out: &mut Vec<u8>, kind: Kind, event: &AuditEvent) {
    begin(out);
    row(out, kind, event);
    finish(out, kind);
}

/// Replaces what is in `out` by a record of the row.
pub(super) fn record_of_row(out: &mut Vec<u8>, kind: Kind, row: &[u8]) {
    begin(out);
    out.extend_from_slice(row);
    finish(out, kind);
}

fn begin(out: &mut Vec<u8>) {
    out.clear();
    out.resize(PREFIX, b' ');
}

fn finish(out: &mut Vec<u8>, kind: Kind) {
    let length = out.len() - PREFIX;
    let checksum = checksum(kind.letter(), &out[PREFIX..]);
    let mut prefix = &mut out[..PREFIX];
    // Exactly as long as the prefix: the row is shorter than 64 KiB.
    let _ = write!(
        prefix,
        "{} {checksum:08x} {length:04x} ",
        char::from(kind.letter())
    );
    out.push(b'\n');
}

fn checksum(kind: u8, row: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&[kind]);
    hasher.update(row);
    hasher.finalize()
}

/// A record read back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Record<'a> {
    pub(super) kind: Kind,
    /// Without the newline.
    pub(super) row: &'a [u8],
}

impl<'a> Record<'a> {
    /// The first record of `bytes`; `None` if it is torn or missing.
    pub(super) fn read(bytes: &'a [u8]) -> Option<Self> {
        let prefix = std::str::from_utf8(bytes.get(..PREFIX)?).ok()?;
        let kind = match prefix.as_bytes()[0] {
            b'E' => Kind::Event,
            b'I' => Kind::Intent,
            _ => return None,
        };
        let claimed = u32::from_str_radix(prefix.get(2..10)?, 16).ok()?;
        let length = usize::from_str_radix(prefix.get(11..15)?, 16).ok()?;
        let row = bytes.get(PREFIX..PREFIX + length)?;
        let whole = bytes.get(PREFIX + length) == Some(&b'\n');
        (whole && claimed == checksum(kind.letter(), row)).then_some(Self { kind, row })
    }

    /// Of the whole record, newline included.
    pub(super) const fn len(&self) -> usize {
        PREFIX + self.row.len() + 1
    }

    /// The id, as text.
    pub(super) fn id(&self) -> &'a [u8] {
        column(self.row, 0)
    }

    /// The time, as `2026-11-22T15:04:05.000000Z`.
    pub(super) fn occurred_at(&self) -> &'a [u8] {
        column(self.row, 1)
    }
}

/// A column of a row: tabs inside of columns are escaped.
pub(super) fn column(row: &[u8], at: usize) -> &[u8] {
    row.split(|byte| *byte == b'\t').nth(at).unwrap_or_default()
}

fn row(out: &mut Vec<u8>, kind: Kind, event: &AuditEvent) {
    let mut row = Row(out);
    row.first_uuid(event.id.0);
    row.time(event.occurred_at);
    row.text(&event.event, bounds::EVENT);
    row.outcome(kind, event);
    let (tenant, project) = (event.tenant.as_ref(), event.project.as_ref());
    row.optional(tenant.map(|(_, slug)| slug.as_str()), bounds::SLUG);
    row.optional(project.map(|(_, slug)| slug.as_str()), bounds::SLUG);
    row.uuid(tenant.map(|(id, _)| id.0));
    row.uuid(project.map(|(id, _)| id.0));
    row.text(event.actor.kind, bounds::ACTOR_KIND);
    row.optional(event.actor.id.as_deref(), bounds::ACTOR_ID);
    row.optional(event.actor.email.as_deref(), bounds::ACTOR_EMAIL);
    row.optional(event.credential_id.as_deref(), bounds::CREDENTIAL);
    row.display(event.ip);
    row.optional(event.user_agent.as_deref(), bounds::USER_AGENT);
    let resource = event.resource.as_ref();
    row.optional(resource.map(|it| &*it.kind), bounds::RESOURCE_KIND);
    row.optional(resource.map(|it| &*it.id), bounds::RESOURCE_ID);
    row.optional(event.method.as_deref(), bounds::METHOD);
    row.optional(event.route.as_deref(), bounds::ROUTE);
    let happened = kind == Kind::Event;
    row.integer(event.status.filter(|_| happened).map(u64::from));
    let latency = event.latency.filter(|_| happened);
    row.integer(latency.map(|it| it.min(i64::MAX as u64)));
    row.optional(event.request_id.as_deref(), bounds::REQUEST_ID);
    row.tab();
    json::push(row.0, &event.details);
}

struct Row<'a>(&'a mut Vec<u8>);

impl Row<'_> {
    fn tab(&mut self) {
        self.0.push(b'\t');
    }

    fn null(&mut self) {
        self.0.extend_from_slice(br"\N");
    }

    fn first_uuid(&mut self, id: Uuid) {
        let text = id.hyphenated();
        self.0
            .extend_from_slice(text.encode_lower(&mut Uuid::encode_buffer()).as_bytes());
    }

    fn uuid(&mut self, id: Option<Uuid>) {
        self.tab();
        match id {
            Some(id) => self.first_uuid(id),
            None => self.null(),
        }
    }

    fn text(&mut self, value: &str, bound: usize) {
        self.tab();
        text::push(self.0, value, bound);
    }

    fn optional(&mut self, value: Option<&str>, bound: usize) {
        if let Some(value) = value {
            self.text(value, bound);
        } else {
            self.tab();
            self.null();
        }
    }

    /// An intent says what is true if nothing follows it.
    fn outcome(&mut self, kind: Kind, event: &AuditEvent) {
        let (result, reason) = match kind {
            Kind::Event => (event.result, event.reason.as_deref()),
            Kind::Intent => (AuditResult::Failed, Some(INTERRUPTED)),
        };
        self.text(result.as_str(), bounds::REASON);
        self.optional(reason, bounds::REASON);
    }

    fn integer(&mut self, value: Option<u64>) {
        self.tab();
        match value {
            Some(value) => self
                .0
                .extend_from_slice(itoa::Buffer::new().format(value).as_bytes()),
            None => self.null(),
        }
    }

    fn display(&mut self, value: Option<impl std::fmt::Display>) {
        self.tab();
        match value {
            Some(value) => {
                // Writing to a vector cannot fail.
                let _ = write!(self.0, "{value}");
            }
            None => self.null(),
        }
    }

    /// By hand: `DateTime`'s own formatting interprets its format anew each time.
    fn time(&mut self, at: DateTime<Utc>) {
        self.tab();
        self.digits::<4>(u32::try_from(at.year()).unwrap_or_default(), b'-');
        self.digits::<2>(at.month(), b'-');
        self.digits::<2>(at.day(), b'T');
        self.digits::<2>(at.hour(), b':');
        self.digits::<2>(at.minute(), b':');
        self.digits::<2>(at.second(), b'.');
        // A leap second counts on beyond the last microsecond.
        self.digits::<6>((at.nanosecond() / 1000).min(999_999), b'Z');
    }

    fn digits<const N: usize>(&mut self, mut value: u32, after: u8) {
        let mut digits = [b'0'; N];
        for digit in digits.iter_mut().rev() {
            *digit += u8::try_from(value % 10).unwrap_or_default();
            value /= 10;
        }
        self.0.extend_from_slice(&digits);
        self.0.push(after);
    }
}

#[cfg(test)]
mod tests;
