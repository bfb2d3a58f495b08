//! From a name and a password to a session, and to its end.

mod by_link;
mod by_passkey;
mod by_password;
mod by_provider;
mod by_saml;
mod certificates;
mod change_password;
mod device;
mod expiry;
mod factors;
mod forgotten;
mod forms;
mod kept;
mod passkeys;
mod providers;
mod re_authenticate;
mod recheck;
mod second_factor;
mod there;
mod throttle;

use std::sync::Arc;

use chrono::TimeDelta;
use rand::SeedableRng as _;
use rand::rngs::StdRng;

pub(super) use self::by_link::Given;
pub(super) use self::by_password::Typed;
pub(super) use self::by_provider::{Answer, Button, Ways};
pub(super) use self::by_saml::LogoutMessage;
pub(super) use self::change_password::{Change, Changed};
pub(super) use self::device::DeviceToken;
pub use self::expiry::Expiry;
pub(super) use self::factors::{Added, Proposal};
pub use self::forgotten::{Letterbox, Postman, letter};
pub(super) use self::forms::is_from_own_page;
pub(super) use self::kept::KeptForm;
pub(super) use self::passkeys::{Answered, Question};
use self::providers::Providers;
pub(super) use self::second_factor::Proof;
use crate::authn::{HashError, PasskeyError, Passkeys, Passwords, Seal};
use crate::cache::RoleTables;
use crate::clock::Clock;
use crate::config::SignIn as Settings;
use crate::domain::{
    Actor, Method, Mfa, Pepper, PrincipalId, Session, SessionId, SessionRules, SessionToken,
};
use crate::store::api::{ApiRequest, ApiTx};
use crate::store::{Attempt, Claims, Db, Done, Rehashed, StoreError};
use crate::telemetry::Metrics;

/// The status of what leads on to another page.
const SEE_OTHER: u16 = 303;

/// How long somebody has to prove their second factor.
const PENDING: TimeDelta = TimeDelta::minutes(10);

/// What people are signed in by.
#[derive(Clone, Debug)]
pub struct Truth {
    /// Where sessions and passwords are.
    pub db: Db,
    /// Who is where.
    pub tables: Arc<RoleTables>,
    /// Under which secrets are hashed.
    pub pepper: Pepper,
    /// Time.
    pub clock: Clock,
    /// What is counted.
    pub metrics: Arc<Metrics>,
}

/// Signs people in.
#[derive(Clone, Debug)]
pub struct SignIns {
    db: Db,
    tables: Arc<RoleTables>,
    passwords: Passwords,
    passkeys: Option<Passkeys>,
    letterbox: Option<Letterbox>,
    pepper: Pepper,
    providers: Providers,
    seal: Seal,
    clock: Clock,
    metrics: Arc<Metrics>,
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
    /// Another service cannot be asked.
    Away,
    /// They are who they are, but all they belong to wants another proof than a password.
    NotByPassword,
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

impl From<PasskeyError> for Refusal {
    fn from(error: PasskeyError) -> Self {
        match error {
            PasskeyError::Malformed(_) | PasskeyError::Refused(_) => Self::Wrong,
            PasskeyError::Corrupt(_) => Self::Failed(StoreError::Corrupt(error.to_string())),
        }
    }
}

/// A session that has begun.
#[derive(Debug)]
pub(super) struct Begun {
    /// For the cookie.
    pub(super) token: SessionToken,
    /// Whether its holder is yet to prove their second factor.
    pub(super) pending: bool,
    /// For the browser, if it is one that their password is now known to be typed at.
    pub(super) device: Option<DeviceToken>,
}

/// What a session begins with.
#[derive(Clone, Debug)]
struct Terms {
    methods: Vec<Method>,
    pending: bool,
}

impl Terms {
    /// All that is asked for was proved, by these.
    const fn complete(methods: Vec<Method>) -> Self {
        let pending = false;
        Self { methods, pending }
    }
}

/// Somebody who has proved who they are.
struct Proven {
    id: PrincipalId,
    email: String,
    /// The hash that their password was held against.
    hash: String,
    /// What they proved it by, if it is to be hashed anew.
    rehashed: Option<Rehashed>,
}

impl SignIns {
    /// By what is true, and these settings, on a machine with as many cores.
    #[must_use]
    pub fn new(
        truth: Truth,
        settings: Settings,
        letterbox: Option<Letterbox>,
        cores: usize,
    ) -> Self {
        let Truth {
            db,
            tables,
            pepper,
            clock,
            metrics,
        } = truth;
        Self {
            db,
            tables,
            passwords: Passwords::new(cores),
            passkeys: settings.public_url.as_ref().and_then(Passkeys::of),
            letterbox,
            providers: Providers::new(&settings, &clock),
            seal: Seal::new(&settings.secrets.keys, &pepper),
            pepper,
            clock,
            metrics,
            settings,
        }
    }

