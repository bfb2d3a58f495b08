//! What a person sees in the place of a refusal that is made for programs.
//!
//! It says what the refusal says and no more: what is hidden from a program is hidden here.

use askama::Template;
use http::StatusCode;

use crate::domain::visible;

#[derive(Debug, Template)]
#[template(path = "error_page.html")]
struct RefusedPage<'a> {
    status: u16,
    title: &'a str,
    what: &'a str,
    advice: &'a str,
    request_id: &'a str,
    /// Whether they have an account to look at.
    signed_in: bool,
}

/// What programs are told.
pub(super) struct Refusal<'a> {
    pub(super) status: StatusCode,
    pub(super) code: &'a str,
    pub(super) message: &'a str,
    pub(super) request_id: &'a str,
}

/// A page about it; `None` if it cannot be made.
pub(super) fn render(refusal: &Refusal<'_>, signed_in: bool) -> Option<String> {
    let (title, advice) = of_code(refusal.code).unwrap_or_else(|| words(refusal.status));
    let shown = RefusedPage {
        status: refusal.status.as_u16(),
        title,
        what: &visible(refusal.message),
        advice,
        request_id: &visible(refusal.request_id),
        signed_in,
    };
    shown.render().ok()
}

/// Where the status alone would lead a person astray.
fn of_code(code: &str) -> Option<(&'static str, &'static str)> {
    match code {
        "project_required" | "project_ambiguous" => Some((
            "Which project?",
            "You have roles in several projects, and this address does not tell which of them it \
             is about. Choose one in your account, then try again.",
        )),
        "route_denied" => Some((
            "This is closed",
            "Nobody can use it here, whatever their role. Go back and try another way.",
        )),
        "cross_site" => Some((
            "Not from another site",
            "Open the page on this site and do it there.",
        )),
        _ => None,
    }
}

/// What happened, in a few words, and what a person can do.
const fn words(status: StatusCode) -> (&'static str, &'static str) {
    match status.as_u16() {
        401 => (
            "You are not signed in",
            "Sign in, or have the program that sent this use a valid key.",
        ),
        403 => (
            "You may not do this",
            "If you should be able to, ask whoever owns the project to give you a role that \
             permits it.",
        ),
        404 => (
            "There is nothing here",
            "Check the address. If somebody sent it to you, ask them whether it is still there \
             and whether you may see it.",
        ),
        405 => (
            "This cannot be done here",
            "Go back and try another way; the address exists, but takes no request of this kind.",
        ),
        408 => (
            "It took too long",
            "Go back and send it again. If your connection is slow, send less at once.",
        ),
        409 => (
            "It does not fit together",
            "Go back, load the page anew and try again.",
        ),
        413 => ("It is too large", "Go back and send something smaller."),
        414 | 431 => (
            "The address is too long",
            "Go back and ask for less at once. Deleting this site's cookies may help too.",
        ),
        415 => (
            "This kind of content is not taken",
            "Go back and send it in another format.",
        ),
        429 => (
            "Too many requests",
            "Wait a moment, then load the page again.",
        ),
        400..=499 => (
            "This request cannot be understood",
            "Check the address, or go back and try again.",
        ),
        502 | 504 => (
            "The service behind this site does not answer",
            "Wait a moment, then load the page again. What you sent may or may not have been done.",
        ),
        503 => (
            "Not available at the moment",
            "Wait a moment, then load the page again.",
        ),
        _ => (
            "Something went wrong on our side",
            "Load the page again. If it stays like this, tell an operator.",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::Denial;

    #[test]
    fn whatever_it_is_told_is_text() {
        let evil = Refusal {
            status: StatusCode::FORBIDDEN,
            code: "permission_missing",
            message: "<script>\"'&\u{202e}",
            request_id: "<id>",
        };
        let page = render(&evil, true).unwrap();
        assert!(
            page.contains("&#60;script&#62;&#34;&#39;&#38;\\u{202e}"),
            "{page}"
        );
        assert!(page.contains("<code>&#60;id&#62;</code>"), "{page}");
        assert!(page.contains("/.portcullis/account"), "{page}");
        let stranger = render(&evil, false).unwrap();
        assert!(!stranger.contains("/.portcullis/account"), "{stranger}");
    }

    #[test]
    fn every_reason_to_word_otherwise_is_a_code() {
        let codes = [
            Denial::project_required().code(),
            Denial::project_ambiguous().code(),
        ];
        assert!(codes.into_iter().all(|code| of_code(code).is_some()));
        assert!(of_code("permission_missing").is_none());
    }
}
