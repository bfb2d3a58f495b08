//! The wall clock jumps, as after a suspended machine or a wrong time server. What rests on
//! a duration does not notice; what rests on a date follows it, and never opens.

use crate::support::clock::SetClock;
use crate::support::gateway::{Keys, TestGateway, until, yaml};
use crate::support::load;
use crate::support::raw::Answer;
use crate::support::upstream::Upstream;

const ROUTES: &str = "
  - { route: GET /things, upstream: app, permission: datasets:read }
";

struct Bench {
    gateway: TestGateway,
    keys: Keys,
    clock: SetClock,
    answers: Vec<Answer>,
    _upstream: Upstream,
}

impl Bench {
    async fn start() -> Self {
        let upstream = Upstream::ok();
        let mut gateway = TestGateway::prepare(&yaml(upstream.address(), ROUTES)).await;
        let clock = SetClock::of(&mut gateway);
        gateway.launch();
        let keys = gateway.seed();
        Self {
            gateway,
            keys,
            clock,
            answers: Vec::new(),
            _upstream: upstream,
        }
    }

    /// Sets the gateway's clock to so much from the truth.
    fn jump(&self, offset: &str) {
        self.clock.jump(offset);
    }

    fn get(&mut self, key: &str) -> u16 {
        let answer = self.gateway.get("/things", key);
        let status = answer.status;
        self.answers.push(answer);
        status
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_ends_by_the_clock_and_never_comes_back_too_late() {
    let mut bench = Bench::start().await;
    let args = "keys create --principal viewer@example.com --project acme/fraud --expires 2h";
    let short = bench.gateway.cli(&args.split(' ').collect::<Vec<_>>());
    assert_eq!(bench.get(&short), 200);
    bench.jump("+3h");
    assert_eq!(bench.get(&short), 401, "past its end, cached or not");
    let viewer = bench.keys.viewer.clone();
    assert_eq!(bench.get(&viewer), 200, "one without an end goes on");
    bench.jump("-3h");
    assert_eq!(bench.get(&viewer), 200);
    bench
        .gateway
        .cli(&["keys", "revoke", viewer.split('_').nth(2).unwrap()]);
    until("the revocation", || {
        bench.gateway.get("/things", &viewer).status == 401
    });
    for offset in ["-400d", "+400d", "+0"] {
        bench.jump(offset);
        assert_eq!(
            bench.gateway.get("/things", &viewer).status,
            401,
            "{offset}: revoked is revoked"
        );
    }
}

/// The belief in the role table is a matter of time that passed, not of dates.
#[tokio::test(flavor = "multi_thread")]
async fn events_are_neither_lost_nor_doubled_and_have_their_months() {
    let mut bench = Bench::start().await;
    let key = bench.keys.viewer.clone();
    for offset in ["+0", "+40d", "-40d", "+1h", "-1h", "-400d", "+400d", "+0"] {
        bench.jump(offset);
        let answers = load::send(&bench.gateway, 2, 25, |_| {
            load::request("GET", "/things", &key)
        });
        assert!(
            answers.iter().all(|answer| answer.status == 200),
            "{offset}"
        );
        bench.answers.extend(answers);
        assert_eq!(bench.gateway.private_get("/readyz").status, 200, "{offset}");
    }
    bench.gateway.wait_for_audit();
    let events = bench.gateway.events().await;
    let mut ids: Vec<_> = events.iter().map(|event| event["id"].to_string()).collect();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), events.len(), "ids are unique");
    let mut recorded: Vec<_> = events
        .iter()
        .map(|it| it["request_id"].as_str().unwrap().to_owned())
        .collect();
    let mut answered = load::request_ids(&bench.answers);
    recorded.sort();
    answered.sort();
    assert_eq!(recorded, answered);
    let months: std::collections::BTreeSet<_> = events
        .iter()
        .map(|it| it["occurred_at"].as_str().unwrap()[..7].to_owned())
        .collect();
    assert!(months.len() >= 5, "{months:?}");
    assert_eq!(bench.gateway.metric("portcullis_audit_rejected_events"), 0);
    // Latency is a duration: no jump is in it.
    for event in events {
        assert!(event["latency"].as_u64().unwrap() < 60_000_000, "{event}");
    }
}
