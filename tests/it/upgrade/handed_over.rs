//! What is handed over, and what the former process still does.

use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixDatagram;

use crate::support::gateway::{Former, TestGateway, until, yaml};
use crate::support::load;
use crate::support::upstream::Upstream;

const ROUTES: &str = "  - { route: GET /things, upstream: app, permission: datasets:read }\n";

#[tokio::test(flavor = "multi_thread")]
async fn accepted_requests_and_idle_connections_stay_with_the_former() {
    let (upstream, go) = Upstream::held();
    let mut gateway = TestGateway::start(&yaml(upstream.address(), ROUTES)).await;
    let keys = gateway.seed();
    let [mut slow, mut idle] = [(); 2].map(|()| gateway.connect());
    for connection in [&mut idle, &mut slow] {
        connection.send(load::request("GET", "/things", &keys.viewer));
    }
    until("both", || upstream.received().len() == 2);
    go.send(()).unwrap();
    go.send(()).unwrap();
    for connection in [&mut idle, &mut slow] {
        assert_eq!(connection.answer().unwrap().body, "done");
    }
    slow.send(load::request("GET", "/things", &keys.viewer));
    until("the slow one", || upstream.received().len() == 3);
    let (public, private, pid) = (gateway.public(), gateway.private(), gateway.pid());
    let former = gateway.upgrade();
    assert_eq!((gateway.public(), gateway.private()), (public, private));
    assert_ne!(gateway.pid(), pid);
    until("readiness", || gateway.private_get("/readyz").status == 200);
    // The idle one may ask once more, and is told to leave.
    idle.send(load::request("GET", "/things", &keys.viewer));
    until("the idle one", || upstream.received().len() == 4);
    go.send(()).unwrap();
    go.send(()).unwrap();
    for connection in [&mut idle, &mut slow] {
        let answer = connection.answer().unwrap();
        assert_eq!((answer.status, answer.body.as_str()), (200, "done"));
    }
    // An answer that had begun before could not say so.
    assert!(idle.is_closed());
    drop(slow);
    assert!(former.wait(), "exit code");
    go.send(()).unwrap();
    assert_eq!(gateway.get("/things", &keys.viewer).body, "done");
    gateway.wait_for_audit();
    let events = gateway.events().await;
    assert_eq!(events.len(), 5);
    assert!(events.iter().all(|event| event["result"] == "success"));
    assert!(gateway.stop());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_configuration_comes_with_it_listeners_included() {
    let upstream = Upstream::ok();
    let mut gateway = TestGateway::start(&yaml(upstream.address(), ROUTES)).await;
    let keys = gateway.seed();
    let before = gateway.public();
    let text = gateway.full(&format!("workers: 3\n{}", yaml(upstream.address(), ROUTES)));
    let text = text.replacen("listen: 127.0.0.1:0", "listen: 127.0.0.2:0", 1);
    std::fs::write(gateway.config(), text).unwrap();
    gateway.reload("success");
    let waits = |gateway: &TestGateway, key: &str| {
        gateway.metric(&format!(
            "portcullis_config_restart_required{{key=\"{key}\"}}"
        ))
    };
    assert_eq!(
        ["workers", "listen"].map(|key| waits(&gateway, key)),
        [1, 1]
    );
    let former = gateway.upgrade();
    assert!(former.wait());
    until("readiness", || gateway.private_get("/readyz").status == 200);
    assert_eq!(
        ["workers", "listen"].map(|key| waits(&gateway, key)),
        [0, 0]
    );
    assert_eq!(gateway.public().ip().to_string(), "127.0.0.2");
    assert_eq!(gateway.get("/things", &keys.viewer).status, 200);
    assert!(TcpStream::connect(before).is_err(), "still open");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_predecessor_it_simply_starts() {
    let upstream = Upstream::ok();
    let mut gateway = TestGateway::prepare(&yaml(upstream.address(), ROUTES)).await;
    gateway.launch_with(&["serve", "--upgrade"]);
    let keys = gateway.seed();
    assert_eq!(gateway.get("/things", &keys.viewer).status, 200);
    // Where the two meet is nobody else's.
    let directory = gateway.data_dir().join("upgrade");
    let mode = std::fs::metadata(directory).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
    assert!(gateway.upgrade().wait());
    assert_eq!(gateway.get("/things", &keys.viewer).status, 200);
    assert!(gateway.stop());
}

#[tokio::test(flavor = "multi_thread")]
async fn two_at_once_come_one_after_the_other() {
    let upstream = Upstream::ok();
    let mut gateway = TestGateway::start(&yaml(upstream.address(), ROUTES)).await;
    let keys = gateway.seed();
    let relieved = gateway.upgrade_by_two();
    assert!(relieved.into_iter().all(Former::wait));
    assert_eq!(gateway.get("/things", &keys.viewer).status, 200);
    assert!(gateway.upgrade().wait());
    assert!(gateway.stop());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_service_manager_is_told_which_process_it_is() {
    let upstream = Upstream::ok();
    let mut gateway = TestGateway::prepare(&yaml(upstream.address(), ROUTES)).await;
    let path = gateway.config().with_file_name("notify");
    let manager = UnixDatagram::bind(&path).unwrap();
    gateway.environment.push(("NOTIFY_SOCKET", path));
    let told = || {
        let mut message = [0; 100];
        let length = manager.recv(&mut message).unwrap();
        String::from_utf8_lossy(&message[..length]).into_owned()
    };
    gateway.launch();
    let ready =
        |gateway: &TestGateway| format!("READY=1\nMAINPID={}\n", gateway.pid().as_raw_nonzero());
    assert_eq!(told(), ready(&gateway));
    assert!(gateway.upgrade().wait());
    assert_eq!(told(), ready(&gateway));
    assert!(gateway.stop());
}
