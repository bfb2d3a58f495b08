//! The admin commands: the real program on a real Postgres.

use std::path::Path;
use std::process::{Command, Output};

use portcullis::domain::KeyToken;
use serde_json::Value;

use crate::support::postgres::TestPostgres;
use crate::support::store::migrations;

/// The program, on a database of its own.
struct Cli {
    postgres: TestPostgres,
}

impl Cli {
    async fn start() -> Self {
        let cli = Self {
            postgres: TestPostgres::start().await,
        };
        let migrated = cli.json(&format!("migrate --url {}", cli.postgres.owner_url()));
        assert_eq!(migrated["applied"].as_array().unwrap().len(), migrations());
        cli
    }

    fn run(&self, line: &str) -> Output {
        program(self.postgres.data_dir())
            .env("DATABASE_URL", self.postgres.gateway_url())
            .args(line.split(' '))
            .output()
            .unwrap()
    }

    /// What it prints for a person.
    fn text(&self, line: &str) -> String {
        let output = self.run(line);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{line}: {stderr}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// What it prints for a program.
    fn json(&self, line: &str) -> Value {
        serde_json::from_str(&self.text(&format!("{line} --json"))).unwrap()
    }

    /// Exit code and message of what must fail, with nothing on standard output.
    fn failure(&self, line: &str) -> String {
        failure(&self.run(line))
    }

    fn events(&self) -> Vec<String> {
        let events = self.json("audit tail -n 1000");
        let events = events.as_array().unwrap().iter();
        events
            .map(|event| event["event"].as_str().unwrap().to_owned())
            .collect()
    }
}

/// The program with nothing of this environment that it would read.
fn program(dir: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_portcullis"));
    command
        .current_dir(dir)
        .env_remove("DATABASE_URL")
        .env_remove("PORTCULLIS_CONFIG")
        .env_remove("PORTCULLIS_MIGRATE_URL");
    command
}

fn failure(output: &Output) -> String {
    assert_eq!(String::from_utf8_lossy(&output.stdout), "");
    let stderr = String::from_utf8_lossy(&output.stderr);
    format!("{}: {}", output.status.code().unwrap(), stderr.trim_end())
}

/// A tenant, a user, a project.
const PROLOGUE: [&str; 3] = [
    "tenants create acme --name Acme",
    "users create Ann@Example.com",
    "projects create acme/fraud --owner ann@example.com",
];

impl Cli {
    async fn with_names() -> Self {
        let cli = Self::start().await;
        for line in PROLOGUE {
            cli.text(line);
        }
        cli
    }
}

#[tokio::test]
async fn every_change_leaves_exactly_one_event() {
    let cli = Cli::start().await;
    let story = [
        (PROLOGUE[0], "tenant.created"),
        (PROLOGUE[1], "user.created"),
        ("users create bob@example.com --name Bob", "user.created"),
        (PROLOGUE[2], "project.created"),
        (
            "projects transfer acme/fraud --to bob@example.com",
            "project.owner_transferred",
        ),
        (
            "service-accounts create acme/robot",
            "service_account.created",
        ),
        (
            "service-accounts disable acme/robot",
            "service_account.disabled",
        ),
        (
            "service-accounts enable acme/robot",
            "service_account.enabled",
        ),
        (
            "roles create --tenant acme labeller --permissions runs:read,runs:update",
            "role.created",
        ),
        (
            "members add --scope acme/fraud --principal acme/robot --role labeller",
            "member.added",
        ),
        (
            "members remove --scope acme/fraud --principal acme/robot --role labeller",
            "member.removed",
        ),
        ("roles delete --tenant acme labeller", "role.deleted"),
        ("users disable ann@example.com", "user.disabled"),
        ("users enable ann@example.com", "user.enabled"),
        (
            "keys create --principal acme/robot --project acme/fraud --expires 30d",
            "api_key.created",
        ),
    ];
    let mut expected = vec!["roles.seeded"];
    for (line, event) in story {
        cli.text(line);
        expected.push(event);
    }
    let keys = cli.json("keys list");
    cli.text(&format!("keys revoke {}", keys[0]["id"].as_str().unwrap()));
    expected.push("api_key.revoked");
    assert_eq!(cli.events(), expected);
}

#[tokio::test]
async fn migrate_takes_the_owners_url_from_the_environment() {
    let cli = Cli::start().await;
    let owner = cli.postgres.owner_url();
    let migrated = |owner: Option<&String>| {
        program(cli.postgres.data_dir())
            .arg("migrate")
            .env("DATABASE_URL", cli.postgres.gateway_url())
            .envs(owner.map(|url| ("PORTCULLIS_MIGRATE_URL", url)))
            .output()
            .unwrap()
    };
    let output = migrated(Some(&owner));
    assert_eq!(String::from_utf8_lossy(&output.stdout), "up to date\n");
    assert!(failure(&migrated(None)).starts_with("1: "));
}

#[tokio::test]
async fn events_name_the_operator_and_the_place() {
    let cli = Cli::with_names().await;
    let events = cli.json("audit query --event project.created");
    let event = &events[0];
    let whoami = Command::new("id").arg("-un").output().unwrap();
    let user = String::from_utf8(whoami.stdout).unwrap();
    assert_eq!(event["actor_type"], "operator");
    assert_eq!(event["actor_id"], user.trim_end());
    assert_eq!(
        (&event["tenant"], &event["project"]),
        (&"acme".into(), &"fraud".into())
    );
    assert_eq!(event["result"], "success");
    assert_eq!(event["details"]["owner"], "ann@example.com");
    assert_eq!(
        cli.json("audit query --tenant acme --limit 1")
            .as_array()
            .unwrap()
            .len(),
        1
    );
    let next = format!(
        "audit query --before {}/{}",
        event["occurred_at"].as_str().unwrap(),
        event["id"].as_str().unwrap()
    );
    let older = cli.json(&next);
    let older: Vec<_> = older
        .as_array()
        .unwrap()
        .iter()
        .map(|each| &each["event"])
        .collect();
    assert_eq!(older, ["user.created", "tenant.created", "roles.seeded"]);
}

#[tokio::test]
async fn a_key_is_printed_alone_and_once() {
    let cli = Cli::with_names().await;
    let printed =
        cli.text("keys create --principal ann@example.com --permission runs:*,models:read");
    let token: KeyToken = printed.strip_suffix('\n').unwrap().parse().unwrap();
    let created = cli.json("keys create --principal ann@example.com --description ci --expires 1h");
    created["key"]
        .as_str()
        .unwrap()
        .parse::<KeyToken>()
        .unwrap();
    let keys = cli.run("keys list --json");
    let listed = String::from_utf8(keys.stdout).unwrap();
    assert!(!listed.contains(std::str::from_utf8(token.secret()).unwrap()));
    assert!(!listed.contains("secret_hash"));
    let keys: Value = serde_json::from_str(&listed).unwrap();
    assert_eq!(keys[0]["description"], "ci");
    assert_eq!(keys[0]["state"], "active");
    assert_eq!(
        keys[1]["permissions"],
        serde_json::json!(["runs:*", "models:read"])
    );
    assert_eq!(keys[1]["holder"], "ann@example.com");
}

#[tokio::test]
async fn a_key_for_a_project_out_of_reach_warns() {
    let cli = Cli::with_names().await;
    cli.text("users create bob@example.com");
    let output = cli.run("keys create --principal bob@example.com --project acme/fraud");
    assert!(output.status.success());
    let warning = String::from_utf8(output.stderr).unwrap();
    insta::assert_snapshot!(warning, @"warning: bob@example.com has no role in acme/fraud: the key opens nothing there");
}

#[tokio::test]
async fn exit_codes_tell_what_went_wrong() {
    let cli = Cli::with_names().await;
    let lines = [
        "tenants create acme",
        "projects create globex/churn --owner ann@example.com",
        "projects create acme/x --owner nobody@example.com",
        "members add --scope acme --principal ann@example.com --role viewer",
        "members add --scope acme/fraud --principal ann@example.com --role owner",
        "members add --scope acme/fraud --principal ann@example.com --role pilot",
        "members remove --scope acme/fraud --principal ann@example.com --role viewer",
        "keys create --principal ann@example.com --permission flights:book",
        "keys revoke 000000000000",
        "roles create --tenant acme viewer --permissions runs:read",
        "roles delete --tenant acme viewer",
        "users enable ann@example.com",
    ];
    let failures = lines.map(|line| format!("{line}\n  {}", cli.failure(line)));
    insta::assert_snapshot!(failures.join("\n"));
}

#[tokio::test]
async fn wrong_usage_is_two() {
    let cli = Cli::with_names().await;
    for line in [
        "tenants create A--B",
        "users create nobody",
        "projects create fraud --owner ann@example.com",
        "members add --scope a/b/c --principal ann@example.com --role viewer",
        "keys create --principal ann@example.com --expires soon",
        "keys revoke short",
        "roles create --tenant acme x --scope platform --permissions runs:read",
        "audit query --result maybe",
        "audit query --limit 0",
        "tenants create",
        "fly",
    ] {
        assert_eq!(cli.run(line).status.code(), Some(2), "{line}");
    }
}

#[tokio::test]
async fn tables_are_aligned() {
    let cli = Cli::with_names().await;
    cli.text("members add --scope platform --principal ann@example.com --role superadmin");
    insta::assert_snapshot!(cli.text("members list"), @r"
    SCOPE       PRINCIPAL        ROLE        BY  STATE
    platform    ann@example.com  superadmin      active
    acme/fraud  ann@example.com  owner           active
    ");
    let roles = cli.text("roles list --tenant acme");
    assert!(
        roles.contains("superadmin      platform  built in  *:*\n"),
        "{roles}"
    );
    assert!(
        cli.text("projects list --tenant acme")
            .contains("acme/fraud  ann@example.com  fraud")
    );
    assert!(cli.text("tenants list").contains("acme    Acme"));
    assert!(cli.text("users list").contains("active"));
}

#[tokio::test]
async fn without_a_database_all_ways_to_name_one_are_told() {
    let dir = tempfile::tempdir().unwrap();
    let run = |line: &str| {
        let output = program(dir.path()).args(line.split(' ')).output().unwrap();
        failure(&output).replace(dir.path().to_str().unwrap(), "DIR")
    };
    let nowhere = "--database-url postgresql:///x?host=/nowhere&user=x";
    let answers = [
        run("tenants list"),
        run(&format!("tenants list {nowhere}")),
        run("migrate"),
        run("tenants list --config missing.yaml"),
    ];
    insta::assert_snapshot!(answers.join("\n\n"));
}

#[tokio::test]
async fn the_configuration_names_the_database_and_more_permissions() {
    let cli = Cli::with_names().await;
    let dir = tempfile::tempdir().unwrap();
    let yaml = "
version: 1
database: { url: '${SOME_URL}' }
permissions: { widgets: [read] }
routes: []
";
    std::fs::write(dir.path().join("portcullis.yaml"), yaml).unwrap();
    let create = "roles create --tenant acme widgeteer --permissions widgets:read";
    let run = |url: Option<String>| {
        let mut command = program(dir.path());
        command
            .args(create.split(' '))
            .envs(url.map(|url| ("SOME_URL", url)));
        command.output().unwrap()
    };
    insta::assert_snapshot!(failure(&run(None)), @"3: portcullis.yaml:3:18: variable `SOME_URL` is not set; set it, or write `${SOME_URL:-default}`");
    assert!(run(Some(cli.postgres.gateway_url())).status.success());
}

#[tokio::test]
async fn a_binding_is_on_an_object_denies_or_has_a_condition_and_goes_as_it_was_made() {
    let cli = Cli::with_names().await;
    cli.text("users create bob@example.com");
    cli.text("resources adopt app thing 7/a --project acme/fraud");
    let bob = "--principal bob@example.com";
    let on = format!("--on-resource app/thing/7/a {bob} --role editor");
    let denied = format!("--scope acme/fraud {bob} --role viewer --deny");
    let when = format!("--scope acme/fraud {bob} --role viewer --when resource.environment=='dev'");
    let told = [&on, &denied, &when].map(|it| cli.text(&format!("members add {it}")));
    let listed = |scope: &str| {
        let list = cli.text(&format!("members list{scope}"));
        let lines = list.lines().filter(|line| line.contains("bob@"));
        let words = lines.map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "));
        words.collect::<Vec<_>>().join("\n")
    };
    let list = listed("");
    assert!(!listed(" --scope acme/fraud").contains("thing"));
    let members = cli.json("members list");
    let of_bob = members.as_array().unwrap().iter();
    let of_bob = of_bob.filter(|it| it["principal"] == "bob@example.com");
    let kinds: Vec<_> = of_bob
        .map(|it| {
            format!(
                "{} {} {}",
                it["effect"], it["condition"], it["resource"]["id"]
            )
        })
        .collect();
    let kinds = kinds.join("\n");
    insta::assert_snapshot!(format!("{}\n{list}\n\n{kinds}", told.concat()));
    // One is not taken for another.
    let plain = format!("members remove --scope acme/fraud {bob} --role viewer");
    assert!(
        cli.failure(&plain).starts_with("5: "),
        "{}",
        cli.failure(&plain)
    );
    let again = format!("members add {denied}");
    assert!(cli.failure(&again).starts_with("6: "));
    for binding in [&on, &denied, &when] {
        cli.text(&format!("members remove {binding}"));
    }
    assert_eq!(listed(""), "");
    let events = cli.events();
    let count = |name: &str| events.iter().filter(|it| *it == name).count();
    assert_eq!(count("member.removed"), 3);
}

#[tokio::test]
async fn what_a_binding_cannot_mean_is_told() {
    let cli = Cli::with_names().await;
    let add = |rest: &str| cli.failure(&format!("members add --principal ann@example.com {rest}"));
    let told = [
        "--scope acme/fraud --role viewer --when resource.environment==",
        "--scope acme/fraud --role viewer --when resources.id=='x'",
        "--scope acme/fraud --role viewer --when resource.colour=='x'",
        "--scope acme/fraud --role viewer --when [1,2].all(i,i>0)",
        "--on-resource app/thing --role viewer",
        "--on-resource app/thing/8 --role viewer",
        "--on-resource app/thing/8 --scope acme/fraud --role viewer",
        "--role viewer",
        "--scope acme/fraud --role client_admin --deny",
    ]
    .map(|rest| format!("{rest}\n{}", add(rest)));
    insta::assert_snapshot!(told.join("\n\n"));
}

#[tokio::test]
async fn the_private_postgres_of_the_data_directory_is_found() {
    let cli = Cli::with_names().await;
    let dir = tempfile::tempdir().unwrap();
    let data_dir = cli.postgres.data_dir().display();
    let yaml = format!("data_dir: {data_dir}\n");
    std::fs::write(dir.path().join("portcullis.yaml"), yaml).unwrap();
    let output = program(dir.path())
        .args(["tenants", "list"])
        .output()
        .unwrap();
    assert!(String::from_utf8(output.stdout).unwrap().contains("acme"));
    let output = program(dir.path()).arg("migrate").output().unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "up to date\n");
}

#[tokio::test]
async fn a_reader_that_goes_away_is_no_failure() {
    let cli = Cli::with_names().await;
    let mut child = program(cli.postgres.data_dir())
        .env("DATABASE_URL", cli.postgres.gateway_url())
        .args(["audit", "tail", "--follow"])
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(child.stdout.take().unwrap()));
    assert!(lines.next().unwrap().unwrap().contains("roles.seeded"));
    drop(lines);
    cli.text("tenants create globex");
    assert!(child.wait().unwrap().success());
}
