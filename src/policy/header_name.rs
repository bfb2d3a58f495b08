//! Header names that belong to the gateway.
//!
//! Backends that speak WSGI or CGI see `X-Portcullis-Tenant`, `x_portcullis_tenant` and
//! `X.Portcullis.Tenant` as one variable, so names are compared folded.

use std::borrow::Cow;

use ahash::AHashSet;

/// Lower case, with `-` for `_` and `.`.
#[must_use]
pub fn fold(name: &str) -> Cow<'_, str> {
    if name.bytes().all(|byte| fold_byte(byte) == byte) {
        return Cow::Borrowed(name);
    }
    let folded = name.chars().map(|c| match c {
        '_' | '.' => '-',
        _ => c.to_ascii_lowercase(),
    });
    Cow::Owned(folded.collect())
}

const fn fold_byte(byte: u8) -> u8 {
    match byte {
        b'_' | b'.' => b'-',
        _ => byte.to_ascii_lowercase(),
    }
}

/// The names that only the gateway may set on a forwarded request: all of
/// `X-Portcullis-*` and `X-Forwarded-*`, and those of the configured identity headers.
#[derive(Clone, Debug, Default)]
pub struct OwnedHeaders(AHashSet<Box<str>>);

impl OwnedHeaders {
    const PREFIXES: [&str; 2] = ["x-portcullis-", "x-forwarded-"];
    const ALWAYS: [&str; 2] = ["forwarded", "x-real-ip"];

    /// With these names besides the fixed ones.
    pub fn new<'n>(names: impl IntoIterator<Item = &'n str>) -> Self {
        Self(names.into_iter().map(|name| fold(name).into()).collect())
    }

    /// Whether the name, in any spelling, is one of them.
    #[must_use]
    pub fn owns(&self, name: &str) -> bool {
        let name = fold(name);
        Self::PREFIXES.iter().any(|prefix| name.starts_with(prefix))
            || Self::ALWAYS.contains(&&*name)
            || self.0.contains(&*name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_of_an_owned_name_is_owned() {
        let owned = OwnedHeaders::new(["kubeflow-userid", "X-MLFLOW-WORKSPACE"]);
        for name in [
            "x-portcullis-tenant",
            "X_Portcullis_Tenant",
            "x.forwarded.user",
            "X-Forwarded-Proto",
            "Forwarded",
            "KUBEFLOW_USERID",
            "x-mlflow_workspace",
        ] {
            assert!(owned.owns(name), "{name}");
        }
    }

    #[test]
    fn other_names_are_not() {
        let owned = OwnedHeaders::new(["kubeflow-userid"]);
        for name in ["x-portcullis", "content-type", "x-forward", "kubeflow-user"] {
            assert!(!owned.owns(name), "{name}");
        }
    }
}
