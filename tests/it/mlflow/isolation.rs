//! What one project makes, another's key neither finds nor changes, and cannot tell from
//! what never was.

use super::requests::Requests;
use super::work::Work;
use crate::support::gateway::{Keys, TestGateway};
use crate::support::raw::Answer;

pub fn another_project_finds_nothing_by_id(
    gateway: &TestGateway,
    keys: &Keys,
    work: &Work,
    requests: &Requests,
) {
    for request in &requests.reads {
        for key in [&keys.editor, &keys.viewer] {
            let own = send(gateway, key, request, work);
            assert_eq!(own.status, 200, "in the project, {request}: {own:?}");
        }
        assert_tells_nothing(gateway, &keys.stranger, request, work);
    }
}

pub fn another_project_finds_nothing_by_search(
    gateway: &TestGateway,
    keys: &Keys,
    work: &Work,
    requests: &Requests,
) {
    for request in &requests.searches {
        for key in [&keys.editor, &keys.viewer] {
            let own = send(gateway, key, request, work);
            assert!(work.is_in(&own.body), "in the project, {request}: {own:?}");
        }
        assert_tells_nothing(gateway, &keys.stranger, request, work);
    }
}

pub fn another_project_changes_nothing(
    gateway: &TestGateway,
    keys: &Keys,
    work: &Work,
    requests: &Requests,
) {
    let look = |request: &String| send(gateway, &keys.editor, request, work).body;
    let before: Vec<_> = requests.reads.iter().map(look).collect();
    for request in &requests.writes {
        assert_tells_nothing(gateway, &keys.stranger, request, work);
    }
    for (request, before) in requests.reads.iter().zip(before) {
        assert_eq!(before, look(request), "changed: {request}");
    }
}

/// The twin of the refusals: the same requests, by who may.
pub fn the_project_itself_changes_it_all(
    gateway: &TestGateway,
    keys: &Keys,
    work: &Work,
    requests: &Requests,
) {
    for request in &requests.writes {
        let own = send(gateway, &keys.editor, request, work);
        assert_eq!(own.status, 200, "in the project, {request}: {own:?}");
    }
}

/// The answer does not depend on whether the ids exist.
fn assert_tells_nothing(gateway: &TestGateway, key: &str, request: &str, work: &Work) {
    let absent = work.absent();
    let real = send(gateway, key, request, work);
    let none = send(gateway, key, request, &absent);
    let told = work.blot(&real.body, request);
    let nothing = absent.blot(&none.body, request);
    assert!(!work.is_in(&told), "{request}: {real:?}");
    assert_eq!((real.status, told), (none.status, nothing), "{request}");
}

/// A line is method, target and body, with `{run}` and the like for ids.
fn send(gateway: &TestGateway, key: &str, request: &str, ids: &Work) -> Answer {
    let mut parts = request.splitn(3, ' ').map(|part| ids.fill(part));
    let mut next = || parts.next().unwrap_or_default();
    let (method, target, body) = (next(), next(), next());
    gateway.request(&method, &target, key, &body)
}
