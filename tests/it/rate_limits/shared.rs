//! Counters that several gateways share, in a real Redis.

use std::time::Duration;

use portcullis::clock::Clock;

use super::{ROUTES, split, status};
use crate::support::gateway::{TestGateway, until, yaml};
use crate::support::load;
use crate::support::redis::{PASSWORD, TestRedis};
use crate::support::upstream::Upstream;

fn text(upstream: &Upstream, redis: &TestRedis, more: &str, rate: &str) -> String {
    let routes = yaml(upstream.address(), ROUTES);
    let url = redis.url();
    format!("{routes}rate_limits: {{ redis: {{ url: \"{url}\"{more} }} }}\nrate: {rate}\n")
}

fn up(gateway: &TestGateway) -> bool {
    gateway.metric("portcullis_rate_redis_up") == 1
}

fn wait_until_up(gateway: &TestGateway) {
    until("Redis to be reached", || up(gateway));
}

#[tokio::test(flavor = "multi_thread")]
async fn two_gateways_admit_together_exactly_the_limit() {
    let (upstream, redis) = (Upstream::ok(), TestRedis::start());
    // A patient one: what this test asks is not how fast a busy machine is.
    let rate = "{ key: { limit: 1/h, burst: 101 }, principal: { limit: 1/h, burst: 151 } }";
    let text = text(&upstream, &redis, ", timeout: 5s, when_away: refuse", rate);
    let gateway = TestGateway::start(&text).await;
    let mut second = gateway.replica(&text);
    second.launch();
    let keys = gateway.seed();
    wait_until_up(&gateway);
    wait_until_up(&second);
    // Both know it from here on, or the database would be a part of the race.
    let spent = gateway.make_known(&keys.viewer) + second.make_known(&keys.viewer);
    let request = |_| load::request("GET", "/things/1", &keys.viewer);
    let answers = std::thread::scope(|scope| {
        let both = [&gateway, &second]
            .map(|gateway| scope.spawn(move || load::send(gateway, 10, 12, request)));
        both.map(|answers| answers.join().unwrap()).concat()
    });
    let passed = 101 - spent;
    assert_eq!(split(&answers, [200, 429]), [passed, 240 - passed]);
    assert_eq!(upstream.received().len(), passed);
    // What the key's limit refused, the principal's has not counted.
    let other = gateway.key("viewer@example.com", Some("acme/fraud"));
    let request = |_| load::request("GET", "/things/1", &other);
    let answers = load::send(&second, 8, 10, request);
    assert_eq!(split(&answers, [200, 429]), [50, 30]);
    for gateway in [&gateway, &second] {
        assert_eq!(gateway.metric("portcullis_rate_fallbacks_total"), 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_key_is_refused_its_address_has_not_spent_in_redis_either() {
    let (upstream, redis) = (Upstream::ok(), TestRedis::start());
    let text = text(
        &upstream,
        &redis,
        ", timeout: 5s",
        "{ address: 2/d, key: 1/d }",
    );
    let gateway = TestGateway::start(&text).await;
    let keys = gateway.seed();
    wait_until_up(&gateway);
    let ask = |key: &str| status(&gateway, "/things/1", key);
    assert_eq!(ask(&keys.viewer), 200);
    for _ in 0..10 {
        assert_eq!(ask(&keys.viewer), 429);
    }
    let answer = gateway.get("/things/1", &keys.viewer);
    let told = answer.header("ratelimit")[0];
    assert!(told.starts_with("\"address\";r=1;"), "{told}");
    assert_eq!([ask(&keys.editor), ask(&keys.stranger)], [200, 429]);
}

#[tokio::test(flavor = "multi_thread")]
async fn counters_end_with_their_use_and_a_flushed_script_is_loaded_anew() {
    let (upstream, redis) = (Upstream::ok(), TestRedis::start());
    let rate = "{ address: { limit: 1/h, burst: 2 } }";
    let gateway = TestGateway::start(&text(&upstream, &redis, ", timeout: 5s", rate)).await;
    wait_until_up(&gateway);
    let open = || super::send(&gateway, "GET /open", "").status;
    assert_eq!(open(), 200);
    assert_eq!(redis.command("DBSIZE"), ":1");
    let left = redis.command("EVAL \"return redis.call('PTTL', redis.call('KEYS', '*')[1])\" 0");
    let left: u32 = left[1..].parse().expect("milliseconds");
    assert!((3_000_000..=3_600_000).contains(&left), "{left}");
    assert_eq!(redis.command("SCRIPT FLUSH"), "+OK");
    assert_eq!(open(), 200);
    assert_eq!(gateway.metric("portcullis_rate_fallbacks_total"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_whose_clock_was_set_back_locks_nobody_out() {
    let (upstream, redis) = (Upstream::ok(), TestRedis::start());
    let rate = "{ address: { limit: 2/s, burst: 2 } }";
    let gateway = TestGateway::start(&text(&upstream, &redis, ", timeout: 5s", rate)).await;
    wait_until_up(&gateway);
    let open = || super::send(&gateway, "GET /open", "");
    assert_eq!(open().status, 200);
    // What a counter looks like after such a jump: full again only in years.
    let late = "EVAL \"for _, k in ipairs(redis.call('KEYS', '*')) do \
                redis.call('SET', k, '99999999999999') end\" 0";
    assert_eq!(redis.command(late), "$-1");
    let refused = open();
    assert_eq!(
        (refused.status, refused.header("retry-after")),
        (429, vec!["1"])
    );
    until("a request to come back", || open().status == 200);
    assert_eq!(gateway.metric("portcullis_rate_fallbacks_total"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn with_redis_killed_each_gateway_counts_for_itself_until_it_is_back() {
    let (upstream, mut redis) = (Upstream::ok(), TestRedis::start());
    let text = text(&upstream, &redis, ", timeout: 1s", "{ address: 3/d }");
    let gateway = TestGateway::start(&text).await;
    wait_until_up(&gateway);
    let open = || super::send(&gateway, "GET /open", "").status;
    assert_eq!([open(), open()], [200, 200]);
    redis.kill();
    // Its own counter begins anew.
    assert_eq!([open(), open(), open(), open()], [200, 200, 200, 429]);
    assert_eq!(gateway.metric("portcullis_rate_fallbacks_total"), 4);
    until("the loss to be noticed", || !up(&gateway));
    assert!(
        gateway.log().contains("Redis did not answer"),
        "{}",
        gateway.log()
    );
    redis.restart();
    wait_until_up(&gateway);
    // The server that came back knows nothing of before.
    assert_eq!([open(), open(), open(), open()], [200, 200, 200, 429]);
    // It is missed although nobody asks it.
    redis.kill();
    until("the loss to be noticed", || !up(&gateway));
    assert_eq!(gateway.metric("portcullis_rate_fallbacks_total"), 4);
    assert!(!gateway.log().contains(PASSWORD), "{}", gateway.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_that_hangs_keeps_no_request_longer_than_the_timeout() {
    let (upstream, redis) = (Upstream::ok(), TestRedis::start());
    let text = text(&upstream, &redis, ", timeout: 1s", "{ address: 100/d }");
    let gateway = TestGateway::start(&text).await;
    wait_until_up(&gateway);
    redis.hang();
    let clock = Clock::system();
    let began = clock.instant();
    let answers = load::send(&gateway, 4, 10, |_| {
        "GET /open HTTP/1.1\r\nHost: gw\r\n\r\n".to_owned()
    });
    let took = clock.instant() - began;
    redis.go_on();
    assert_eq!(split(&answers, [200, 429]), [40, 0]);
    // One wait, not ten in a row.
    assert!(took < Duration::from_secs(5), "{took:?}");
    wait_until_up(&gateway);
}

#[tokio::test(flavor = "multi_thread")]
async fn with_redis_away_limited_requests_are_refused_where_the_operator_wants_it() {
    let (upstream, mut redis) = (Upstream::ok(), TestRedis::start());
    let text = text(
        &upstream,
        &redis,
        ", when_away: refuse, timeout: 1s",
        "{ key: 9/d }",
    );
    redis.kill();
    let gateway = TestGateway::start(&text).await;
    let keys = gateway.seed();
    let answer = gateway.get("/things/1", &keys.viewer);
    assert_eq!(
        (answer.status, answer.json()["code"].as_str()),
        (503, Some("rate_unknown"))
    );
    assert_eq!(answer.header("retry-after"), ["1"]);
    // Nothing counts this one.
    assert_eq!(super::send(&gateway, "GET /open", "").status, 200);
    redis.restart();
    wait_until_up(&gateway);
    assert_eq!(status(&gateway, "/things/1", &keys.viewer), 200);
    gateway.reconfigure(&text.replace("when_away: refuse", "when_away: local"));
    let waiting = "portcullis_config_restart_required{key=\"rate_limits\"}";
    assert_eq!(gateway.metric(waiting), 1);
    assert!(!gateway.log().contains(PASSWORD), "{}", gateway.log());
}
