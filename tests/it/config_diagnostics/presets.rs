//! Presets side by side, upstreams with the same objects, and what routes say for both.

use super::with_head;

#[test]
fn presets_and_their_hosts() {
    let head =
        "version: 1\nupstreams: { m: { url: 'http://h' }, n: { url: 'http://i' } }\npresets:\n";
    insta::assert_snapshot!(with_head(
        head,
        &[
            (
                "no list",
                "- { name: openai, upstream: m, hosts: a.example }"
            ),
            (
                "no host",
                "- { name: openai, upstream: m, hosts: ['http://a'] }"
            ),
            (
                "the same host",
                "- { name: openai, upstream: m, hosts: [a] }\n- { name: openai, upstream: n, hosts: [a] }",
            ),
        ],
    ));
}

#[test]
fn upstreams_with_the_same_objects() {
    let head = "version: 1\nupstreams:\n  m: { url: 'http://h' }\n";
    insta::assert_snapshot!(with_head(
        head,
        &[
            ("unknown", "  n: { url: 'http://i', objects: x }"),
            ("its own", "  n: { url: 'http://i', objects: n }"),
            (
                "a chain",
                "  n: { url: 'http://i', objects: m }\n  o: { url: 'http://j', objects: n }",
            ),
        ],
    ));
}

#[test]
fn hide_params_and_optional_content() {
    let head = "version: 1\nupstreams: { m: { url: 'http://h' } }\nroutes:\n\
                - route: POST /a/{id}\n  upstream: m\n  permission: runs:read\n";
    insta::assert_snapshot!(with_head(
        head,
        &[
            ("hide alone", "  hide: [response.body./total]"),
            ("hide what", "  hide: [body./total]"),
            ("a value of the path", "  params: { id: body./id }"),
            ("no word", "  params: { A-B: body./id }"),
            ("no source", "  params: { version: /version }"),
            (
                "no truth value",
                "  only: [{ at: body./a, values: [x], optional: maybe, reason: r }]",
            ),
            (
                "set over what a condition reads",
                "  params: { version: query.v }\n  set: [{ at: query.v, value: x }]",
            ),
        ],
    ));
}
