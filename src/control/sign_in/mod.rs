//! From a name and a password to a session.

mod throttle;

use std::sync::Arc;

use axum::http::HeaderMap;
use hmac::{Hmac, KeyInit as _, Mac as _};
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use secrecy::SecretString;
use sha2::Sha256;
use unicode_normalization::UnicodeNormalization as _;

use self::throttle::Throttle;
use crate::authn::{Checked, HashError, Password, Passwords};
use crate::clock::Clock;
use crate::config::SignIn as Settings;
use crate::domain::{Actor, Email, Method, Pepper, PrincipalId, Session, SessionId, SessionToken};
use crate::policy::is_same_origin;
use crate::store::api::ApiRequest;
use crate::store::{Account, Attempt, Claims, Db, Done, Rehashed, StoreError};

/// Signs people in.
#[derive(Clone, Debug)]
pub struct SignIns {
    db: Db,
    passwords: Passwords,
    pepper: Pepper,
    clock: Clock,
    settings: Settings,
    accounts: Arc<[u8; 32]>,
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

/// What somebody typed.
#[derive(Debug)]
pub(super) struct Typed {
    pub(super) name: String,
    pub(super) password: SecretString,
}

impl SignIns {
    /// By these settings, on a machine with as many cores.
    #[must_use]
    pub fn new(db: Db, pepper: Pepper, clock: Clock, settings: Settings, cores: usize) -> Self {
        Self {
            db,
            passwords: Passwords::new(cores),
            accounts: Arc::new(pepper.derive(b"accounts of sign-in attempts")),
            pepper,
            clock,
            settings,
        }
    }

    /// Signs somebody in by password. Whatever is wrong, it takes the same work to say so.
    pub(super) async fn by_password(
        &self,
        request: ApiRequest,
        typed: &Typed,
    ) -> Result<SessionToken, Refusal> {
        let email = normal(&typed.name).parse::<Email>().ok();
        let attempt = self.attempt(&typed.name, &request);
        let throttle = Throttle::at(self.clock.now());
        let failures = self.db.failures(&attempt, throttle.since()).await?;
        if let Some(wait) = throttle.wait(&failures) {
            self.refused(request, email.as_ref(), "throttled").await?;
            return Err(Refusal::Throttled(wait));
        }
        self.db
            .count_attempt(&attempt, throttle.since(), self.clock.now())
            .await?;
        let account = match &email {
            Some(email) => self.db.account(email).await?,
            None => None,
        };
        let password = Password::parse(&typed.password).ok();
        let hash = account.as_ref().and_then(|account| account.hash.clone());
        let checked = self.passwords.check(password.clone(), hash.clone()).await?;
        let (Checked::Right { outdated }, Some(account)) =
            (checked, account.filter(|account| !account.disabled))
        else {
            let reason = "credentials_wrong";
            self.refused(request, email.as_ref(), reason).await?;
            return Err(Refusal::Wrong);
        };
        let rehashed = match (password, hash) {
            (Some(password), Some(former)) if outdated => {
                let mut rng = StdRng::from_os_rng();
                let hash = self.passwords.hash(password, &mut rng).await?;
                Some(Rehashed { former, hash })
            }
            _ => None,
        };
        let begun = self.begin(request, &account, email, &attempt, rehashed);
        Ok(begun.await?)
    }

    async fn begin(
        &self,
        mut request: ApiRequest,
        account: &Account,
        email: Option<Email>,
        attempt: &Attempt,
        rehashed: Option<Rehashed>,
    ) -> Result<SessionToken, StoreError> {
        request.actor = Actor {
            kind: "user",
            id: Some(account.id.to_string()),
            email: email.map(|email| email.as_str().to_owned()),
        };
        let token = SessionToken::generate(&mut StdRng::from_os_rng());
        request.credential = Some(token.id().to_string());
        let session = self.session(&token, account.id, &request);
        let now = self.clock.now();
        let mut change = self.db.act_for(Claims::Gateway, request, now).await?;
        if let Some(rehashed) = rehashed {
            change.rehash(account.id, &rehashed).await?;
        }
        let done = change.begin_session(&session, attempt).await?;
        change.commit(done, SEE_OTHER).await?;
        Ok(token)
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

    /// Ends the session that a request came with.
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

    async fn refused(
        &self,
        request: ApiRequest,
        email: Option<&Email>,
        reason: &'static str,
    ) -> Result<(), StoreError> {
        let now = self.clock.now();
        let change = self.db.act_for(Claims::Gateway, request, now).await?;
        // Only what looks like an address is kept: people type passwords in the wrong field.
        let name = email.map_or("", Email::as_str);
        let done = Done::new("session.refused", "account", name).refused(reason);
        change.commit(done, UNAUTHORIZED).await
    }

    fn attempt(&self, name: &str, request: &ApiRequest) -> Attempt {
        let mac = Hmac::<Sha256>::new_from_slice(&*self.accounts);
        let account = mac.map_or([0; 32], |mac| {
            let name = normal(name);
            mac.chain_update(name.as_bytes())
                .finalize()
                .into_bytes()
                .into()
        });
        Attempt {
            account,
            source: throttle::source(request.ip),
        }
    }

    /// What a form of a signed-in person must hold besides their cookie.
    pub(super) fn form_token(&self, session: SessionId) -> String {
        let key = self.pepper.derive(b"form tokens");
        let mac = Hmac::<Sha256>::new_from_slice(&key);
        let mac = mac.map(|mac| {
            mac.chain_update(session.0.as_bytes())
                .finalize()
                .into_bytes()
        });
        mac.map_or_else(|_| String::new(), |mac| hex(&mac))
    }

    /// Whether a form holds it.
    pub(super) fn is_own_form(&self, session: SessionId, sent: &str) -> bool {
        let own = self.form_token(session);
        !own.is_empty()
            && own.len() == sent.len()
            && openssl::memcmp::eq(own.as_bytes(), sent.as_bytes())
    }

    /// Whether the browser says that a request is from a page of ours.
    pub(super) fn is_from_own_page(headers: &HeaderMap) -> bool {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let (scheme, host) = (text("x-forwarded-proto"), text("host"));
        is_same_origin(
            headers,
            scheme.unwrap_or_default(),
            host.unwrap_or_default(),
        )
    }
}

const SEE_OTHER: u16 = 303;
const UNAUTHORIZED: u16 = 401;

/// One spelling of a name: what looks alike counts as one.
fn normal(name: &str) -> String {
    name.trim().nfkc().collect::<String>().to_lowercase()
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
