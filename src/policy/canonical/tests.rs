use http::{HeaderMap, HeaderValue, Method, header};
use proptest::prelude::*;
use secrecy::ExposeSecret;

use super::*;

fn headers(pairs: &[(HeaderName, &str)]) -> HeaderMap {
    let mut map = HeaderMap::new();
    for (name, value) in pairs {
        map.append(name.clone(), HeaderValue::from_str(value).unwrap());
    }
    map
}

fn parse_with(target: &[u8], headers: &HeaderMap) -> Result<CanonicalRequest, Malformed> {
    CanonicalRequest::parse(&RawRequest {
        method: &Method::GET,
        target,
        authority: None,
        headers,
    })
}

fn parse(target: &str) -> Result<CanonicalRequest, Malformed> {
    parse_with(target.as_bytes(), &headers(&[(header::HOST, "h")]))
}

#[test]
fn plain_and_encoded_spellings_meet() {
    for (sent, forwarded) in [
        ("/", "/"),
        ("/a/b", "/a/b"),
        ("/a/b/", "/a/b/"),
        ("/%72uns/get", "/runs/get"),
        ("/a%20b", "/a%20b"),
        ("/caf%c3%a9", "/caf%C3%A9"),
        ("/100%25", "/100%25"),
        ("/m:generate@2", "/m:generate@2"),
        ("/a?x=1&y=2", "/a?x=1&y=2"),
        ("/a?", "/a"),
        ("/a?&x=1&&", "/a?x=1"),
        ("/a?x=a+b%26c", "/a?x=a%20b%26c"),
        ("/a?x=1;y=2", "/a?x=1%3By%3D2"),
        ("/a?flag", "/a?flag"),
        ("/a?f=[1]", "/a?f=%5B1%5D"),
    ] {
        assert_eq!(parse(sent).unwrap().target(), forwarded, "{sent}");
    }
}

#[test]
fn ambiguous_paths_are_refused() {
    for bad in [
        "/..",
        "/a/../b",
        "/%2e%2e/b",
        "/.%2E",
        "/.",
        "/a/./b",
        "//",
        "//a",
        "/a//b",
        "/..;/a",
        "/a;v=1/b",
        "/a\\b",
        "/a%5cb",
        "/a%2Fb",
        "/a%00",
        "/%zz",
        "/%2",
        "/%252e%252e",
        "/%25%32%65",
        "/%c0%ae",
        "/%ff",
        "/a%23b",
        "/a#b",
        "/a%3bb",
        "/a b",
        "/a%0ab",
        "/a\"b",
        "/é",
        "/a%7f",
    ] {
        assert!(parse(bad).is_err(), "{bad}");
    }
}

#[test]
fn targets_that_are_no_paths_are_refused() {
    for bad in [
        "",
        "?x=1",
        "*",
        "a",
        "http://h",
        "ftp://h/",
        "http://other/a",
        "h:80",
    ] {
        assert!(parse(bad).is_err(), "{bad}");
    }
    assert_eq!(parse("http://H:80/a?b").unwrap().target(), "/a?b");
    assert_eq!(
        parse(&format!("/{}", "a".repeat(MAX_TARGET))).unwrap_err(),
        Malformed::TargetLength
    );
}

#[test]
fn queries_that_do_not_decode_are_refused() {
    for bad in [
        "/a?%",
        "/a?x=%zz",
        "/a?x=%ff",
        "/a?x=%00",
        "/a?x=\u{e9}",
        "/a?x#y",
    ] {
        assert_eq!(parse(bad).unwrap_err(), Malformed::Query, "{bad}");
    }
}

#[test]
fn a_parameter_that_decides_is_single() {
    let request = parse("/a?id=1&other=2&id=1&%69d2=x").unwrap();
    assert_eq!(
        request.query().single("id", Keys::Exact),
        Err(AmbiguousParameter)
    );
    assert_eq!(
        request.query().single("id2", Keys::Exact).unwrap().unwrap(),
        "x"
    );
    assert_eq!(request.query().single("none", Keys::Exact), Ok(None));
}

#[test]
fn hosts_are_normalised() {
    for (sent, host, authority) in [
        ("h", "h", "h"),
        ("H.Example.COM.", "h.example.com", "h.example.com"),
        ("h.:080", "h", "h:80"),
        ("h:8080", "h", "h:8080"),
        ("[::1]:80", "[::1]", "[::1]:80"),
        ("127.0.0.1", "127.0.0.1", "127.0.0.1"),
    ] {
        let request = parse_with(b"/", &headers(&[(header::HOST, sent)])).unwrap();
        assert_eq!(request.host(), host, "{sent}");
        assert_eq!(request.authority(), authority, "{sent}");
    }
}

#[test]
fn malformed_hosts_are_refused() {
    for bad in [
        "", "a b", "a/b", "a@b", "h:", "h:x", "h:99999", "h:+80", "h:80:80", "..", "a..b", "[::1",
        "[x]", "[::1]x", "a,b", "a?b", "a#b", "a\\b", "%61",
    ] {
        let got = parse_with(b"/", &headers(&[(header::HOST, bad)]));
        assert_eq!(got.unwrap_err(), Malformed::Host, "{bad}");
    }
    assert_eq!(
        parse_with(b"/", &HeaderMap::new()).unwrap_err(),
        Malformed::Host
    );
    let two = headers(&[(header::HOST, "h"), (header::HOST, "h")]);
    assert_eq!(parse_with(b"/", &two).unwrap_err(), Malformed::Host);
}

