//! Spans over OTLP, whose trace ids the client chooses.

use std::fmt::Write as _;

use super::server::Tenancy;
use super::traces::experiment;
use super::work::Work;
use crate::support::gateway::{Keys, TestGateway};
use crate::support::raw::{Answer, Connection};

pub fn spans_join_only_traces_of_their_project(
    gateway: &TestGateway,
    keys: &Keys,
    work: &Work,
    tenancy: Tenancy,
) {
    let own = experiment(gateway, &keys.stranger, "spans");
    let look = || {
        gateway
            .get(&work.fill("/api/3.0/mlflow/traces/{trace}"), &keys.editor)
            .body
    };
    let before = look();
    let foreign = trace_id(work.trace.strip_prefix("tr-").unwrap());
    let fresh = [7; 16];
    let plain = |trace: &[u8]| spans(&[span(trace, "")]);
    let key = &keys.stranger;
    let refused = [
        send(gateway, key, &own, &[], &plain(&foreign)),
        send(
            gateway,
            key,
            &own,
            &[],
            &spans(&[span(&fresh, ""), span(&foreign, "")]),
        ),
        send(gateway, key, &work.experiment, &[], &plain(&fresh)),
        send(
            gateway,
            key,
            &own,
            &[("X-Mlflow-Run-Id", &work.run)],
            &plain(&fresh),
        ),
    ];
    for (at, answer) in refused.iter().enumerate() {
        // With workspaces MLflow leaves out spans of others' traces, and says nothing.
        let is_left_out = tenancy == Tenancy::Workspaces && at < 2;
        let expected = if is_left_out { 200 } else { 404 };
        assert_eq!(answer.status, expected, "{at}: {answer:?}");
    }
    let tag = "mlflow.traceTag.mlflow.artifactLocation";
    let tagged = send(gateway, key, &own, &[], &spans(&[span(&fresh, tag)]));
    assert_eq!(tagged.status, 403, "{tagged:?}");
    // MLflow reads an id as a number: one that is longer than an id would be another's.
    let padded = [&[0][..], &foreign].concat();
    if tenancy == Tenancy::Gateway {
        let longer = send(gateway, key, &own, &[], &plain(&padded));
        assert_eq!(longer.status, 400, "{longer:?}");
        let shorter = send(gateway, key, &own, &[], &plain(&foreign[1..]));
        assert_eq!(shorter.status, 400, "{shorter:?}");
    }
    let packed = send(
        gateway,
        key,
        &own,
        &[("Content-Encoding", "gzip")],
        &plain(&fresh),
    );
    assert_eq!(packed.status, 415, "{packed:?}");
    assert_eq!(look(), before);
    for _ in 0..2 {
        let accepted = send(gateway, key, &own, &[], &plain(&fresh));
        assert_eq!(accepted.status, 200, "{accepted:?}");
    }
    let made = format!("/api/3.0/mlflow/traces/tr-{}", "07".repeat(16));
    assert_eq!(gateway.get(&made, key).status, 200);
    assert_eq!(gateway.get(&made, &keys.editor).status, 404);
}

fn send(
    gateway: &TestGateway,
    key: &str,
    experiment: &str,
    fields: &[(&str, &str)],
    spans: &[u8],
) -> Answer {
    let mut head = format!(
        "POST /v1/traces HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {key}\r\n\
         Content-Type: application/x-protobuf\r\nX-Mlflow-Experiment-Id: {experiment}\r\n\
         Content-Length: {}\r\n",
        gateway.public(),
        spans.len()
    );
    for (name, value) in fields {
        write!(head, "{name}: {value}\r\n").unwrap();
    }
    let mut connection = Connection::open(gateway.public());
    connection.send([head.as_bytes(), b"\r\n", spans].concat());
    connection.answer().unwrap()
}

/// `ExportTraceServiceRequest` with one resource and one scope.
fn spans(spans: &[Vec<u8>]) -> Vec<u8> {
    let scope: Vec<u8> = spans.iter().flat_map(|span| field(2, span)).collect();
    field(1, &field(2, &scope))
}

/// A `Span`, with an attribute of this name if it is one.
fn span(trace: &[u8], attribute: &str) -> Vec<u8> {
    let mut span = [
        field(1, trace),
        field(2, &[5; 8]),
        field(5, b"work"),
        [&[0x39][..], &1_700_000_000_000_000_000_u64.to_le_bytes()].concat(),
        [&[0x41][..], &1_700_000_000_005_000_000_u64.to_le_bytes()].concat(),
    ]
    .concat();
    if !attribute.is_empty() {
        let value = field(2, &field(1, b"mlflow-artifacts:/1"));
        span.extend(field(9, &[field(1, attribute.as_bytes()), value].concat()));
    }
    span
}

fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
    let mut field = vec![number << 3 | 2];
    let mut length = bytes.len();
    while length >= 0x80 {
        field.push(u8::try_from(length & 0x7f).unwrap() | 0x80);
        length >>= 7;
    }
    field.push(u8::try_from(length).unwrap());
    field.extend_from_slice(bytes);
    field
}

fn trace_id(hex: &str) -> Vec<u8> {
    let digits = hex.as_bytes().chunks(2);
    let digits = digits.map(|pair| std::str::from_utf8(pair).unwrap());
    digits
        .map(|pair| u8::from_str_radix(pair, 16).unwrap())
        .collect()
}
