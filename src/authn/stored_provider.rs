//! Providers as they are on record: their settings in the open, their secrets sealed.

use rand::{CryptoRng, Rng};
use serde_json::{Map, Value};

use super::Seal;
use crate::config::Provider;
use crate::store::api::StoredProvider;

/// The keys of secrets, in whatever kind of provider.
const SECRETS: [&str; 2] = ["client_secret", "sp_key"];

/// The keys of where a provider is.
const PLACES: [&str; 11] = [
    "issuer",
    "domain",
    "authorization_server",
    "tenant_id",
    "graph",
    "url",
    "realm",
    "site",
    "api",
    "idp_entity_id",
    "client_id",
];

/// Settings of a provider, by kind its secrets apart.
#[derive(Clone, Debug, Default)]
pub struct Apart {
    /// What anybody may read who may see the provider.
    pub settings: Map<String, Value>,
    secrets: Map<String, Value>,
}

impl Apart {
    /// Takes settings apart.
    #[must_use]
    pub fn new(mut settings: Map<String, Value>) -> Self {
        let mut secrets = Map::new();
        for (kind, of_kind) in &mut settings {
            let Value::Object(of_kind) = of_kind else {
                continue;
            };
            let found = SECRETS.iter().filter_map(|key| of_kind.remove_entry(*key));
            let found: Map<_, _> = found.collect();
            if !found.is_empty() {
                secrets.insert(kind.clone(), Value::Object(found));
            }
        }
        Self { settings, secrets }
    }

    /// With the secrets of before for those kinds that come without any, and are where they were: a
    /// secret is sent to nobody else.
    #[must_use]
    pub fn keeping(mut self, former: &Self) -> Self {
        let place = |of: &Self, kind: &str| {
            let of_kind = of.settings.get(kind).and_then(Value::as_object);
            PLACES.map(|key| of_kind.and_then(|of_kind| of_kind.get(key)).cloned())
        };
        for (kind, secrets) in &former.secrets {
            let is_there =
                self.settings.contains_key(kind) && place(&self, kind) == place(former, kind);
            if is_there && !self.secrets.contains_key(kind) {
                self.secrets.insert(kind.clone(), secrets.clone());
            }
        }
        self
    }

    /// A provider on record as it is used.
    ///
    /// # Errors
    ///
    /// Why it cannot be, in words.
    pub fn usable(stored: &StoredProvider, seal: &Seal) -> Result<Provider, String> {
        let apart = Self::open(stored, seal)
            .ok_or("its secrets are sealed under a key that is not known here")?;
        let provider = apart.provider(&stored.name, &stored.tenant);
        provider.map_err(|wrong| format!("what is on record of it is wrong: {}", wrong.join("; ")))
    }

    /// As it was stored; `None`: its secrets were sealed for something else, or under a key that
    /// is known no more.
    #[must_use]
    pub fn open(stored: &StoredProvider, seal: &Seal) -> Option<Self> {
        let opened = seal.open(&purpose(&stored.name), &stored.sealed)?;
        let (Value::Object(settings), Ok(secrets)) =
            (&stored.settings, serde_json::from_slice(&opened.secret))
        else {
            return None;
        };
        Some(Self {
            settings: settings.clone(),
            secrets,
        })
    }

    /// Its secrets, for the record.
    pub fn seal(&self, name: &str, seal: &Seal, rng: &mut (impl Rng + CryptoRng)) -> Vec<u8> {
        let text = Value::Object(self.secrets.clone()).to_string();
        seal.seal(&purpose(name), text.as_bytes(), rng)
    }

    /// The keys of the secrets that there are: `oidc.client_secret`.
    #[must_use]
    pub fn secret_keys(&self) -> Vec<String> {
        let kinds = self.secrets.iter();
        let keys = kinds.flat_map(|(kind, secrets)| {
            let keys = secrets.as_object().into_iter().flat_map(Map::keys);
            keys.map(move |key| format!("{kind}.{key}"))
        });
        keys.collect()
    }

