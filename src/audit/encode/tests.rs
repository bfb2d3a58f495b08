use std::net::{IpAddr, Ipv6Addr};

use super::*;
use crate::domain::{Actor, AuditResult, EventId, ProjectId, ResourceRef, TenantId};

fn event() -> AuditEvent {
    AuditEvent {
        id: EventId(Uuid::from_u128(7)),
        occurred_at: "2026-03-04T05:06:07.000089Z".parse().unwrap(),
        event: "run.created".into(),
        result: AuditResult::Success,
        reason: None,
        tenant: Some((TenantId(Uuid::from_u128(1)), "acme".parse().unwrap())),
        project: None,
        actor: Actor::anonymous(),
        credential_id: None,
        ip: Some(IpAddr::V6(Ipv6Addr::LOCALHOST)),
        user_agent: Some("curl".to_owned()),
        resource: None,
        method: Some("GET".to_owned()),
        route: None,
        status: Some(200),
        latency: Some(1234),
        request_id: None,
        details: serde_json::Map::new(),
    }
}

fn encoded(kind: Kind, event: &AuditEvent) -> Vec<u8> {
    let mut out = Vec::new();
    record(&mut out, kind, event);
    out
}

/// Every field as long as it can be, of what takes most room.
fn largest() -> AuditEvent {
    let long = "\x1b".repeat(64 << 10);
    let slug = "x".repeat(30);
    AuditEvent {
        event: long.as_str().into(),
        reason: Some(long.clone()),
        tenant: Some((TenantId(Uuid::max()), slug.parse().unwrap())),
        project: Some((ProjectId(Uuid::max()), slug.parse().unwrap())),
        actor: Actor {
            kind: "service_account",
            id: Some(long.clone()),
            email: Some(long.clone()),
        },
        credential_id: Some(long.as_str().into()),
        ip: Some("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff".parse().unwrap()),
        user_agent: Some(long.clone()),
        resource: Some(ResourceRef {
            kind: long.as_str().into(),
            id: long.clone(),
        }),
        method: Some(long.clone()),
        route: Some(long.as_str().into()),
        status: Some(u16::MAX),
        latency: Some(u64::MAX),
        request_id: Some(long.clone()),
        details: [(long.clone(), long.into())].into_iter().collect(),
        ..event()
    }
}

#[test]
fn a_row_is_a_line_of_copy() {
    let bytes = encoded(Kind::Event, &event());
    let record = Record::read(&bytes).unwrap();
    assert_eq!(
        std::str::from_utf8(record.row).unwrap(),
        "00000000-0000-0000-0000-000000000007\t2026-03-04T05:06:07.000089Z\trun.created\t\
         success\t\\N\tacme\t\\N\t00000000-0000-0000-0000-000000000001\t\\N\tanonymous\t\\N\t\\N\t\
         \\N\t::1\tcurl\t\\N\t\\N\tGET\t\\N\t200\t1234\t\\N\t{}"
    );
    assert_eq!(record.id(), b"00000000-0000-0000-0000-000000000007");
    assert_eq!(record.occurred_at(), b"2026-03-04T05:06:07.000089Z");
    assert_eq!(record.len(), bytes.len());
}

#[test]
fn a_row_has_as_many_columns_as_are_named() {
    let bytes = encoded(Kind::Event, &largest());
    let columns = bytes.split(|byte| *byte == b'\t').count();
    assert_eq!(columns, COLUMNS.split(',').count());
}

#[test]
fn the_largest_event_fits_the_room_that_is_reserved() {
    let len = encoded(Kind::Event, &largest()).len();
    assert!(len <= bounds::RECORD, "{len}");
    assert!(
        len > bounds::RECORD / 2,
        "{len}: the bound could be tighter"
    );
}

#[test]
fn a_torn_or_altered_record_is_none() {
    let bytes = encoded(Kind::Intent, &event());
    assert_eq!(Record::read(&bytes).unwrap().kind, Kind::Intent);
    for end in 0..bytes.len() {
        assert_eq!(Record::read(&bytes[..end]), None, "{end}");
    }
    for at in 0..bytes.len() {
        let mut altered = bytes.clone();
        altered[at] ^= 1;
        // A letter of the checksum or length may change its case: still the same number.
        let same = Record::read(&altered).map(|record| record.row)
            == Some(&bytes[PREFIX..bytes.len() - 1]);
        assert!(Record::read(&altered).is_none() || same, "{at}");
    }
}
