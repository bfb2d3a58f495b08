//! Metrics, logs and trace context.

use serde_json::Value;

use crate::support::gateway::{TestGateway, until, yaml};
use crate::support::upstream::Upstream;

const ROUTES: &str =
    "  - { route: \"GET /things/{id}\", upstream: app, permission: datasets:read }\n";

#[tokio::test(flavor = "multi_thread")]
async fn metrics_have_their_names_and_bounded_labels() {
    let upstream = Upstream::ok();
    let gateway = TestGateway::start(&yaml(upstream.address(), ROUTES)).await;
    let keys = gateway.seed();
    gateway.get("/things/sesame-1?secret=sesame-2", &keys.viewer);
    gateway.get("/sesame-3", &keys.viewer);
    gateway.get("/things/1", "sesame-4");
    gateway.wait_for_audit();
    until("the last request's end", || {
        gateway.metric("portcullis_requests_in_flight") == 0
    });
    let text = gateway.private_get("/metrics").body;
    for line in [
        "portcullis_build_info{version=\"0.1.0\"} 1",
        "portcullis_requests_total{outcome=\"success\",route=\"GET /things/{id}\"} 1",
        "portcullis_requests_total{outcome=\"denied\",route=\"GET /things/{id}\"} 1",
        "portcullis_requests_total{outcome=\"denied\",route=\"none\"} 1",
        "portcullis_decision_seconds_count 3",
        "portcullis_upstream_seconds_count 1",
        "portcullis_requests_in_flight 0",
        "portcullis_audit_spool_events 0",
        "portcullis_audit_spool_bytes 0",
        "portcullis_audit_lag_milliseconds 0",
        "portcullis_audit_sent_events 3",
        "portcullis_audit_dropped_events 0",
        "portcullis_audit_refused_requests 0",
    ] {
        assert!(text.lines().any(|told| told == line), "no {line} in {text}");
    }
    assert!(text.contains("portcullis_cache_lookups_total{cache=\"api_keys\",result=\"hit\"}"));
    assert!(!text.contains("sesame"), "{text}");
    assert!(!gateway.log().contains("sesame"), "{}", gateway.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn trace_context_is_passed_on_unchanged() {
    let upstream = Upstream::ok();
    let gateway = TestGateway::start(&yaml(upstream.address(), ROUTES)).await;
    let keys = gateway.seed();
    let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let answer = gateway.raw(format!(
        "GET /things/1 HTTP/1.1\r\nHost: gw\r\nAuthorization: Bearer {}\r\n\
         traceparent: {parent}\r\ntracestate: rojo=00f067aa0ba902b7\r\n\r\n",
        keys.viewer
    ));
    assert_eq!(answer.unwrap().status, 200);
    assert_eq!(upstream.only().header("traceparent"), [parent]);
    assert_eq!(
        upstream.only().header("tracestate"),
        ["rojo=00f067aa0ba902b7"]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn every_log_line_is_an_object() {
    let upstream = Upstream::ok();
    let mut gateway = TestGateway::start(&yaml(upstream.address(), ROUTES)).await;
    let keys = gateway.seed();
    gateway.get("/things/1", &keys.viewer);
    gateway.raw("\r\nnonsense\r\n\r\n");
    gateway.stop();
    for line in gateway.log().lines() {
        let parsed: Value = serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}"));
        assert!(
            parsed["level"].is_string() && parsed["message"].is_string(),
            "{line}"
        );
    }
}
