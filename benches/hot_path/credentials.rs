//! A key and a session, both in their caches, and many others beside them.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use portcullis::cache::{
    CachedKey, CachedSession, Held, KeyCache, KeyEntry, SessionCache, SessionEntry,
};
use portcullis::domain::{ApiKey, Catalogue, KeyToken, Pepper, PrincipalId, Session, SessionToken};
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use secrecy::{ExposeSecret as _, SecretString};

use super::rows::id;
use super::world::Result;

/// Longer than any run.
const TTL: Duration = Duration::from_hours(24);
const NOW: DateTime<Utc> = DateTime::UNIX_EPOCH;

pub struct Credentials {
    /// As a client presents it.
    pub key: SecretString,
    /// As a browser keeps it.
    pub session: SecretString,
    keys: KeyCache,
    sessions: SessionCache,
    pepper: Pepper,
}

impl Credentials {
    /// So many of each; the last ones are those that are asked for.
    pub fn new(count: usize, catalogue: &Catalogue) -> Self {
        let mut rng = StdRng::seed_from_u64(0);
        let pepper = Pepper::new([7; 32]);
        let (keys, sessions) = (KeyCache::new(TTL), SessionCache::new(TTL));
        let mut key = KeyToken::generate(&mut rng);
        let mut session = SessionToken::generate(&mut rng);
        for n in 0..count {
            key = KeyToken::generate(&mut rng);
            session = SessionToken::generate(&mut rng);
            let held = Held::new(CachedKey::new(api_key(&key, &pepper, n), catalogue));
            keys.fill(keys.epoch(), key.id(), KeyEntry::Found(Arc::new(held)), 0);
            let held = Held::new(CachedSession::new(stored(&session, &pepper, n)));
            let entry = SessionEntry::Found(Arc::new(held));
            sessions.fill(sessions.epoch(), &session.id(), entry, 0);
        }
        Self {
            key: key.reveal(),
            session: session.reveal(),
            keys,
            sessions,
            pepper,
        }
    }

    /// Reads a presented key, finds it, and verifies its secret.
    pub fn find_key(&self, presented: &SecretString) -> Result<Arc<Held<CachedKey>>> {
        let token: KeyToken = presented.expose_secret().parse()?;
        match self.keys.get(token.id()) {
            Some(KeyEntry::Found(held))
                if self.pepper.verify(token.secret(), &held.key.secret_hash) =>
            {
                Ok(held)
            }
            _ => Err("no such key".into()),
        }
    }

    /// The same with a session.
    pub fn find_session(&self, presented: &SecretString) -> Result<Arc<Held<CachedSession>>> {
        let token: SessionToken = presented.expose_secret().parse()?;
        match self.sessions.get(&token.id()) {
            Some(SessionEntry::Found(held))
                if self
                    .pepper
                    .verify(token.secret(), &held.session.secret_hash) =>
            {
                Ok(held)
            }
            _ => Err("no such session".into()),
        }
    }
}

fn api_key(token: &KeyToken, pepper: &Pepper, n: usize) -> ApiKey {
    ApiKey {
        id: token.id().clone(),
        principal: PrincipalId(id(n)),
        secret_hash: pepper.hash(token.secret()),
        permissions: None,
        projects: None,
        description: String::new(),
        networks: None,
        rate: None,
        rotated_from: None,
        approved_for: Vec::new(),
        last_used_route: None,
        expires_at: None,
        revoked_at: None,
        created_at: NOW,
        last_used_at: None,
        last_used_ip: None,
    }
}

fn stored(token: &SessionToken, pepper: &Pepper, n: usize) -> Session {
    Session {
        id: token.id(),
        principal: PrincipalId(id(n)),
        secret_hash: pepper.hash(token.secret()),
        created_at: NOW,
        authenticated_at: NOW,
        expires_at: NOW + TimeDelta::days(1),
        idle: TimeDelta::hours(1),
        last_active_at: NOW,
        address: None,
        user_agent: String::new(),
        methods: Vec::new(),
        pending: false,
        vouched_by: None,
        revoked_at: None,
    }
}
