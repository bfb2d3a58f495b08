//! Keys that a running gateway takes, and those that it cannot.

use std::fs;

use crate::support::gateway::TestGateway;

fn answering(status: u16) -> String {
    format!(
        "routes: [{{ route: GET /, public: 'for a test', respond: {{ status: {status}, body: 1 }} }}]\n"
    )
}

fn status(gateway: &TestGateway) -> u16 {
    let answer = gateway.raw("GET / HTTP/1.1\r\nHost: gw\r\n\r\n").unwrap();
    answer.status
}

#[tokio::test(flavor = "multi_thread")]
async fn what_needs_a_restart_is_told_and_the_rest_is_taken() {
    let gateway = TestGateway::start(&answering(200)).await;
    let more = "workers: 7\naudit: { max_bytes: 2MiB }\n";
    gateway.reconfigure(&format!("{}{more}", answering(201)));
    assert_eq!(status(&gateway), 201);
    for key in ["workers", "audit"] {
        let metric = format!("portcullis_config_restart_required{{key=\"{key}\"}}");
        assert_eq!(gateway.metric(&metric), 1);
    }
    assert!(gateway.log().contains("\"keys\":\"workers, audit\""));
    gateway.reconfigure(&answering(202));
    assert_eq!(status(&gateway), 202);
    let metrics = gateway.private_get("/metrics").body;
    assert!(!metrics.contains("restart_required{"), "{metrics}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_level_of_the_log_is_taken() {
    let gateway = TestGateway::start(&answering(200)).await;
    let reload_at = |level: &str| {
        let text = gateway.full(&answering(200));
        let text = text.replacen("level: info", &format!("level: {level}"), 1);
        fs::write(gateway.config(), text).unwrap();
        gateway.reload("success");
        gateway.log().matches("SIGHUP").count()
    };
    assert_eq!(reload_at("error"), 1);
    assert_eq!(reload_at("error"), 1, "it was still told");
    assert_eq!(reload_at("info"), 1);
    assert_eq!(reload_at("info"), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reload_is_in_the_audit_trail() {
    let gateway = TestGateway::start(&answering(200)).await;
    gateway.reconfigure(&answering(201));
    gateway.configure("unheard: of\n");
    gateway.reload("failed");
    gateway.wait_for_audit();
    let told = gateway.cli(&["audit", "query", "--event", "config.reloaded", "--json"]);
    let events: serde_json::Value = serde_json::from_str(&told).unwrap();
    let [failed, taken] = &events.as_array().unwrap()[..] else {
        panic!("{events:#}");
    };
    let config = gateway.config().display().to_string();
    assert_eq!(taken["result"], "success");
    assert_eq!(taken["actor_id"], "portcullis serve");
    assert_eq!(taken["resource_id"], config.as_str());
    assert_eq!(taken["details"]["sha256"].as_str().unwrap().len(), 64);
    assert_eq!(failed["result"], "failed");
    assert_eq!(failed["reason"], "config_invalid");
    assert_eq!(failed["details"]["mistakes"], 1);
    let sum = std::process::Command::new("sha256sum")
        .arg(&config)
        .output();
    let sum = String::from_utf8(sum.unwrap().stdout).unwrap();
    assert_eq!(failed["details"]["sha256"], sum[..64]);
}
