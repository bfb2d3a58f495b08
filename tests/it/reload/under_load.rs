//! Rules are swapped in one step, for whoever asks.

use crate::support::gateway::TestGateway;
use crate::support::load;
use crate::support::raw::Answer;
use crate::support::upstream::{Upstream, respond};

const RELOADS: usize = 50;
const CONNECTIONS: usize = 4;

fn named(name: &'static str) -> Upstream {
    Upstream::with(move |_, stream| respond(stream, "200 OK", name.as_bytes()))
}

/// The odd rules have another backend, another dialect, and one more route, whose
/// permission was not there before.
fn rules(number: usize, [even, odd]: [&Upstream; 2]) -> String {
    let app = |upstream: &Upstream| {
        let things = "{ route: GET /things, upstream: app, permission: datasets:read }";
        format!(
            "upstreams: {{ app: {{ url: 'http://{}' }} }}\nroutes:\n  - {things}\n",
            upstream.address()
        )
    };
    if number.is_multiple_of(2) {
        return app(even);
    }
    format!(
        "{}  - {{ route: GET /widgets, upstream: app, permission: 'a{number}:read' }}\n\
         permissions: {{ a{number}: [read] }}\nerrors: mlflow\n",
        app(odd)
    )
}

/// What may be asked, and the answers of both rules.
const ANSWERS: [(&str, [&str; 2]); 3] = [
    ("/things", ["200 even", "200 odd"]),
    ("/widgets", ["404 no_route", "200 odd"]),
    ("/none", ["404 no_route", "404 ENDPOINT_NOT_FOUND"]),
];

fn told(answer: &Answer) -> String {
    let word = serde_json::from_str::<serde_json::Value>(&answer.body).map_or_else(
        |_| answer.body.clone(),
        |body| {
            let code = body.get("code").or(body.get("error_code"));
            code.unwrap().as_str().unwrap().to_owned()
        },
    );
    format!("{} {word}", answer.status)
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_reloads_under_load_fail_nobody() {
    let (even, odd) = (named("even"), named("odd"));
    let rules = |number| rules(number, [&even, &odd]);
    let gateway = TestGateway::start(&rules(0)).await;
    let keys = gateway.seed();
    let ask = |number: usize| load::request("GET", ANSWERS[number % 3].0, &keys.viewer);
    let answers = load::during(&gateway, CONNECTIONS, ask, || {
        for number in 1..=RELOADS {
            gateway.reconfigure(&rules(number));
            for (target, answers) in ANSWERS {
                let answer = told(&gateway.get(target, &keys.viewer));
                assert_eq!(
                    answer,
                    answers[number % 2],
                    "{target} after reload {number}"
                );
            }
        }
    });
    assert!(answers.len() > 20 * RELOADS, "{} answers", answers.len());
    let mut seen = [[0; 2]; 3];
    for (number, answer) in &answers {
        let (target, allowed) = ANSWERS[number % 3];
        let answer = told(answer);
        let which = allowed.iter().position(|allowed| *allowed == answer);
        let which = which.unwrap_or_else(|| panic!("{target}: {answer}"));
        seen[number % 3][which] += 1;
    }
    assert!(seen.iter().flatten().all(|count| *count > 0), "{seen:?}");
    assert_eq!(gateway.reloads("success"), RELOADS as u64);
    assert_eq!(gateway.reloads("failed"), 0);
    gateway.wait_for_audit();
    let asked = answers.len() + RELOADS * ANSWERS.len();
    assert_eq!(gateway.events().await.len(), asked);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_began_under_the_old_rules_ends_under_them() {
    let (held, go) = Upstream::held();
    let new = named("new");
    let yaml = |path: &str, upstream: &Upstream| {
        let address = upstream.address();
        format!(
            "upstreams: {{ app: {{ url: 'http://{address}' }} }}\n\
             routes: [{{ route: GET {path}, upstream: app, permission: datasets:read }}]\n"
        )
    };
    let gateway = TestGateway::start(&yaml("/old", &held)).await;
    let keys = gateway.seed();
    let mut slow = gateway.connect();
    slow.send(load::request("GET", "/old", &keys.viewer));
    crate::support::gateway::until("the request", || held.received().len() == 1);
    gateway.reconfigure(&yaml("/new", &new));
    assert_eq!(gateway.get("/old", &keys.viewer).status, 404);
    assert_eq!(told(&gateway.get("/new", &keys.viewer)), "200 new");
    go.send(()).unwrap();
    assert_eq!(slow.answer().unwrap().body, "done");
    // The connection stays; its next request comes under the new rules.
    slow.send(load::request("GET", "/new", &keys.viewer));
    assert_eq!(told(&slow.answer().unwrap()), "200 new");
    gateway.wait_for_audit();
    let events = gateway.events().await;
    assert_eq!(events[0]["route"], "GET /old");
    assert_eq!(events[0]["result"], "success");
    assert_eq!(events.len(), 4);
}