    /// The provider of this name in this tenant.
    ///
    /// # Errors
    ///
    /// All that is wrong with it.
    pub fn provider(&self, name: &str, tenant: &str) -> Result<Provider, Vec<String>> {
        let mut whole = self.settings.clone();
        for (kind, secrets) in &self.secrets {
            if let (Some(Value::Object(of_kind)), Value::Object(secrets)) =
                (whole.get_mut(kind), secrets)
            {
                of_kind.extend(secrets.clone());
            }
        }
        for (key, value) in [("name", name), ("tenant", tenant)] {
            if whole.insert(key.to_owned(), value.into()).is_some() {
                return Err(vec![format!("`{key}` is not among the settings")]);
            }
        }
        Provider::of(&whole)
    }
}

fn purpose(name: &str) -> String {
    format!("secrets of the provider {name}")
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng as _;
    use rand::rngs::StdRng;
    use serde_json::json;

    use super::*;
    use crate::domain::Pepper;

    fn settings(value: Value) -> Map<String, Value> {
        let Value::Object(map) = value else {
            panic!("{value}")
        };
        map
    }

    fn oidc(secret: Option<&str>) -> Apart {
        let mut oidc = json!({ "issuer": "https://c.example", "client_id": "ml" });
        if let Some(secret) = secret {
            oidc["client_secret"] = json!(secret);
        }
        Apart::new(settings(json!({ "label": "Corp", "oidc": oidc })))
    }

    #[test]
    fn secrets_are_on_record_sealed_and_come_back() {
        let seal = Seal::new(&[], &Pepper::new([7; 32]));
        let apart = oidc(Some("hush"));
        assert!(
            !Value::Object(apart.settings.clone())
                .to_string()
                .contains("hush")
        );
        assert_eq!(apart.secret_keys(), ["oidc.client_secret"]);
        let sealed = apart.seal("corp", &seal, &mut StdRng::seed_from_u64(7));
        let mut stored = StoredProvider {
            name: "corp".to_owned(),
            tenant: "acme".to_owned(),
            settings: Value::Object(apart.settings.clone()),
            sealed,
        };
        let opened = Apart::open(&stored, &seal).unwrap();
        let whole = opened.provider("corp", "acme").unwrap();
        assert_eq!(whole, apart.provider("corp", "acme").unwrap());
        assert_ne!(whole, oidc(None).provider("corp", "acme").unwrap());
        // Nobody else's secrets can be put in their place.
        stored.name = "other".to_owned();
        assert!(Apart::open(&stored, &seal).is_none());
    }

    #[test]
    fn what_is_not_sent_again_stays() {
        let kept = oidc(None).keeping(&oidc(Some("hush")));
        assert_eq!(kept.secret_keys(), ["oidc.client_secret"]);
        let moved = json!({ "oidc": { "issuer": "https://evil.example", "client_id": "ml" } });
        let moved = Apart::new(settings(moved)).keeping(&oidc(Some("hush")));
        assert!(moved.secret_keys().is_empty(), "it would go somewhere else");
        let other = Apart::new(settings(json!({ "google": {} })));
        assert!(other.keeping(&oidc(Some("hush"))).secret_keys().is_empty());
    }

    #[test]
    fn what_is_wrong_is_told_with_its_key() {
        let told = |value: Value| {
            Apart::new(settings(value))
                .provider("corp", "acme")
                .unwrap_err()
        };
        assert_eq!(
            told(
                json!({ "oidc": { "issuer": "http://c.example", "client_id": "${HOME}" }, "recheck": "1s" })
            ),
            [
                "`oidc.issuer`: `http://c.example` must begin with https:// and have no query",
                "`recheck`: must be between 1m and 1d",
            ]
        );
        assert_eq!(
            told(json!({ "saml": { "idp_entity_id": "x", "idp_metadata_file": "/etc/passwd" } })),
            ["`idp_metadata_file`: files are read for the configuration only"]
        );
        assert_eq!(
            told(json!({ "name": "x", "oidc": {} })),
            ["`name` is not among the settings"]
        );
        assert!(!told(json!({})).is_empty());
    }
}
