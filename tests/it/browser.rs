//! People with a real browser: Chromium, driven by `tests/e2e/pages_*.mjs`, before the real
//! binary.

use std::io::{self, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;

use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use tempfile::TempDir;
use tokio::runtime::Handle;

use crate::support::from_environment;
use crate::support::gateway::{Keys, TestGateway};
use crate::support::upstream::{Received, Upstream, respond};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/e2e");
const PASSWORD: &str = "correct horse battery";
const ROUTES: &str = "
  - { route: GET /things, upstream: app, permission: datasets:read }
  - { route: GET /secrets, upstream: app, permission: datasets:create }
  - { route: POST /things, upstream: app, permission: datasets:read, event: thing.exported }
  - { route: GET /away, upstream: away, permission: datasets:read }
";
/// A page of a backend, with a form and nothing else.
const PAGE: &str = "<!doctype html><html lang=en><title>Things</title><h1>Things</h1>\
    <form method=post action=/things><button>Export</button></form>";

/// All that the scripts need.
struct Stage {
    gateway: TestGateway,
    keys: Keys,
    _upstream: Upstream,
    /// Does what no browser can: see [`deed`].
    desk: Upstream,
}

impl Stage {
    async fn set() -> Self {
        let upstream = Upstream::with(backend);
        let nowhere = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let away = nowhere.local_addr().unwrap();
        drop(nowhere);
        let gateway = TestGateway::start(&format!(
            "sign_in: {{ sensitive_operations: [thing.exported], re_auth_max_age: 10m, \
             public_url: \"http://localhost:1\", mail: {{ from: ml@example.com, log: true }} }}\n\
             upstreams:\n  app: {{ url: \"http://{}\" }}\n  away: {{ url: \"http://{away}\" }}\n\
             routes:{ROUTES}",
            upstream.address()
        ))
        .await;
        let keys = gateway.seed();
        for who in ["admin", "owner", "editor", "viewer", "stranger"] {
            let email = format!("{who}@example.com");
            gateway.cli_told(&["users", "set-password", &email], PASSWORD);
        }
        let (here, url) = (Handle::current(), gateway.postgres.owner_url());
        let desk = Upstream::with(move |request, stream| {
            let path = request.line().split(' ').nth(1).unwrap_or_default();
            let deed = deed(path).ok_or(io::ErrorKind::NotFound)?;
            here.block_on(run(&url, deed)).map_err(io::Error::other)?;
            respond(stream, "200 OK", b"done")
        });
        Self {
            gateway,
            keys,
            _upstream: upstream,
            desk,
        }
    }

    /// Where somebody new chooses their password: path and query.
    fn invitation(&self) -> String {
        let invite = [
            "users",
            "invite",
            "new@example.com",
            "--name",
            "New",
            "--print",
        ];
        let told = self.gateway.cli(&invite);
        let (_, link) = told.split_once("http://localhost:1").unwrap();
        link.split_whitespace().next().unwrap().to_owned()
    }

    /// Runs a script, beside the modules that it imports: Node looks nowhere else.
    fn play(&self, script: &str) {
        let dir = TempDir::new().unwrap();
        for file in ["chromium.mjs", script] {
            std::fs::copy(Path::new(FOLDER).join(file), dir.path().join(file)).unwrap();
        }
        let modules = from_environment("PORTCULLIS_TEST_NODE_MODULES");
        std::os::unix::fs::symlink(modules, dir.path().join("node_modules")).unwrap();
        let pictures = Path::new(env!("CARGO_TARGET_TMPDIR")).join("screenshots");
        std::fs::create_dir_all(&pictures).unwrap();
        let output = Command::new("node")
            .arg(dir.path().join(script))
            .current_dir(dir.path())
            .env(
                "PORTCULLIS_URL",
                format!("http://{}", self.gateway.public()),
            )
            .env("PASSWORD", PASSWORD)
            .env("VIEWER_KEY", &self.keys.viewer)
            .env("INVITATION", self.invitation())
            .env("DESK_URL", format!("http://{}", self.desk.address()))
            .env("SCREENSHOTS", pictures)
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{}\n{}\n{}",
            output.status,
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
    }
}

fn backend(request: &Received, stream: &mut TcpStream) -> io::Result<()> {
    let body = if request.line().starts_with("POST") {
        "<!doctype html><html lang=en><title>Done</title><h1>Exported</h1>"
    } else {
        PAGE
    };
    write!(
        stream,
        "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// What time does to sessions.
fn deed(path: &str) -> Option<&'static str> {
    match path {
        "/age" => Some("authenticated_at = authenticated_at - interval '11 minutes'"),
        "/expire" => Some(
            "created_at = created_at - interval '8 days', \
             expires_at = expires_at - interval '8 days'",
        ),
        _ => None,
    }
}

async fn run(url: &str, change: &str) -> sqlx::Result<()> {
    let mut owner = PgConnection::connect(url).await?;
    let sql = format!("SET request.jwt.claim.role = 'gateway'; UPDATE sessions SET {change}");
    sqlx::raw_sql(AssertSqlSafe(sql))
        .execute(&mut owner)
        .await?;
    owner.close().await
}

#[tokio::test(flavor = "multi_thread")]
async fn people_find_their_way() {
    Stage::set().await.play("pages_ways.mjs");
}

#[tokio::test(flavor = "multi_thread")]
async fn time_passes_and_tabs_are_many() {
    Stage::set().await.play("pages_tabs.mjs");
}

#[tokio::test(flavor = "multi_thread")]
async fn everybody_can_read_and_use_every_page() {
    let stage = Stage::set().await;
    let cli = |args: &[&str]| stage.gateway.cli(args);
    let ann = "ann.o'neill@example.com";
    let titled = ["projects", "create", "acme/support", "--owner", ann];
    cli(&["users", "create", ann, "--name", "Ann O'Neill"]);
    cli(&[&titled[..], &["--name", "Customer support bots"]].concat());
    stage
        .gateway
        .cli_told(&["users", "set-password", ann], PASSWORD);
    for (path, role) in [("acme/fraud", "editor"), ("globex/churn", "viewer")] {
        let scope = ["members", "add", "--scope", path, "--principal", ann];
        cli(&[&scope[..], &["--role", role]].concat());
    }
    let name = ["--description", "Nightly training", "--expires", "90d"];
    let key = [
        "keys",
        "create",
        "--principal",
        ann,
        "--project",
        "acme/fraud",
    ];
    cli(&[&key[..], &name].concat());
    stage.play("pages_looks.mjs");
}
