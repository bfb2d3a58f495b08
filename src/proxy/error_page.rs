//! What a person sees in the place of a refusal that is made for programs.
//!
//! It says what the refusal says and no more: what is hidden from a program is hidden here.

use askama::Template;
use http::StatusCode;

use crate::domain::visible;

#[derive(Debug, Template)]
#[template(path = "refused.html")]
struct RefusedPage<'a> {
    status: u16,
    title: &'a str,
    what: &'a str,
    advice: &'a str,
    request_id: &'a str,
    /// Whether they have an account to look at.
    signed_in: bool,
}

/// A page about this refusal; `None` if it cannot be made.
pub(super) fn render(
    status: StatusCode,
    message: &str,
    request_id: &str,
    signed_in: bool,
) -> Option<String> {
    let (title, advice) = words(status);
    let shown = RefusedPage {
        status: status.as_u16(),
        title,
        what: &visible(message),
        advice,
        request_id: &visible(request_id),
        signed_in,
    };
    shown.render().ok()
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

    #[test]
    fn whatever_it_is_told_is_text() {
        let status = StatusCode::FORBIDDEN;
        let page = render(status, "<script>\"'&\u{202e}", "<id>", true).unwrap();
        assert!(
            page.contains("&#60;script&#62;&#34;&#39;&#38;\\u{202e}"),
            "{page}"
        );
        assert!(page.contains("<code>&#60;id&#62;</code>"), "{page}");
        assert!(page.contains("/.portcullis/account"), "{page}");
        let stranger = render(status, "No.", "id", false).unwrap();
        assert!(!stranger.contains("/.portcullis/account"), "{stranger}");
    }
}
