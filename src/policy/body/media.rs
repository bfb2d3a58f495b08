//! What a body says that it is.

use http::{HeaderMap, HeaderValue, header};

use super::super::{BodyRule, Denial};

impl BodyRule {
    /// Whether the header fields announce a body that is read here. `empty`: none comes, so
    /// that it need not say what it is.
    ///
    /// # Errors
    ///
    /// A refusal with 415.
    pub fn check(&self, headers: &HeaderMap, empty: bool) -> Result<(), Denial> {
        if headers.contains_key(header::CONTENT_ENCODING) {
            return Err(Denial::body_type());
        }
        let mut types = headers.get_all(header::CONTENT_TYPE).iter();
        let read = match (types.next(), types.next()) {
            (None, _) => empty,
            (Some(one), None) => self.takes(one),
            _ => false,
        };
        if read {
            Ok(())
        } else {
            Err(Denial::body_type())
        }
    }

    fn takes(&self, value: &HeaderValue) -> bool {
        let Ok(value) = value.to_str() else {
            return false;
        };
        let mut parts = value.split(';').map(str::trim);
        let name = parts.next().unwrap_or_default();
        let listed = self.types.iter().any(|it| it.eq_ignore_ascii_case(name));
        listed && parts.all(is_harmless)
    }
}

/// A parameter that leaves the body UTF-8.
fn is_harmless(parameter: &str) -> bool {
    let Some((name, value)) = parameter.split_once('=') else {
        return false;
    };
    !name.trim().eq_ignore_ascii_case("charset")
        || value.trim().trim_matches('"').eq_ignore_ascii_case("utf-8")
}

#[cfg(test)]
mod tests {
    use super::super::super::{BodyFormat, Keys};
    use super::*;

    fn rule() -> BodyRule {
        BodyRule {
            types: vec!["application/json".into()],
            max: 10,
            keys: Keys::Exact,
            format: BodyFormat::Json,
        }
    }

    fn sent(fields: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(*name, HeaderValue::from_static(value));
        }
        headers
    }

    #[test]
    fn one_of_the_types_in_utf_8() {
        for value in [
            "application/json",
            "Application/JSON",
            "application/json; charset=utf-8",
            "application/json;charset=\"UTF-8\"; profile=x",
        ] {
            let headers = sent(&[("content-type", value)]);
            assert_eq!(rule().check(&headers, false), Ok(()), "{value}");
        }
    }

    #[test]
    fn nothing_else() {
        for value in [
            "",
            "text/plain",
            "application/jsonp",
            "application/json, text/plain",
            "application/json; charset=utf-16",
            "application/json; charset=utf-8; charset=utf-7",
            "application/json; charset",
        ] {
            let headers = sent(&[("content-type", value)]);
            assert!(rule().check(&headers, false).is_err(), "{value}");
        }
        let twice = [("content-type", "application/json"); 2];
        assert!(rule().check(&sent(&twice), false).is_err());
        let packed = [("content-encoding", "gzip"), twice[0]];
        assert!(rule().check(&sent(&packed), false).is_err());
    }

    #[test]
    fn only_nothing_need_not_say_what_it_is() {
        assert!(rule().check(&HeaderMap::new(), true).is_ok());
        assert!(rule().check(&HeaderMap::new(), false).is_err());
        assert!(
            rule()
                .check(&sent(&[("content-type", "a/b")]), true)
                .is_err()
        );
    }
}
