//! Changes of the policy as they are committed.

use std::sync::Arc;

use serde::Deserialize;
use sqlx::postgres::PgListener;

use super::{Db, Result, StoreError};
use crate::domain::{KeyId, ResourceKey, SessionId, TokenId, TouchedRows};

/// The one table whose changes leave the version.
const RESOURCES: &str = "resources";

/// One committed change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The policy's version after it, unless the notification could not be read.
    pub version: Option<i64>,
    /// What changed.
    pub what: Changed,
}

/// What a change touched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Changed {
    /// These keys were created or revoked.
    Keys(Vec<KeyId>),
    /// These sessions ended.
    Sessions(Vec<SessionId>),
    /// These access tokens were revoked.
    Tokens(Vec<TokenId>),
    /// These rows of what the role table is made of.
    Policy(TouchedRows),
    /// Objects of backends were recorded, changed or forgotten. The version stays.
    Resources(TouchedResources),
    /// Unknown: anything may have changed.
    Everything,
}

/// Which objects of backends a change touched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TouchedResources {
    /// These.
    These(Vec<ResourceKey>),
    /// Any of a type.
    OfType {
        /// Name of its upstream.
        upstream: Arc<str>,
        /// The type.
        kind: Arc<str>,
    },
    /// Any at all.
    Any,
}

#[derive(Deserialize)]
struct Payload {
    version: Option<i64>,
    table: String,
    upstream: Option<Arc<str>>,
    #[serde(rename = "type")]
    kind: Option<Arc<str>>,
    ids: Option<Vec<String>>,
}

/// Listens for changes on a connection of its own, taken from the pool.
#[derive(Debug)]
pub struct ChangeListener(PgListener);

impl Db {
    /// Starts to listen. Load the policy after this, not before: then nothing is missed.
    ///
    /// # Errors
    ///
    /// `Unavailable`.
    pub async fn listen(&self) -> Result<ChangeListener> {
        let mut listener = PgListener::connect_with(self.pool()).await?;
        listener.eager_reconnect(false);
        listener.listen("portcullis").await?;
        Ok(ChangeListener(listener))
    }
}

impl ChangeListener {
    /// Waits for the next change. Cancelling the wait loses nothing.
    ///
    /// # Errors
    ///
    /// `Unavailable` when the connection is lost, and changes with it: listen anew, then
    /// compare versions.
    pub async fn next(&mut self) -> Result<Change> {
        match self.0.try_recv().await? {
            Some(notification) => Ok(Change::parse(notification.payload())),
            None => Err(StoreError::Unavailable(
                "the connection was lost".to_owned(),
            )),
        }
    }
}

impl Change {
    /// Whoever may connect may notify: what cannot be read counts as "look for yourself".
    fn parse(payload: &str) -> Self {
        match serde_json::from_str::<Payload>(payload) {
            Ok(payload) if payload.version.is_some() || payload.table == RESOURCES => Self {
                version: payload.version,
                what: Changed::parse(&payload),
            },
            _ => Self {
                version: None,
                what: Changed::Everything,
            },
        }
    }
}

impl Changed {
    fn parse(payload: &Payload) -> Self {
        let ids = payload.ids.as_deref();
        let parsed = match payload.table.as_str() {
            "api_keys" => ids.and_then(all).map(Self::Keys),
            "sessions" => ids.and_then(all).map(Self::Sessions),
            "revoked_tokens" => ids.and_then(all).map(Self::Tokens),
            "tenants" => ids
                .and_then(all)
                .map(TouchedRows::Tenants)
                .map(Self::Policy),
            "projects" => ids
                .and_then(all)
                .map(TouchedRows::Projects)
                .map(Self::Policy),
            "principals" => ids
                .and_then(all)
                .map(TouchedRows::Principals)
                .map(Self::Policy),
            "roles" => ids.and_then(all).map(TouchedRows::Roles).map(Self::Policy),
            "bindings" => ids
                .and_then(all)
                .map(TouchedRows::Bindings)
                .map(Self::Policy),
            RESOURCES => Some(Self::Resources(TouchedResources::parse(payload))),
            _ => None,
        };
        parsed.unwrap_or(Self::Everything)
    }
}

impl TouchedResources {
    fn parse(payload: &Payload) -> Self {
        let (Some(upstream), Some(kind)) = (&payload.upstream, &payload.kind) else {
            return Self::Any;
        };
        let Some(ids) = &payload.ids else {
            return Self::OfType {
                upstream: Arc::clone(upstream),
                kind: Arc::clone(kind),
            };
        };
        let keys = ids.iter().map(|id| ResourceKey {
            upstream: Arc::clone(upstream),
            kind: Arc::clone(kind),
            id: id.as_str().into(),
        });
        Self::These(keys.collect())
    }
}

fn all<T: std::str::FromStr>(ids: &[String]) -> Option<Vec<T>> {
    ids.iter().map(|id| id.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn what(payload: &str) -> Changed {
        Change::parse(payload).what
    }

    #[test]
    fn keys_and_principals_are_named() {
        let keys = what(r#"{"version": 7, "table": "api_keys", "ids": ["abcdefghijkl"]}"#);
        assert_eq!(keys, Changed::Keys(vec!["abcdefghijkl".parse().unwrap()]));
        let id = "0190f3c6-0000-7000-8000-000000000001";
        let payload = format!(r#"{{"version": 7, "table": "principals", "ids": ["{id}"]}}"#);
        assert_eq!(
            what(&payload),
            Changed::Policy(TouchedRows::Principals(vec![id.parse().unwrap()]))
        );
    }

    #[test]
    fn what_cannot_be_read_may_be_anything() {
        for payload in [
            "",
            "{}",
            r#"{"version": 7, "table": "api_keys", "ids": null}"#,
            r#"{"version": 7, "table": "api_keys", "ids": ["too short"]}"#,
            r#"{"version": 7, "table": "sessions", "ids": ["no uuid"]}"#,
            r#"{"version": 7, "table": "strangers", "ids": []}"#,
            r#"{"table": "bindings", "ids": []}"#,
        ] {
            assert_eq!(what(payload), Changed::Everything, "{payload}");
        }
    }

    #[test]
    fn objects_are_named_as_far_as_they_can_be() {
        let keys = what(r#"{"table": "resources", "upstream": "m", "type": "run", "ids": ["1"]}"#);
        let key = ResourceKey {
            upstream: "m".into(),
            kind: "run".into(),
            id: "1".into(),
        };
        let named = TouchedResources::These(vec![key]);
        assert_eq!(keys, Changed::Resources(named));
        let of_type = TouchedResources::OfType {
            upstream: "m".into(),
            kind: "run".into(),
        };
        let many = r#"{"table": "resources", "upstream": "m", "type": "run", "ids": null}"#;
        assert_eq!(what(many), Changed::Resources(of_type));
        let any = Changed::Resources(TouchedResources::Any);
        assert_eq!(what(r#"{"table": "resources"}"#), any);
    }

    #[test]
    fn the_rest_is_policy() {
        let change = Change::parse(r#"{"version": 7, "table": "bindings", "ids": []}"#);
        assert_eq!(
            (change.version, change.what),
            (Some(7), Changed::Policy(TouchedRows::Bindings(vec![])))
        );
    }
}
