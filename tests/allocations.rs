//! The allocations of a request, counted: a budget for each step, and no growth.
//!
//! A binary of its own, as the counting allocator serves all of it.

#[path = "../benches/hot_path/mod.rs"]
mod hot_path;

use allocation_counter::{AllocationInfo, measure};

use self::hot_path::steps::Steps;

/// Requests before anything is counted: caches, buffers and statistics find their size.
const WARM_UP: usize = 1_000;
const REQUESTS: u64 = 1_000;

fn warm(directory: &tempfile::TempDir) -> Steps {
    let steps = Steps::new(directory.path()).unwrap();
    for _ in 0..WARM_UP {
        assert!(steps.all().unwrap(), "it must be permitted");
        steps
            .credentials
            .find_session(&steps.credentials.session)
            .unwrap();
    }
    steps
}

fn counted<T>(mut step: impl FnMut() -> T) -> AllocationInfo {
    measure(|| (0..REQUESTS).for_each(|_| drop(step())))
}

/// The step with its allocations a request, at most.
fn assert_within<T>(name: &str, budget: u64, step: impl FnMut() -> T) {
    // The caches tidy themselves up now and then; that is no request's.
    let each = counted(step).count_total / REQUESTS;
    assert!(each <= budget, "{name}: {each} allocations, not {budget}");
}

#[test]
fn each_step_keeps_to_its_budget() {
    let directory = tempfile::tempdir().unwrap();
    let steps = warm(&directory);
    let credentials = &steps.credentials;
    assert_within("head", 0, || steps.head());
    assert_within("canonical request", 6, || steps.canonical());
    assert_within("key", 3, || credentials.find_key(&credentials.key));
    let session = &credentials.session;
    assert_within("session", 1, || credentials.find_session(session));
    assert_within("route and decision", 2, || steps.decide());
    assert_within("event", 0, || steps.record());
    assert_within("all, with a key", 11, || steps.all());
}

#[test]
fn nothing_stays_behind() {
    let directory = tempfile::tempdir().unwrap();
    let steps = warm(&directory);
    let kept = counted(|| steps.all()).count_current;
    // What one request kept, a thousand would keep a thousand times.
    let bound = i64::try_from(REQUESTS / 100).unwrap();
    assert!(kept < bound, "{kept} allocations are still there");
}
