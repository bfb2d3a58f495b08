//! Cookies of ours in all `Cookie` fields, which are one list however they are split
//! (RFC 9113 §8.2.3). The spelling is the browser's own; any other is no cookie of ours, and is
//! kept from backends all the same.

use http::{HeaderMap, header};

use crate::domain::SessionCookie;

/// The values of the cookies whose name is one of these, and of which connection each is. What
/// is no text is empty.
pub(super) fn own(
    headers: &HeaderMap,
    name: fn(SessionCookie) -> &'static str,
) -> impl Iterator<Item = (SessionCookie, &str)> {
    let fields = headers.get_all(header::COOKIE).into_iter();
    let pairs = fields.flat_map(|field| field.as_bytes().split(|byte| *byte == b';'));
    pairs.filter_map(move |pair| {
        let pair = pair.trim_ascii();
        let at = pair.iter().position(|byte| *byte == b'=')?;
        let (sent, value) = (&pair[..at], &pair[at + 1..]);
        let mut known = SessionCookie::ALL.into_iter();
        let cookie = known.find(|cookie| name(*cookie).as_bytes() == sent)?;
        Some((cookie, str::from_utf8(value).unwrap_or_default()))
    })
}

/// What a browser shows of sign-ins before; `None` if that is nothing, or more than one thing.
#[must_use]
pub fn shown_device(headers: &HeaderMap) -> Option<&str> {
    only(own(headers, SessionCookie::device))
}

/// What a browser has while it is away at another service; `None` if that is nothing, or more
/// than one thing.
#[must_use]
pub fn shown_errand(headers: &HeaderMap) -> Option<&str> {
    only(own(headers, SessionCookie::errand))
}

/// The project that somebody has chosen to work in; `None` if that is none, or more than one.
#[must_use]
pub fn chosen_project(headers: &HeaderMap) -> Option<&str> {
    only(own(headers, SessionCookie::project))
}

fn only<'h>(mut all: impl Iterator<Item = (SessionCookie, &'h str)>) -> Option<&'h str> {
    let (_, first) = all.next()?;
    all.next().is_none().then_some(first)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn a_browser_shows_one_thing_or_none() {
        let shown = |cookies: &'static str| {
            let mut sent = HeaderMap::new();
            sent.insert(header::COOKIE, HeaderValue::from_static(cookies));
            let text = |found: Option<&str>| found.map(str::to_owned);
            (text(shown_device(&sent)), text(chosen_project(&sent)))
        };
        let both = "a=1; portcullis-dev-device=abc;portcullis-dev-project=a/b; portcullis-dev=x";
        assert_eq!(shown(both), (Some("abc".into()), Some("a/b".into())));
        let two = "portcullis-dev-project=a/b; __Host-portcullis-project=a/b";
        assert_eq!(shown(two), (None, None));
        assert_eq!(shown("portcullis-dev=abc"), (None, None));
    }
}
