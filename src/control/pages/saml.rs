//! What SAML providers and the browsers that they send come for.

use askama::Template;
use axum::Form;
use axum::extract::rejection::FormRejection;
use axum::extract::{Path, RawQuery};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde::Deserialize;
use url::form_urlencoded;

use super::answer::{message, page, see_other};
use super::cookie::with_errand;
use super::provider::nowhere;
use super::sign_in::{show, told, unsafe_here};
use super::visitor::Visitor;
use crate::authn::Onward;
use crate::control::sign_in::{LogoutMessage, Refusal};
use crate::domain::ReturnPath;

/// A page with one form, for another site: nothing else is on it that could be sent there.
const FORM_POLICY: &str = "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; \
                           frame-ancestors 'none'; script-src 'self'";
const SIGN_IN: &str = "/.portcullis/sign-in";

/// What a provider sends by a form (SAML 2.0 bindings §3.5.4).
#[derive(Debug, Deserialize)]
pub(super) struct Posted {
    #[serde(rename = "SAMLResponse")]
    response: Option<String>,
    #[serde(rename = "SAMLRequest")]
    request: Option<String>,
    #[serde(default, rename = "RelayState")]
    relay: String,
}

/// A form that goes on by itself, or by its button.
#[derive(Debug, Template)]
#[template(path = "onward.html")]
struct OnwardForm<'a> {
    to: &'a str,
    fields: &'a [(&'static str, String)],
    request_id: &'a str,
}

/// What a provider is told of us.
pub(super) async fn metadata(visitor: Visitor, Path(provider): Path<String>) -> Response {
    let Some(xml) = visitor.sign_ins.saml_metadata(&provider) else {
        return nowhere(&visitor);
    };
    let kind = HeaderValue::from_static("application/samlmetadata+xml");
    ([(header::CONTENT_TYPE, kind)], xml).into_response()
}

/// Takes a response. Whoever brings it goes on to where their cookie is seen.
pub(super) async fn acs(
    visitor: Visitor,
    Path(provider): Path<String>,
    form: Result<Form<Posted>, FormRejection>,
) -> Response {
    let Some(cookie) = visitor.cookie else {
        return unsafe_here(&visitor);
    };
    let Ok(Form(Posted {
        response: Some(response),
        relay,
        ..
    })) = form
    else {
        return unreadable(&visitor);
    };
    let posted = (&*response, &*relay);
    let brought = visitor
        .sign_ins
        .by_saml(&visitor.request, &provider, posted);
    match brought.await {
        Ok(brought) => {
            let response = see_other(&brought.to);
            match &brought.errand {
                Some(errand) => with_errand(response, cookie, errand),
                None => response,
            }
        }
        Err(refusal) => refused(&visitor, &refusal),
    }
}

/// A request to end sessions, or the answer to ours, in an address.
pub(super) async fn slo(
    visitor: Visitor,
    Path(provider): Path<String>,
    RawQuery(query): RawQuery,
) -> Response {
    let query = query.unwrap_or_default();
    let named = |name: &str| {
        let mut pairs = form_urlencoded::parse(query.as_bytes());
        pairs
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.into_owned())
    };
    if named("SAMLRequest").is_none() {
        return answered(&visitor, named("SAMLResponse").is_some());
    }
    let relay = named("RelayState").unwrap_or_default();
    let asked = LogoutMessage::Query(&query, &relay);
    end(&visitor, &provider, asked).await
}

/// As [`slo`], in a form.
pub(super) async fn slo_form(
    visitor: Visitor,
    Path(provider): Path<String>,
    form: Result<Form<Posted>, FormRejection>,
) -> Response {
    let Ok(Form(form)) = form else {
        return unreadable(&visitor);
    };
    match &form.request {
        Some(request) => {
            let asked = LogoutMessage::Form(request, &form.relay);
            end(&visitor, &provider, asked).await
        }
        None => answered(&visitor, form.response.is_some()),
    }
}

/// Where somebody goes on to.
pub(super) fn onward(visitor: &Visitor, to: &Onward) -> Response {
    match to {
        Onward::To(url) => see_other(url.as_str()),
        Onward::Form { to, fields } => {
            let shown = OnwardForm {
                to: to.as_str(),
                fields,
                request_id: &visitor.request.request_id,
            };
            let mut response = page(StatusCode::OK, &shown);
            let policy = HeaderValue::from_static(FORM_POLICY);
            let headers = response.headers_mut();
            headers.insert(header::CONTENT_SECURITY_POLICY, policy);
            response
        }
    }
}

/// What we asked for was done before: the answer changes nothing, so nobody needs to prove it.
fn answered(visitor: &Visitor, is_answer: bool) -> Response {
    if is_answer {
        see_other(SIGN_IN)
    } else {
        unreadable(visitor)
    }
}

async fn end(visitor: &Visitor, provider: &str, asked: LogoutMessage<'_>) -> Response {
    let ended = visitor
        .sign_ins
        .saml_logout(&visitor.request, provider, asked);
    match ended.await {
        Ok(Some(to)) => onward(visitor, &to),
        Ok(None) => see_other(SIGN_IN),
        Err(refusal) => refused(visitor, &refusal),
    }
}

fn refused(visitor: &Visitor, refusal: &Refusal) -> Response {
    let wrong = "What the other service has sent is not taken. Try again, or ask whoever runs this \
                 site.";
    show(
        visitor,
        "",
        &ReturnPath::default(),
        Some(&told(refusal, wrong)),
    )
}

fn unreadable(visitor: &Visitor) -> Response {
    let text = "There is no SAML message in it.";
    message(
        visitor,
        StatusCode::BAD_REQUEST,
        "This cannot be read",
        text,
    )
}
