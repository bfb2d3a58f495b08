//! The directory of a tenant: SCIM 2.0.

use std::process::Command;

use serde_json::{Value, json};

use crate::support::browser::Browser;
use crate::support::from_environment;
use crate::support::gateway::{Keys, TestGateway, until, yaml};
use crate::support::raw::{Answer, Connection};
use crate::support::upstream::Upstream;

mod hostile;
mod life;

const ROUTES: &str = "
  - { route: GET /things, upstream: app, permission: datasets:read }
  - { route: GET /me, upstream: app, authenticated: true }
";
const SCIM: &str = "sign_in:
  scim:
    - tenant: acme
      default_role: client_user
      group_role_mapping:
        - { group: scientists, role: editor, project: fraud }
        - { group: admins, role: client_admin }
    - { tenant: globex }
";

struct Bench {
    upstream: Upstream,
    gateway: TestGateway,
    keys: Keys,
    /// Of acme's directory.
    token: String,
}

/// What came: its status and its body.
type Came = (u16, Value);

impl Bench {
    async fn start() -> Self {
        Self::with("").await
    }

    /// With more of `sign_in:`.
    async fn with(sign_in: &str) -> Self {
        let upstream = Upstream::ok();
        let text = format!("{SCIM}{sign_in}\n{}", yaml(upstream.address(), ROUTES));
        let gateway = TestGateway::start(&text).await;
        let keys = gateway.seed();
        let token = directory_of(&gateway, "acme");
        Self {
            upstream,
            gateway,
            keys,
            token,
        }
    }

    fn ask(&self, method: &str, path: &str, body: &Value) -> Came {
        self.ask_as(&self.token, method, path, body)
    }

    fn ask_as(&self, token: &str, method: &str, path: &str, body: &Value) -> Came {
        let body = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        let answer = self.send(token, method, &format!("acme/{path}"), &body);
        let body = serde_json::from_str(&answer.body).unwrap_or(Value::Null);
        (answer.status, body)
    }

    fn send(&self, token: &str, method: &str, path: &str, body: &str) -> Answer {
        let length = match body.len() {
            0 => String::new(),
            length => {
                format!("Content-Type: application/scim+json\r\nContent-Length: {length}\r\n")
            }
        };
        let mut connection = Connection::open(self.gateway.public());
        connection.send(format!(
            "{method} /.portcullis/scim/v2/{path} HTTP/1.1\r\nHost: gw\r\nAuthorization: Bearer \
             {token}\r\n{length}\r\n{body}"
        ));
        connection.answer().unwrap()
    }

    /// Makes a user; their id.
    fn user(&self, email: &str) -> String {
        let (status, made) = self.ask("POST", "Users", &json!({ "userName": email }));
        assert_eq!(status, 201, "{made}");
        made["id"].as_str().unwrap().to_owned()
    }

    /// Makes a group; its id.
    fn group(&self, name: &str, members: &[&str]) -> String {
        let members: Vec<_> = members.iter().map(|id| json!({ "value": id })).collect();
        let group = json!({ "displayName": name, "members": members });
        let (status, made) = self.ask("POST", "Groups", &group);
        assert_eq!(status, 201, "{made}");
        made["id"].as_str().unwrap().to_owned()
    }

    fn patch(&self, path: &str, operations: &Value) -> Came {
        let change = json!({ "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
            "Operations": operations });
        self.ask("PATCH", path, &change)
    }

    /// Who is signed in from now on, by a password.
    fn signed_in(&self, email: &str) -> Browser {
        let password = "correct horse battery";
        self.gateway
            .cli_told(&["users", "set-password", email], password);
        let mut browser = Browser::new(self.gateway.public());
        let email = email.replace('@', "%40");
        let answer = browser.sign_in(&email, "correct+horse+battery");
        assert_eq!(answer.status, 303, "{answer:?}");
        browser
    }
}

/// A key for the directory of a tenant.
fn directory_of(gateway: &TestGateway, tenant: &str) -> String {
    let account = format!("{tenant}/directory");
    gateway.cli(&["service-accounts", "create", &account]);
    let role = ["--role", "provisioner"];
    let place = ["members", "add", "--scope", tenant, "--principal", &account];
    gateway.cli(&[&place[..], &role].concat());
    let key = gateway.cli(&["keys", "create", "--principal", &account]);
    key.trim().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_compliance_suite_runs_clean() {
    let bench = Bench::start().await;
    until("the key is known", || {
        bench.ask("GET", "Users", &Value::Null).0 == 200
    });
    let url = format!("http://{}/.portcullis/scim/v2/acme", bench.gateway.public());
    let output = Command::new(from_environment("PORTCULLIS_TEST_SCIM"))
        .args(["-u", &url, "test", "--verbose"])
        .env(
            "SCIM_CLI_HEADERS",
            format!("Authorization: Bearer {}", bench.token),
        )
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    let failed: Vec<_> = told
        .lines()
        .filter(|line| line.contains("ERROR") || line.contains("CRITICAL"))
        .collect();
    assert!(output.status.success() && failed.is_empty(), "{told}");
    assert!(told.matches("SUCCESS").count() > 20, "{told}");
}
