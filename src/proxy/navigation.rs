//! A person who is not known, and looks at a page: they are asked to sign in.

use http::{HeaderMap, HeaderName, Method, header};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

use super::exchange::Exchange;
use crate::domain::ReturnPath;
use crate::policy::{Denial, DenialReason};

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

const SEC_FETCH_MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");

/// Where a browser is sent that would else be told that nobody is known; `None` for a client
/// that would not know what to do there.
pub(super) fn to_sign_in(
    exchange: &Exchange,
    headers: &HeaderMap,
    denial: &Denial,
) -> Option<String> {
    let is_unknown = matches!(
        denial.reason(),
        DenialReason::Unauthenticated | DenialReason::Ended(_)
    );
    let request = exchange.request.as_ref()?;
    if !exchange.rules.sign_in || !is_unknown || !is_navigation(request.method(), headers) {
        return None;
    }
    let target = request.target();
    let back = target.parse::<ReturnPath>().unwrap_or_default();
    let back = utf8_percent_encode(back.as_str(), VALUE);
    Some(format!("/.portcullis/sign-in?return={back}"))
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
