//! `portcullis explain`, as a person and as a program read it.

use crate::support::gateway::{TestGateway, yaml};

const ROUTES: &str = "
  - { route: 'GET /things/{id}', upstream: app, permission: datasets:read, resource: { type: thing, id: path.id } }
  - { route: POST /things, upstream: app, permission: datasets:create }
";

#[tokio::test]
async fn a_denial_is_explained_line_by_line() {
    let gateway = TestGateway::prepare(&yaml("127.0.0.1:1".parse().unwrap(), ROUTES)).await;
    gateway.seed();
    let ask = |who: &str, method: &str, path: &str| {
        gateway.cli_code(&["explain", "--principal", who, method, path])
    };
    let (code, text) = ask("viewer@example.com", "POST", "/things");
    assert_eq!(code, 7);
    let names: Vec<&str> = text
        .lines()
        .skip(1)
        .map(|line| line.split_at(14).0.trim())
        .collect();
    assert!(
        text.starts_with("DENIED for viewer@example.com\n"),
        "{text}"
    );
    assert_eq!(
        names,
        [
            "route",
            "defined at",
            "requires",
            "tenant",
            "project",
            "reason",
            "told",
            "holds"
        ]
    );
    let (code, text) = ask("viewer@example.com", "GET", "/things/7");
    assert_eq!(code, 0);
    assert!(text.contains("\n  resource    thing 7\n"), "{text}");
    assert!(
        text.contains("\n  granted by  role viewer on project fraud by binding "),
        "{text}"
    );
}
