//! Class 45: a bad file is refused whole, by one clear message, and what was in force
//! serves on; the nearest good one is taken.

use std::fs;

use serde_json::Value;

use crate::support::gateway::TestGateway;

/// Its routes, and what more the case is about. `mark` tells which rules are in force.
fn rules(mark: &str, more: &str) -> String {
    format!(
        "routes:\n  - {{ route: GET /, public: 'for a test', respond: {{ body: {{ is: {mark} }} }} }}\n{more}"
    )
}

fn is(gateway: &TestGateway) -> String {
    let answer = gateway.raw("GET / HTTP/1.1\r\nHost: gw\r\n\r\n").unwrap();
    answer.json()["is"].as_str().unwrap().to_owned()
}

/// What `check` says of the file, line by line.
fn checked(gateway: &TestGateway) -> Vec<String> {
    let (code, told) = gateway.cli_code(&["check", "--json"]);
    assert_eq!(code, 3, "{told}");
    let diagnostics: Vec<Value> = serde_json::from_str(&told).unwrap();
    let line = |it: &Value| {
        let text = |key: &str| it[key].as_str().unwrap().to_owned();
        format!(
            "{}:{}:{}: {}",
            text("file"),
            it["line"],
            it["column"],
            text("message")
        )
    };
    diagnostics.iter().map(line).collect()
}

/// The last refusal in the log.
fn logged(gateway: &TestGateway) -> Vec<String> {
    let log = gateway.log();
    let mut lines = log.lines().rev();
    let refusal = lines.find(|line| line.contains("configuration not reloaded"));
    let refusal: Value = serde_json::from_str(refusal.unwrap()).unwrap();
    assert_eq!(refusal["level"], "ERROR");
    let told = refusal["diagnostics"].as_str().unwrap();
    told.lines().map(str::to_owned).collect()
}

/// Reloads `bad`, which must be refused with so many diagnostics, one of which says
/// `message`, then `good`.
fn refused(gateway: &TestGateway, [bad, good]: [&str; 2], many: usize, message: &str) {
    let before = gateway.log().matches("configuration not reloaded").count();
    gateway.configure(&rules("bad", bad));
    gateway.reload("failed");
    assert_eq!(is(gateway), "good", "{message}");
    let told = logged(gateway);
    assert_eq!(told, checked(gateway));
    assert_eq!(told.len(), many, "{told:#?}");
    assert!(told.iter().any(|line| line.contains(message)), "{told:#?}");
    let after = gateway.log().matches("configuration not reloaded").count();
    assert_eq!(after, before + 1, "one message");
    let successful = || gateway.metric("portcullis_config_last_reload_successful");
    assert_eq!(successful(), 0);
    gateway.reconfigure(&rules("twin", good));
    assert_eq!((is(gateway).as_str(), successful()), ("twin", 1));
    gateway.reconfigure(&rules("good", ""));
}

async fn start() -> TestGateway {
    TestGateway::start(&rules("good", "")).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_duplicate_key() {
    let bad = "shutdown: { deadline: 2s }\nshutdown: { deadline: 3s }\n";
    let good = "shutdown: { deadline: 2s }\n";
    refused(&start().await, [bad, good], 1, "duplicate key `shutdown`");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unresolved_variable() {
    let bad = "trusted_proxies: ['${NOWHERE_TO_BE_FOUND}']\n";
    let good = "trusted_proxies: ['${NOWHERE_TO_BE_FOUND:-10.0.0.1}']\n";
    refused(
        &start().await,
        [bad, good],
        1,
        "`NOWHERE_TO_BE_FOUND` is not set",
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_permission() {
    let bad = "  - { route: GET /w, permission: widgets:read, respond: { body: 1 } }\n";
    let good = format!("{bad}permissions: {{ widgets: [read] }}\n");
    refused(
        &start().await,
        [bad, &good],
        1,
        "unknown permission `widgets:read`",
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn ambiguous_routes() {
    let bad = "  - { route: 'GET /{a}/x', deny: 'for a test' }\n\
               \x20 - { route: 'GET /x/{b}', deny: 'for a test' }\n";
    let good = format!("{bad}  - {{ route: GET /x/x, deny: 'for a test' }}\n");
    refused(
        &start().await,
        [bad, &good],
        1,
        "add a route for what they share",
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_at_once() {
    let bad =
        "trusted_proxies: ['${NOWHERE_TO_BE_FOUND}']\nerrors: html\nerrors: problem\nunheard: of\n";
    refused(
        &start().await,
        [bad, "errors: problem\n"],
        4,
        "unknown key `unheard`",
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn half_a_file_and_none() {
    let gateway = start().await;
    for text in [
        "",
        "version: 1\nroutes:\n  - { route: GET /, pub",
        "\u{0}\u{1}",
        "- a\n",
    ] {
        fs::write(gateway.config(), text).unwrap();
        gateway.reload("failed");
        assert_eq!(is(&gateway), "good", "{text}");
        assert_eq!(logged(&gateway), checked(&gateway));
    }
    fs::write(gateway.config(), b"version: 1\n# \xff\n").unwrap();
    gateway.reload("failed");
    assert_eq!(logged(&gateway), checked(&gateway));
    fs::remove_file(gateway.config()).unwrap();
    gateway.reload("failed");
    assert_eq!(logged(&gateway), checked(&gateway));
    assert_eq!(is(&gateway), "good");
    gateway.reconfigure(&rules("twin", ""));
    assert_eq!(is(&gateway), "twin");
}

const CERTIFICATE: &str = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 \
                           -nodes -days 2 -subj /CN=ca -keyout /dev/null -out";

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_certificate() {
    let gateway = start().await;
    let file = |name: &str| gateway.config().with_file_name(name);
    let made = std::process::Command::new("sh")
        .args([
            "-c",
            &format!("{CERTIFICATE} {}", file("good.pem").display()),
        ])
        .output();
    assert!(made.unwrap().status.success());
    let good = fs::read_to_string(file("good.pem")).unwrap();
    // Base64 as before, and no certificate any more.
    fs::write(file("bad.pem"), good.replacen("MII", "AAA", 1)).unwrap();
    let upstream = |pem: &str| {
        format!("upstreams: {{ a: {{ url: 'https://127.0.0.1:1', tls: {{ ca_file: {pem} }} }} }}\n")
    };
    let [bad_yaml, good_yaml] = ["bad.pem", "good.pem"].map(upstream);
    refused(
        &gateway,
        [&bad_yaml, &good_yaml],
        1,
        "no PEM certificate in the CA file",
    );
    refused(
        &gateway,
        [&upstream("none.pem"), &good_yaml],
        1,
        "cannot read the CA file",
    );

    // A file that the configuration names goes bad, and good again, by itself.
    gateway.reconfigure(&rules("named", &good_yaml));
    let (failed, taken) = (gateway.reloads("failed"), gateway.reloads("success"));
    fs::copy(file("bad.pem"), file("good.pem")).unwrap();
    crate::support::gateway::until("word of the bad file", || {
        gateway.reloads("failed") > failed
    });
    assert_eq!(is(&gateway), "named");
    assert_eq!(logged(&gateway), checked(&gateway));
    fs::write(file("good.pem"), good).unwrap();
    crate::support::gateway::until("the good file", || gateway.reloads("success") > taken);
    assert_eq!(
        gateway.metric("portcullis_config_last_reload_successful"),
        1
    );
}
