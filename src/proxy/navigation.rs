//! A person who is not known, and looks at a page: they are asked to sign in.

use http::{HeaderMap, HeaderName, Method, StatusCode, header};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

use super::exchange::Exchange;
use crate::domain::ReturnPath;
use crate::policy::{Denial, DenialReason, Facts};

/// What may not stand as it is in the value of a query parameter.
const VALUE: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'%')
    .add(b'&')
    .add(b'+')
    .add(b'<')
    .add(b'>')
    .add(b'?');

const SIGN_IN: &str = "sign-in";
const RE_AUTHENTICATE: &str = "re-authenticate";

/// Longest form that is kept, in bytes, as the route there takes it.
const MAX_KEPT: u64 = 32 * 1024;

const SEC_FETCH_MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");
const SEC_FETCH_DEST: HeaderName = HeaderName::from_static("sec-fetch-dest");

/// What an answer depends on that is a page for some and none for others.
pub(super) const TOLD_BY: &str = "Accept, Sec-Fetch-Mode, Sec-Fetch-Dest";

/// Whether a refusal is shown to a person, in the place of a page: then it is one. A part of a
/// page, be it a frame, is none: ours are never framed.
pub(super) fn wants_page(exchange: &Exchange, method: &Method, headers: &HeaderMap) -> bool {
    let whole = headers
        .get(SEC_FETCH_DEST)
        .is_none_or(|it| it == "document");
    let looks = matches!(*method, Method::GET | Method::HEAD);
    exchange.rules.sign_in
        && whole
        && ((looks && is_navigation(&Method::GET, headers)) || is_form(method, headers))
}

/// Where a browser is sent that would else be told that nobody is known, that its user must
/// prove anew who they are, or at another service, or say which project they mean, and how;
/// `None` for a client that would not know what to do there.
pub(super) fn to_sign_in(
    exchange: &Exchange,
    headers: &HeaderMap,
    denial: &Denial,
    facts: &Facts,
) -> Option<(StatusCode, String)> {
    let request = exchange
        .request
        .as_ref()
        .filter(|_| exchange.rules.sign_in)?;
    let method = request.method();
    let page = match denial.reason() {
        DenialReason::Unauthenticated | DenialReason::Ended(_) => SIGN_IN,
        DenialReason::ReAuthenticate { .. } => RE_AUTHENTICATE,
        DenialReason::SecondFactor => "second-factor",
        DenialReason::SsoRequired if is_navigation(method, headers) => {
            &format!("{SIGN_IN}/at/{}", facts.tenant.as_ref()?.slug)
        }
        DenialReason::ProjectRequired | DenialReason::ProjectAmbiguous
            if facts.has_session() && is_navigation(method, headers) =>
        {
            "account/project"
        }
        _ => return None,
    };
    let target = || request.target().parse::<ReturnPath>().ok();
    let (status, page, back) = if is_navigation(method, headers) {
        (StatusCode::SEE_OTHER, page, target())
    } else if page == SIGN_IN || !is_form(method, headers) {
        return None;
    } else if let Some(to) = target().filter(|_| page == RE_AUTHENTICATE && can_be_kept(headers)) {
        // The browser sends the form there once more, as it is.
        let page = "re-authenticate/form";
        (StatusCode::TEMPORARY_REDIRECT, page, Some(to))
    } else {
        let page_of_form = former_page(headers, request.authority());
        (StatusCode::SEE_OTHER, page, page_of_form)
    };
    let back = back.unwrap_or_default();
    let back = utf8_percent_encode(back.as_str(), VALUE);
    Some((status, format!("/.portcullis/{page}?return={back}")))
}

/// Whether a form is of those that the page which asks can offer again.
fn can_be_kept(headers: &HeaderMap) -> bool {
    let text = |name: &HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    let length = text(&header::CONTENT_LENGTH).and_then(|length| length.parse::<u64>().ok());
    text(&header::CONTENT_TYPE) == Some("application/x-www-form-urlencoded")
        && length.is_some_and(|length| length <= MAX_KEPT)
}

/// A browser that fetches for a page, and not to show one.
pub(super) fn is_script(headers: &HeaderMap) -> bool {
    headers
        .get(SEC_FETCH_MODE)
        .is_some_and(|mode| mode != "navigate")
}

/// A form that was filled in on a page, and not by a script.
fn is_form(method: &Method, headers: &HeaderMap) -> bool {
    let mode = headers.get(SEC_FETCH_MODE);
    *method == Method::POST && mode.is_some_and(|mode| mode == "navigate")
}

/// The page that a form is on, if it is one of ours: there it can be sent again.
fn former_page(headers: &HeaderMap, authority: &str) -> Option<ReturnPath> {
    let referer = headers.get(header::REFERER)?.to_str().ok()?;
    let referer = referer.parse::<http::Uri>().ok()?;
    let own = referer
        .authority()?
        .as_str()
        .eq_ignore_ascii_case(authority);
    let page = referer.path_and_query().filter(|_| own)?;
    page.as_str().parse().ok()
}

/// Browsers say so; older ones ask for HTML.
fn is_navigation(method: &Method, headers: &HeaderMap) -> bool {
    let text = |name: &HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    let wants_page = || text(&header::ACCEPT).is_some_and(|types| types.contains("text/html"));
    *method == Method::GET
        && match text(&SEC_FETCH_MODE) {
            Some(mode) => mode == "navigate",
            None => wants_page(),
        }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is(method: &Method, fields: &[(&'static str, &str)]) -> bool {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(HeaderName::from_static(name), value.parse().unwrap());
        }
        is_navigation(method, &headers)
    }

    #[test]
    fn a_form_leads_back_to_its_page_if_that_is_ours() {
        let from = |referer: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::REFERER, referer.parse().unwrap());
            former_page(&headers, "ml.example:8443").map(|page| page.as_str().to_owned())
        };
        let page = "https://ml.example:8443/models?name=a%20b";
        assert_eq!(from(page).as_deref(), Some("/models?name=a%20b"));
        for other in [
            "https://ml.example/models",
            "https://evil.example/models",
            "https://ml.example:8443@evil.example/models",
            "https://ml.example:8443//evil.example",
            "/models",
            "about:blank",
        ] {
            assert_eq!(from(other), None, "{other}");
        }
    }

    #[test]
    fn a_page_in_a_tab_is_a_navigation_and_a_script_s_request_is_none() {
        let page = ("accept", "text/html,*/*;q=0.8");
        assert!(is(&Method::GET, &[("sec-fetch-mode", "navigate"), page]));
        assert!(is(&Method::GET, &[page]));
        assert!(!is(&Method::GET, &[("sec-fetch-mode", "cors"), page]));
        assert!(!is(&Method::GET, &[("accept", "*/*")]));
        assert!(!is(&Method::GET, &[]));
        assert!(!is(&Method::POST, &[("sec-fetch-mode", "navigate"), page]));
    }
}
