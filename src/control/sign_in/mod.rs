//! From a name and a password to a session, and to its end.

mod by_password;
mod change_password;
mod forms;
mod re_authenticate;
mod throttle;

use rand::SeedableRng as _;
use rand::rngs::StdRng;

pub(super) use self::by_password::Typed;
pub(super) use self::change_password::{Change, Changed};
pub(super) use self::forms::is_from_own_page;
use crate::authn::{HashError, Passwords};
use crate::clock::Clock;
use crate::config::SignIn as Settings;
use crate::domain::{Actor, Method, Pepper, PrincipalId, Session, SessionId, SessionToken};
use crate::store::api::{ApiRequest, ApiTx};
use crate::store::{Attempt, Claims, Db, Rehashed, StoreError};

/// The status of what leads on to another page.
const SEE_OTHER: u16 = 303;

/// Signs people in.
#[derive(Clone, Debug)]
pub struct SignIns {
    db: Db,
    passwords: Passwords,
    pepper: Pepper,
    clock: Clock,
    settings: Settings,
}

/// Why somebody is not signed in.
#[derive(Debug)]
pub(super) enum Refusal {
    /// Name or password is wrong, or the person may not act: one answer for all.
    Wrong,
    /// Too many attempts; seconds until the next one is looked at.
    Throttled(u64),
    /// Too many people at once.
    Busy,
    /// Something failed.
    Failed(StoreError),
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        Self::Failed(error)
    }
}

impl From<HashError> for Refusal {
    fn from(error: HashError) -> Self {
        match error {
            HashError::Busy => Self::Busy,
            HashError::Broken => Self::Failed(StoreError::Corrupt(error.to_string())),
        }
    }
}

/// Somebody who has proved who they are.
struct Proven {
    id: PrincipalId,
    email: String,
    /// What they proved it by, if it is to be hashed anew.
    rehashed: Option<Rehashed>,
}

impl SignIns {
    /// By these settings, on a machine with as many cores.
    #[must_use]
    pub fn new(db: Db, pepper: Pepper, clock: Clock, settings: Settings, cores: usize) -> Self {
        Self {
            db,
            passwords: Passwords::new(cores),
            pepper,
            clock,
            settings,
        }
    }

    /// Begins a session; the attempt does not count as failed any more.
    async fn begin(
        &self,
        mut request: ApiRequest,
        proven: Proven,
        attempt: &Attempt,
    ) -> Result<SessionToken, StoreError> {
        request.actor = Actor {
            kind: "user",
            id: Some(proven.id.to_string()),
            email: Some(proven.email),
        };
        let token = SessionToken::generate(&mut StdRng::from_os_rng());
        request.credential = Some(token.id().to_string());
        let session = self.session(&token, proven.id, &request);
        let now = self.clock.now();
        let mut change = self.db.act_for(Claims::Gateway, request, now).await?;
        if let Some(rehashed) = proven.rehashed {
            change.rehash(proven.id, &rehashed).await?;
        }
        change.forgive(attempt).await?;
        let ended = self.end_surplus(&mut change, &session).await?;
        let done = change.begin_session(&session, &ended).await?;
        change.commit(done, SEE_OTHER).await?;
        Ok(token)
    }

    /// Ends the oldest sessions of whoever has too many with this one; says which.
    async fn end_surplus(
        &self,
        change: &mut ApiTx,
        new: &Session,
    ) -> Result<Vec<SessionId>, StoreError> {
        match self.settings.max_sessions {
            Some(most) => change.end_surplus(new, most).await,
            None => Ok(Vec::new()),
        }
    }

    fn session(&self, token: &SessionToken, of: PrincipalId, request: &ApiRequest) -> Session {
        let now = self.clock.now();
        Session {
            id: token.id(),
            principal: of,
            secret_hash: self.pepper.hash(token.secret()),
            created_at: now,
            authenticated_at: now,
            expires_at: now + self.settings.lifetime,
            idle: self.settings.idle,
            last_active_at: now,
            address: request.ip,
            user_agent: request.user_agent.clone().unwrap_or_default(),
            methods: vec![Method::Pwd],
            revoked_at: None,
        }
    }

    /// Ends a session of this person.
    ///
    /// # Errors
    ///
    /// `NotFound` for one that has ended, and for somebody else's.
    pub(super) async fn end(
        &self,
        request: ApiRequest,
        of: PrincipalId,
        session: SessionId,
    ) -> Result<(), StoreError> {
        let now = self.clock.now();
        let mut change = self.db.act_for(Claims::Gateway, request, now).await?;
        let done = change.end_session(of, session).await?;
        change.commit(done, SEE_OTHER).await
    }

    /// The sessions of a person that go on.
    pub(super) async fn sessions(&self, of: PrincipalId) -> Result<Vec<Session>, StoreError> {
        self.db.sessions_of(of, self.clock.now()).await
    }
}
