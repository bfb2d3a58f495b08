//! API keys of people, by themselves: made, looked at and revoked by who holds them.
//!
//! A key permits what its holder may do, in the one project that it is for, and nothing else:
//! whoever makes one gives nothing away that they do not hold.

use std::sync::Arc;

use chrono::TimeDelta;
use sha2::{Digest as _, Sha256};

use crate::cache::{KeyCache, RoleTables};
use crate::clock::Clock;
use crate::domain::{
    KeyId, KeyToken, Pepper, Principal, PrincipalId, Project, ProjectPath, SessionId, Tenant,
};
use crate::policy::{Denial, SignIn, Standing};
use crate::store::api::{ApiRequest, ApiTx, KeptFor, NewApiKey, OwnKey};
use crate::store::{Claims, Db, StoreError};

const CREATED: u16 = 201;
const SEE_OTHER: u16 = 303;

/// Makes and revokes them.
#[derive(Clone, Debug)]
pub struct OwnKeys {
    /// The truth.
    pub db: Db,
    /// Who may do what.
    pub tables: Arc<RoleTables>,
    /// The keys that were just used.
    pub keys: Arc<KeyCache>,
    /// Under which their secrets are hashed.
    pub pepper: Pepper,
    /// Time.
    pub clock: Clock,
}

/// A key that somebody asks for.
#[derive(Debug)]
pub(super) struct Wanted {
    pub(super) description: String,
    pub(super) project: ProjectPath,
    /// How long it is good; `None`: until it is revoked.
    pub(super) life: Option<TimeDelta>,
    /// Of the form: one form makes one key.
    pub(super) once: String,
}

/// What came of it.
#[derive(Debug)]
pub(super) enum Made {
    /// The whole key, known here and never again.
    Done(KeyToken),
    /// The form was sent before; its key was shown then.
    Before,
    /// There is no such project, or it is closed to them: one answer for both.
    Closed,
    /// It asks more of a session than theirs has: what a session may not do, a key that it made
    /// could.
    NotGoodEnough(Denial),
}

impl OwnKeys {
    /// Those in force.
    pub(super) async fn of(&self, holder: PrincipalId) -> Result<Vec<OwnKey>, StoreError> {
        self.db.keys_of(holder, self.clock.now()).await
    }

    /// Makes one (`api_key.created`).
    pub(super) async fn make(
        &self,
        request: ApiRequest,
        (holder, session): (&Principal, SessionId),
        wanted: Wanted,
    ) -> Result<Made, StoreError> {
        let Some((tenant, project)) = self.open(holder.id, &wanted.project) else {
            return Ok(Made::Closed);
        };
        let session = self.db.find_session(session).await?;
        let sign_in = session.as_ref().map(SignIn::from);
        let sign_in = sign_in.ok_or_else(|| StoreError::Conflict("no session".to_owned()))?;
        let standing = Standing::new(sign_in.into(), self.clock.now());
        let admitted = standing.admits("api_key.created", Some(&tenant), Some(&project));
        if let Err(reason) = admitted {
            return Ok(Made::NotGoodEnough(Denial::of_session(reason)));
        }
        let mut change = self.begin(request).await?;
        let sent = sent_once(holder.id, &wanted.once);
        if change.kept_answer(&sent).await?.is_some() {
            return Ok(Made::Before);
        }
        match change.keep_answer(&sent, &[]).await {
            // At this very moment, in another tab or by a second click.
            Err(StoreError::Conflict(_)) => return Ok(Made::Before),
            kept => kept?,
        }
        let new = NewApiKey {
            holder: holder.clone(),
            projects: vec![Project::clone(&project)],
            permissions: Vec::new(),
            description: wanted.description,
            networks: Vec::new(),
            rate: None,
            approved_for: None,
            expires_at: wanted.life.map(|life| change.now() + life),
        };
        let place = (&*tenant, &*project);
        let made = change.create_own_key(place, &new, &self.pepper).await?;
        let (token, done) = made;
        change.commit(done, CREATED).await?;
        Ok(Made::Done(token))
    }

    /// Revokes one for good (`api_key.revoked`).
    ///
    /// # Errors
    ///
    /// `NotFound` for one that is revoked, and for somebody else's.
    pub(super) async fn revoke(
        &self,
        request: ApiRequest,
        holder: &Principal,
        id: &KeyId,
    ) -> Result<(), StoreError> {
        let mut change = self.begin(request).await?;
        let done = change.revoke_own_key(holder, id).await?;
        change.commit(done, SEE_OTHER).await?;
        self.keys.invalidate(id);
        Ok(())
    }

    async fn begin(&self, request: ApiRequest) -> Result<ApiTx, StoreError> {
        let now = self.clock.now();
        self.db.act_for(Claims::Gateway, request, now).await
    }

    fn open(&self, who: PrincipalId, path: &ProjectPath) -> Option<(Arc<Tenant>, Arc<Project>)> {
        let table = self.tables.current();
        let tenant = table.tenant_by_slug(&path.tenant)?;
        let project = table.project_by_slug(tenant.id, &path.project)?;
        let open = table.reaches(who, project.id);
        open.then(|| (Arc::clone(tenant), Arc::clone(project)))
    }
}

/// The mark that a form leaves. It holds no answer: a secret is shown once.
fn sent_once(principal: PrincipalId, once: &str) -> KeptFor {
    let hash = Sha256::digest(format!("form of a key {once}")).into();
    KeptFor {
        principal,
        key_hash: hash,
        request_hash: hash,
    }
}
