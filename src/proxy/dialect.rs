//! Refusals in the backend's own words, so that its clients raise their own errors.

use http::StatusCode;
use serde_json::{Value, json};

use crate::policy::Dialect;

/// Content type and body of a refusal.
pub(super) fn body(
    dialect: Dialect,
    status: StatusCode,
    code: &str,
    message: &str,
    request_id: &str,
) -> (&'static str, Vec<u8>) {
    let (content_type, value) = match dialect {
        Dialect::Problem => (
            "application/problem+json",
            problem(status, code, message, request_id),
        ),
        Dialect::Mlflow => (
            "application/json",
            json!({ "error_code": mlflow_code(status, code), "message": message }),
        ),
        Dialect::OpenAi => ("application/json", openai(status, code, message)),
        Dialect::Kserve => ("application/json", json!({ "error": message })),
    };
    (content_type, value.to_string().into_bytes())
}

/// RFC 9457. `code` and `request_id` are extension members.
fn problem(status: StatusCode, code: &str, message: &str, request_id: &str) -> Value {
    json!({
        "type": "about:blank",
        "title": status.canonical_reason().unwrap_or("Error"),
        "status": status.as_u16(),
        "detail": message,
        "code": code,
        "request_id": request_id,
    })
}

/// The names of MLflow's `ErrorCode` that its client turns into a `RestException`.
fn mlflow_code(status: StatusCode, code: &str) -> &'static str {
    match status.as_u16() {
        404 if code == "resource_unknown" => "RESOURCE_DOES_NOT_EXIST",
        400 => "INVALID_PARAMETER_VALUE",
        401 => "UNAUTHENTICATED",
        403 => "PERMISSION_DENIED",
        404 => "ENDPOINT_NOT_FOUND",
        405 => "NOT_IMPLEMENTED",
        429 => "REQUEST_LIMIT_EXCEEDED",
        502..=504 => "TEMPORARILY_UNAVAILABLE",
        _ => "INTERNAL_ERROR",
    }
}

fn openai(status: StatusCode, code: &str, message: &str) -> Value {
    let kind = match status.as_u16() {
        401 => "authentication_error",
        403 => "permission_error",
        429 => "rate_limit_error",
        400..=499 => "invalid_request_error",
        _ => "server_error",
    };
    json!({ "error": { "message": message, "type": kind, "param": null, "code": code } })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(status: StatusCode, code: &str) -> String {
        let words = Dialect::ALL.map(|dialect| {
            let (kind, body) = body(dialect, status, code, "No.", "id-1");
            format!(
                "{} {kind} {}",
                dialect.as_str(),
                String::from_utf8(body).unwrap()
            )
        });
        words.join("\n")
    }

    #[test]
    fn every_dialect_words_a_rate_limit() {
        insta::assert_snapshot!(words(StatusCode::TOO_MANY_REQUESTS, "rate_limited"), @r#"
        problem application/problem+json {"code":"rate_limited","detail":"No.","request_id":"id-1","status":429,"title":"Too Many Requests","type":"about:blank"}
        mlflow application/json {"error_code":"REQUEST_LIMIT_EXCEEDED","message":"No."}
        openai application/json {"error":{"code":"rate_limited","message":"No.","param":null,"type":"rate_limit_error"}}
        kserve application/json {"error":"No."}
        "#);
    }

    #[test]
    fn every_dialect_words_a_missing_permission() {
        insta::assert_snapshot!(words(StatusCode::FORBIDDEN, "permission_missing"), @r#"
        problem application/problem+json {"code":"permission_missing","detail":"No.","request_id":"id-1","status":403,"title":"Forbidden","type":"about:blank"}
        mlflow application/json {"error_code":"PERMISSION_DENIED","message":"No."}
        openai application/json {"error":{"code":"permission_missing","message":"No.","param":null,"type":"permission_error"}}
        kserve application/json {"error":"No."}
        "#);
    }
}
