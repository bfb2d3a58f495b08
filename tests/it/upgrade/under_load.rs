//! Under load no connection is refused and no request fails.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use super::Ends;
use crate::support::gateway::{Keys, TestGateway, until, yaml};
use crate::support::load;
use crate::support::raw::Answer;
use crate::support::upstream::Upstream;

const ROUTES: &str = "
  - { route: GET /things, upstream: app, permission: datasets:read }
  - { route: POST /things, upstream: app, permission: datasets:create }
";
const UPGRADES: usize = 10;

/// Clients of both kinds.
struct Clients<'g> {
    addresses: std::net::SocketAddr,
    keys: &'g Keys,
    done: AtomicBool,
    answers: Mutex<Vec<Answer>>,
    /// Connections that were closed because the answer said so.
    reopened: Mutex<usize>,
}

impl Clients<'_> {
    fn request(&self, number: usize) -> String {
        match number % 2 {
            0 => load::request("GET", "/things", &self.keys.viewer),
            _ => load::request("POST", "/things", &self.keys.editor),
        }
    }

    fn connect(&self) -> crate::support::raw::Connection {
        crate::support::raw::Connection::open(self.addresses)
    }

    /// Keeps its connection for as long as it may.
    fn keep_alive(&self) {
        let mut connection = self.connect();
        for number in 0.. {
            if self.done.load(Ordering::Relaxed) {
                return;
            }
            connection.send(self.request(number));
            let answer = connection.answer().expect("an answer on a kept connection");
            if answer.header("connection") == ["close"] {
                *self.reopened.lock().unwrap() += 1;
                connection = self.connect();
            }
            self.answers.lock().unwrap().push(answer);
        }
    }

    /// A connection a request.
    fn anew(&self) {
        for number in 0.. {
            if self.done.load(Ordering::Relaxed) {
                return;
            }
            let mut connection = self.connect();
            connection.send(self.request(number));
            let answer = connection.answer().expect("an answer on a new connection");
            self.answers.lock().unwrap().push(answer);
        }
    }

    fn answered(&self) -> usize {
        self.answers.lock().unwrap().len()
    }
}

async fn upgrades_under_load(gateway: &mut TestGateway, upgrades: usize) {
    let keys = gateway.seed();
    let clients = Clients {
        addresses: gateway.public(),
        keys: &keys,
        done: AtomicBool::new(false),
        answers: Mutex::default(),
        reopened: Mutex::default(),
    };
    std::thread::scope(|scope| {
        let _ends = Ends(&clients.done);
        for _ in 0..3 {
            scope.spawn(|| clients.keep_alive());
            scope.spawn(|| clients.anew());
        }
        for _ in 0..upgrades {
            let before = clients.answered();
            until("some answers", || clients.answered() > before + 50);
            let former = gateway.upgrade();
            assert!(former.wait(), "exit code of the former process");
        }
        let before = clients.answered();
        until("answers of the last", || clients.answered() > before + 50);
    });
    let answers = clients.answers.into_inner().unwrap();
    for answer in &answers {
        assert_eq!((answer.status, answer.body.as_str()), (200, "ok"));
    }
    let reopened = clients.reopened.into_inner().unwrap();
    assert!(reopened >= upgrades, "{reopened} were asked to leave");
    gateway.wait_for_audit();
    let events = gateway.events().await;
    let mut audited: Vec<_> = events.iter().map(|it| it["request_id"].as_str()).collect();
    let mut answered: Vec<_> = load::request_ids(&answers);
    audited.sort_unstable();
    answered.sort_unstable();
    let answered: Vec<_> = answered.iter().map(|id| Some(id.as_str())).collect();
    assert_eq!(audited.len(), answered.len());
    assert!(audited == answered, "one event for each answer");
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_upgrades_refuse_no_connection_and_fail_no_request() {
    let upstream = Upstream::ok();
    let mut gateway = TestGateway::start(&yaml(upstream.address(), ROUTES)).await;
    upgrades_under_load(&mut gateway, UPGRADES).await;
    assert!(gateway.stop());
}

#[tokio::test(flavor = "multi_thread")]
async fn so_with_a_private_postgres() {
    let upstream = Upstream::ok();
    let mut gateway = TestGateway::embedded(&yaml(upstream.address(), ROUTES));
    gateway.launch();
    upgrades_under_load(&mut gateway, 3).await;
    assert!(gateway.stop());
}
