//! How long the steps of a request take, each by itself: criterion keeps figures from run to run
//! and tells what changed.
//!
//! `cargo bench --bench steps`; it needs nothing else. Decisions among many bindings are in
//! `decide`, the way into PostgreSQL in `audit`.

mod hot_path;

use std::hint::black_box;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use http::{HeaderMap, HeaderValue, Method, header};
use portcullis::domain::Catalogue;
use portcullis::policy::{CanonicalRequest, PathRef, RawRequest};
use portcullis::proxy::cookies;

use self::hot_path::steps::Steps;
use self::hot_path::world::{READ, Result, route_map};

fn steps(criterion: &mut Criterion) {
    let directory = tempfile::tempdir().expect("a directory");
    let steps = Steps::new(directory.path()).expect("a request");
    assert!(steps.all().expect("an answer"), "it must be permitted");
    let credentials = &steps.credentials;
    let mut group = criterion.benchmark_group("step");
    group.bench_function("head of HTTP/1", |bench| bench.iter(|| steps.head()));
    group.bench_function("canonical request", |bench| {
        bench.iter(|| black_box(steps.canonical()));
    });
    group.bench_function("key in the cache, and its secret", |bench| {
        bench.iter(|| credentials.find_key(&credentials.key));
    });
    group.bench_function("session in the cache, and its secret", |bench| {
        bench.iter(|| credentials.find_session(&credentials.session));
    });
    group.bench_function("route and decision", |bench| bench.iter(|| steps.decide()));
    group.bench_function("event into the spool", |bench| {
        bench.iter(|| steps.record());
    });
    group.bench_function("all of them, with a key", |bench| {
        bench.iter(|| steps.all());
    });
    group.finish();
}

fn routes(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("route");
    for count in [10, 300, 10_000] {
        for (kind, target) in [("hit", "/api/v7/models/m"), ("miss", "/api/v7/models/m/n")] {
            group.bench_with_input(BenchmarkId::new(kind, count), &count, |bench, count| {
                let map = map_of(*count).expect("routes");
                let request = request(target).expect("a request");
                let segments = request.path().segments();
                let path = PathRef {
                    segments: &segments,
                    trailing_slash: false,
                };
                bench.iter(|| black_box(map.find(&Method::GET, "gw", &path)));
            });
        }
    }
    group.finish();
}

fn map_of(count: usize) -> Result<portcullis::policy::RouteMap> {
    let catalogue = Catalogue::new([READ.parse()?]);
    let read = catalogue.index(&READ.parse()?).ok_or("no permission")?;
    route_map(count, read)
}

fn request(target: &str) -> Result<CanonicalRequest> {
    let mut headers = HeaderMap::new();
    headers.insert(header::HOST, HeaderValue::from_static("gw"));
    Ok(CanonicalRequest::parse(&RawRequest {
        method: &Method::GET,
        target: target.as_bytes(),
        authority: None,
        headers: &headers,
    })?)
}

fn rewritten(criterion: &mut Criterion) {
    let mut headers = HeaderMap::new();
    let cookie = "theme=dark; portcullis-dev=0123456789; lang=en";
    headers.insert(header::COOKIE, HeaderValue::from_static(cookie));
    criterion.bench_function("cookies without our own", |bench| {
        bench.iter(|| cookies::without_own(black_box(&headers)));
    });
}

criterion_group! {
    name = all;
    config = Criterion::default()
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2));
    targets = steps, routes, rewritten
}
criterion_main!(all);