    /// Begins a session. The attempt does not count as failed any more, unless there is more to
    /// prove. `None`: what they proved it by was changed meanwhile.
    async fn begin(
        &self,
        mut request: ApiRequest,
        proven: Proven,
        attempt: &Attempt,
    ) -> Result<Option<Begun>, StoreError> {
        request.actor = Actor {
            kind: "user",
            id: Some(proven.id.to_string()),
            email: Some(proven.email.clone()),
        };
        let token = SessionToken::generate(&mut StdRng::from_os_rng());
        request.credential = Some(token.id().to_string());
        let now = self.clock.now();
        let change = self.db.act_for(Claims::Gateway, request.clone(), now);
        let mut change = change.await?;
        change.take_turn(proven.id).await?;
        if change.password_of(proven.id).await?.as_ref() != Some(&proven.hash) {
            return Ok(None);
        }
        let terms = self
            .by_one_factor(&mut change, proven.id, Method::Pwd)
            .await?;
        let session = self.session(&token, proven.id, &request, &terms);
        if let Some(rehashed) = proven.rehashed {
            change.rehash(proven.id, &rehashed).await?;
        }
        let ended = self.accept(&mut change, &session, &[attempt]).await?;
        let done = change.begin_session(&session, &ended).await?;
        change.commit(done, SEE_OTHER).await?;
        let pending = terms.pending;
        Ok(Some(Begun {
            token,
            pending,
            device: (!pending).then(|| self.new_device(&proven.email)),
        }))
    }

    /// What one factor alone is good for, for whoever has the turn.
    async fn by_one_factor(
        &self,
        change: &mut ApiTx,
        of: PrincipalId,
        by: Method,
    ) -> Result<Terms, StoreError> {
        let pending = self.settings.mfa != Mfa::Off && change.has_factor(of).await?;
        Ok(Terms {
            methods: vec![by],
            pending,
        })
    }

    /// Who has proved all that is asked for has not failed; other sessions may have to make room
    /// for theirs. Says which.
    async fn accept(
        &self,
        change: &mut ApiTx,
        new: &Session,
        attempts: &[&Attempt],
    ) -> Result<Vec<SessionId>, StoreError> {
        if new.pending {
            return Ok(Vec::new());
        }
        for attempt in attempts {
            change.forgive(attempt).await?;
        }
        self.end_surplus(change, new).await
    }

    /// Ends the oldest sessions of whoever has too many with this one; says which.
    async fn end_surplus(
        &self,
        change: &mut ApiTx,
        new: &Session,
    ) -> Result<Vec<SessionId>, StoreError> {
        let table = self.tables.current();
        let rules = table.session_rules_over(new.principal);
        let most = rules.filter_map(SessionRules::most_sessions);
        match most.chain(self.settings.max_sessions).min() {
            Some(most) => change.end_surplus(new, most).await,
            None => Ok(Vec::new()),
        }
    }

    fn session(
        &self,
        token: &SessionToken,
        of: PrincipalId,
        request: &ApiRequest,
        terms: &Terms,
    ) -> Session {
        let now = self.clock.now();
        let (lifetime, idle) = if terms.pending {
            (PENDING, PENDING)
        } else {
            (self.settings.lifetime, self.settings.idle)
        };
        Session {
            id: token.id(),
            principal: of,
            secret_hash: self.pepper.hash(token.secret()),
            created_at: now,
            authenticated_at: now,
            expires_at: now + lifetime,
            idle,
            last_active_at: now,
            address: request.ip,
            user_agent: request.user_agent.clone().unwrap_or_default(),
            methods: terms.methods.clone(),
            pending: terms.pending,
            vouched_by: None,
            revoked_at: None,
        }
    }

    /// The tenants that somebody may come in to without the word of a provider that they ask for.
    fn glass(&self, session: &Session) -> Vec<String> {
        let table = self.tables.current();
        let tenants = table.glass_of(session.principal);
        let tenants: Vec<_> = tenants
            .filter(|tenant| session.vouched_by != Some(tenant.id) && !session.pending)
            .map(|tenant| tenant.slug.to_string())
            .collect();
        if !tenants.is_empty() {
            let of = session.principal;
            tracing::warn!(principal = %of, ?tenants, "somebody comes in without the tenant's provider");
            for tenant in &tenants {
                self.metrics.sign_in.count_broken_glass(tenant);
            }
        }
        tenants
    }

    /// With these tenants, if there are any.
    fn noting_glass(&self, done: Done, session: &Session) -> Done {
        match self.glass(session) {
            none if none.is_empty() => done,
            tenants => done.detail("break_glass", tenants),
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