#[test]
fn a_credential_is_found_in_three_places() {
    let basic = format!("Basic {}", STANDARD_B64.encode("someone:s3cr:et"));
    for (name, value, secret) in [
        (header::AUTHORIZATION, "Bearer s3cret", "s3cret"),
        (header::AUTHORIZATION, "bearer  s3cret ", "s3cret"),
        (header::AUTHORIZATION, basic.as_str(), "s3cr:et"),
        (X_PORTCULLIS_KEY, "s3cret", "s3cret"),
    ] {
        let request = parse_with(b"/", &headers(&[(header::HOST, "h"), (name, value)])).unwrap();
        match request.credential() {
            Some(PresentedSecret::Secret(found)) => assert_eq!(found.expose_secret(), secret),
            other => panic!("{value}: {other:?}"),
        }
    }
}

use base64::{Engine as _, engine::general_purpose::STANDARD as STANDARD_B64};

#[test]
fn other_schemes_are_presented_but_unusable() {
    for value in ["Negotiate abc", "Basic !!!", "Basic YWJj", "Bearer", ""] {
        let request = parse_with(
            b"/",
            &headers(&[(header::HOST, "h"), (header::AUTHORIZATION, value)]),
        );
        assert!(
            matches!(
                request.unwrap().credential(),
                Some(PresentedSecret::Unusable)
            ),
            "{value}"
        );
    }
}

#[test]
fn two_credentials_are_refused() {
    for second in [header::AUTHORIZATION, X_PORTCULLIS_KEY] {
        let two = headers(&[
            (header::HOST, "h"),
            (header::AUTHORIZATION, "Bearer a"),
            (second, "Bearer a"),
        ]);
        assert_eq!(
            parse_with(b"/", &two).unwrap_err(),
            Malformed::TwoCredentials
        );
    }
}

#[test]
fn a_cookie_that_another_host_of_the_site_can_set_keeps_nobody_out() {
    let presented = |cookies| {
        let sent = headers(&[(header::HOST, "h"), (header::COOKIE, cookies)]);
        match parse_with(b"/", &sent).map(|request| request.credential().is_some()) {
            Ok(true) => "one",
            Ok(false) => "none",
            Err(_) => "refused",
        }
    };
    assert_eq!(presented("__Host-portcullis=a; portcullis-dev=b"), "one");
    assert_eq!(presented("portcullis-dev=b; a=c"), "one");
    assert_eq!(presented("portcullis-dev=b; portcullis-dev=c"), "refused");
    assert_eq!(
        presented("__Host-portcullis=a; __Host-portcullis=b"),
        "refused"
    );
    let sent = [
        (header::HOST, "h"),
        (header::COOKIE, "portcullis-dev=b; __Host-portcullis=a"),
    ];
    let request = parse_with(b"/", &headers(&sent)).unwrap();
    let Some(PresentedSecret::Session(cookie, _)) = request.credential() else {
        panic!("no session");
    };
    assert_eq!(*cookie, crate::domain::SessionCookie::Host);
}

#[test]
fn lengths_announced_twice_or_badly_are_refused() {
    let bad: [&[(HeaderName, &str)]; 7] = [
        &[(header::CONTENT_LENGTH, "+3")],
        &[(header::CONTENT_LENGTH, "3,3")],
        &[(header::CONTENT_LENGTH, "3"), (header::CONTENT_LENGTH, "3")],
        &[
            (header::CONTENT_LENGTH, "3"),
            (header::TRANSFER_ENCODING, "chunked"),
        ],
        &[(header::TRANSFER_ENCODING, "gzip, chunked")],
        &[
            (header::TRANSFER_ENCODING, "chunked"),
            (header::TRANSFER_ENCODING, "chunked"),
        ],
        &[(header::TRANSFER_ENCODING, "identity")],
    ];
    for fields in bad {
        let mut map = headers(&[(header::HOST, "h")]);
        map.extend(headers(fields));
        assert_eq!(
            parse_with(b"/", &map).unwrap_err(),
            Malformed::Framing,
            "{fields:?}"
        );
    }
}

#[test]
fn methods_no_route_can_list_are_refused() {
    for bad in ["CONNECT", "TRACE", "get", "G-T"] {
        let got = CanonicalRequest::parse(&RawRequest {
            method: &Method::from_bytes(bad.as_bytes()).unwrap(),
            target: b"/",
            authority: None,
            headers: &headers(&[(header::HOST, "h")]),
        });
        assert_eq!(got.unwrap_err(), Malformed::Method, "{bad}");
    }
}

proptest! {
    /// What is forwarded parses again to the very same request.
    #[test]
    fn canonical_form_is_a_fixpoint(target in "/[a-zA-Z0-9%./?&=+;:~ -]{0,40}") {
        if let Ok(first) = parse(&target) {
            let again = parse(&first.target()).unwrap();
            prop_assert_eq!(first.target(), again.target());
            prop_assert_eq!(first.path().segments(), again.path().segments());
            prop_assert!(first.query().pairs().eq(again.query().pairs()));
        }
    }

    /// No bytes make it panic, and no dot segment ever survives.
    #[test]
    fn any_bytes_are_refused_or_unambiguous(target in proptest::collection::vec(any::<u8>(), 0..60)) {
        if let Ok(request) = parse_with(&target, &headers(&[(header::HOST, "h")])) {
            for segment in request.path().segments() {
                prop_assert!(!matches!(segment, "" | "." | ".."));
                prop_assert!(!segment.contains(['/', '\\', ';', '\0']));
            }
        }
    }
}
