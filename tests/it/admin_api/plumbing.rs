//! How requests get to the control plane, and that nothing else does.

use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;

use super::{PROJECT, V1, World, refusal};

#[tokio::test(flavor = "multi_thread")]
async fn the_control_plane_is_reached_through_the_gateway_only() {
    let world = World::start().await;
    let me = world.get("/me", &world.viewer);
    assert_eq!(me.status, 200, "{me:?}");
    assert_eq!(me.json()["email"], "viewer@example.com");
    assert_eq!(me.header("Cache-Control"), ["no-store"]);
    let dir = world.gateway.data_dir().join("control");
    assert_eq!(dir.metadata().unwrap().permissions().mode() & 0o777, 0o700);
    let socket = dir.join(format!("{}.sock", world.gateway.pid().as_raw_nonzero()));
    let mut stream = UnixStream::connect(socket).unwrap();
    let forged = format!(
        "GET {V1}/me HTTP/1.1\r\nHost: gw\r\nX-Portcullis-Principal: {}\r\n\r\n",
        me.json()["id"].as_str().unwrap()
    );
    // It may have been closed already.
    let _ = stream.write_all(forged.as_bytes());
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    assert!(answer.is_empty(), "{}", String::from_utf8_lossy(&answer));
}

#[tokio::test(flavor = "multi_thread")]
async fn headers_of_a_client_tell_the_control_plane_nothing() {
    let world = World::start().await;
    let admin = world.get("/me", &world.admin).json();
    let forged = [
        ("X-Portcullis-Principal", admin["id"].as_str().unwrap()),
        ("X-Portcullis-Scope", "platform"),
        ("X_Portcullis_Principal", admin["id"].as_str().unwrap()),
    ];
    let me = world.send("GET", "/me", &world.viewer, "", &forged);
    assert_eq!(me.json()["email"], "viewer@example.com");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_route_of_a_configuration_reaches_the_reserved_paths() {
    let world = World::start().await;
    let catch_all = world.gateway.get("/anything", &world.viewer);
    assert_eq!(catch_all.status, 200);
    let none = world.get("/nothing", &world.admin);
    assert_eq!(refusal(&none), "404 no_route");
    let method = world.send("PUT", "/tenants", &world.admin, "", &[]);
    assert_eq!(refusal(&method), "405 method_not_routed");
    assert_eq!(method.header("Allow"), ["GET, POST"]);
    let stranger = world.get("/nothing", "");
    assert_eq!(refusal(&stranger), "401 unauthenticated");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_api_goes_on_through_an_upgrade_and_a_reload() {
    let mut world = World::start().await;
    let former = world.gateway.upgrade();
    assert!(former.wait());
    assert_eq!(world.get("/me", &world.viewer).status, 200);
    world.gateway.reload("success");
    assert_eq!(world.get(PROJECT, &world.viewer).status, 200);
    let dir = world.gateway.data_dir().join("control");
    assert_eq!(std::fs::read_dir(dir).unwrap().count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_leaves_one_event_and_so_does_a_refusal() {
    let world = World::start().await;
    let body = r#"{"slug": "churn", "name": "Churn", "members": [{"principal": "viewer@example.com", "role": "viewer"}]}"#;
    let made = world.post("/tenants/acme/projects", &world.boss, body);
    assert_eq!(made.status, 201, "{made:?}");
    assert_eq!(
        made.header("Location"),
        [format!("{V1}/tenants/acme/projects/churn")]
    );
    let again = world.post("/tenants/acme/projects", &world.boss, body);
    assert_eq!(refusal(&again), "409 conflict");
    let refused = world.post("/tenants/acme/projects", &world.viewer, body);
    assert_eq!(refusal(&refused), "403 permission_missing");
    world.gateway.wait_for_audit();
    let events = world.gateway.events().await;
    let told: Vec<_> = events
        .iter()
        .map(|it| {
            let text = |name: &str| it[name].as_str().unwrap_or("-").to_owned();
            let names = [
                "event",
                "result",
                "reason",
                "tenant",
                "project",
                "actor_email",
                "resource_type",
            ];
            format!("{} {}", names.map(text).join(" "), it["status"])
        })
        .collect();
    insta::assert_snapshot!(told.join("\n"), @"
    project.created success - acme churn boss@example.com project 201
    project.created failed conflict acme - boss@example.com - 409
    authz.denied denied permission_missing acme - viewer@example.com - 403
    ");
    assert_eq!(
        events[0]["details"]["members"][0],
        "viewer@example.com: viewer"
    );
    assert!(events[0]["latency"].as_i64().unwrap() > 0);
}

/// What happens in no tenant is asked for on the platform.
#[tokio::test(flavor = "multi_thread")]
async fn events_of_the_whole_platform_are_for_who_reads_all_tenants() {
    let world = World::start().await;
    world
        .gateway
        .cli(&["users", "create", "reader@example.com"]);
    let member = [
        "members", "add", "--scope", "platform", "--role", "reviewer",
    ];
    world
        .gateway
        .cli(&[&member[..], &["--principal", "reader@example.com"]].concat());
    let reviewer = world.gateway.key("reader@example.com", None);
    let tenant = world.post(
        "/tenants",
        &world.admin,
        r#"{"slug": "third", "name": "T"}"#,
    );
    assert_eq!(tenant.status, 201, "{tenant:?}");
    assert_eq!(world.get("/me", "").status, 401);
    assert_eq!(world.get("/tenants/globex", &world.rival).status, 200);
    assert_eq!(world.get(PROJECT, &world.viewer).status, 200);
    world.gateway.wait_for_audit();
    let events = |query: &str| {
        let answer = world.get(&format!("/events{query}"), &reviewer);
        assert_eq!(answer.status, 200, "{answer:?}");
        let told = answer.json()["items"].as_array().unwrap().clone();
        let text =
            |it: &serde_json::Value| format!("{} {}", it["event"], it["tenant"]).replace('"', "");
        told.iter().map(text).collect::<Vec<_>>()
    };
    assert_eq!(events("?result=denied"), ["authn.failed null"]);
    let names = "?event=tenant.read,project.read,tenant.created";
    let of_both = [
        "project.read acme",
        "tenant.read globex",
        "tenant.created third",
    ];
    assert_eq!(&events(names)[..3], of_both);
    assert_eq!(events(&format!("{names}&limit=1")), of_both[..1]);
    let refused = world.send(
        "POST",
        "/tenants",
        &reviewer,
        r#"{"slug": "a", "name": "A"}"#,
        &[],
    );
    assert_eq!(refusal(&refused), "403 permission_missing");
}

/// The last wall: what the API would let through by mistake, and the database does not.
#[tokio::test(flavor = "multi_thread")]
async fn what_the_database_refuses_is_recorded_as_denied() {
    let world = World::start().await;
    let mut owner = world.gateway.postgres.owner().await;
    let sql = "REVOKE INSERT ON roles FROM portcullis_gateway";
    sqlx::query(sql).execute(&mut owner).await.unwrap();
    let role = r#"{"name": "own", "scope": "project", "permissions": ["models:read"]}"#;
    let answer = world.post("/tenants/acme/roles", &world.boss, role);
    assert_eq!(refusal(&answer), "403 database_refused");
    assert!(!answer.body.contains("roles"), "{answer:?}");
    assert!(
        answer.header("X-Portcullis-Refused").is_empty(),
        "{answer:?}"
    );
    world.gateway.wait_for_audit();
    let events = world.gateway.events().await;
    let event = events.last().unwrap();
    assert_eq!(
        (&event["event"], &event["result"]),
        (&"authz.denied".into(), &"denied".into())
    );
    assert_eq!(event["reason"], "database_refused");
    assert_eq!(event["details"]["intended"], "role.created");
}
