//! Whether a browser sent a request from a page of ours.
//!
//! A cookie goes with every request to us, whoever made the browser send it. What changes
//! something, or opens a `WebSocket`, must come from a page of the very same origin: a sibling
//! host is another one.

use http::{HeaderMap, HeaderName, Method, header};

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// What a request changes nothing with, unless it opens something.
#[must_use]
pub(super) fn is_harmless(method: &Method, headers: &HeaderMap) -> bool {
    method.is_safe() && !headers.contains_key(header::UPGRADE)
}

/// Whether the browser says so: by `Sec-Fetch-Site`, which no page can forge, else by
/// `Origin`. One that says neither is not believed.
#[must_use]
pub fn is_same_origin(headers: &HeaderMap, scheme: &str, authority: &str) -> bool {
    let one = |name: &HeaderName| {
        let mut values = headers.get_all(name).iter();
        match (values.next(), values.next()) {
            (value, None) => Ok(value.map(http::HeaderValue::as_bytes)),
            _ => Err(()),
        }
    };
    match (one(&SEC_FETCH_SITE), one(&header::ORIGIN)) {
        (Ok(Some(site)), Ok(_)) => site == b"same-origin",
        (Ok(None), Ok(Some(origin))) => {
            let own = format!("{scheme}://{authority}");
            origin.eq_ignore_ascii_case(own.as_bytes())
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn same(fields: &[(&'static str, &str)]) -> bool {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(HeaderName::from_static(name), value.parse().unwrap());
        }
        is_same_origin(&headers, "https", "ml.example:8443")
    }

    #[test]
    fn the_browser_says_where_a_request_is_from() {
        assert!(same(&[("sec-fetch-site", "same-origin")]));
        assert!(same(&[("origin", "https://ml.example:8443")]));
        // A page that tells nobody where it is.
        assert!(same(&[
            ("sec-fetch-site", "same-origin"),
            ("origin", "null")
        ]));
    }

    #[test]
    fn other_pages_and_those_that_say_nothing_are_not_ours() {
        for fields in [
            &[][..],
            &[("sec-fetch-site", "same-site")],
            &[
                ("sec-fetch-site", "cross-site"),
                ("origin", "https://ml.example:8443"),
            ],
            &[("sec-fetch-site", "none")],
            &[
                ("sec-fetch-site", "same-origin"),
                ("sec-fetch-site", "same-origin"),
            ],
            &[("origin", "null")],
            &[("origin", "http://ml.example:8443")],
            &[("origin", "https://ml.example")],
            &[("origin", "https://x.ml.example:8443")],
            &[
                ("origin", "https://ml.example:8443"),
                ("origin", "https://evil.example"),
            ],
        ] {
            assert!(!same(fields), "{fields:?}");
        }
    }

    #[test]
    fn a_websocket_is_not_harmless() {
        let mut headers = HeaderMap::new();
        assert!(is_harmless(&Method::GET, &headers));
        assert!(!is_harmless(&Method::POST, &headers));
        headers.insert(header::UPGRADE, "websocket".parse().unwrap());
        assert!(!is_harmless(&Method::GET, &headers));
    }
}
