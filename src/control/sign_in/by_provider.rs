//! Signing in by another service's word.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use super::passkeys::ceremony;
use super::providers::Known;
use super::recheck::{every, good_for};
use super::{Begun, Refusal, SEE_OTHER, SignIns};
use crate::authn::{
    Asserted, Errand, KeptTokens, Onward, ProviderError, Returned, SessionThere, SignInProvider,
};
use crate::config::Provider;
use crate::domain::{
    Actor, CeremonyId, Email, Method, PrincipalId, ReturnPath, SessionId, SessionToken, Slug,
    TenantId,
};
use crate::store::api::{ApiRequest, ApiTx};
use crate::store::{Attempt, Ceremony, Claims, GrantedBy, StoreError, There, WantedRole};

/// How long somebody may be away.
const PATIENCE: TimeDelta = TimeDelta::minutes(10);

/// A button.
#[derive(Debug)]
pub(in crate::control) struct Button {
    pub(in crate::control) name: Slug,
    pub(in crate::control) label: String,
}

/// The ways in which somebody can prove anew who they are.
#[derive(Debug)]
pub(in crate::control) struct Ways {
    /// At services that they have come from before.
    pub(in crate::control) providers: Vec<Button>,
    /// By a password.
    pub(in crate::control) password: bool,
    /// By a passkey.
    pub(in crate::control) passkeys: bool,
}

/// What is kept of somebody who is away.
#[derive(Debug, Deserialize, Serialize)]
pub(super) struct Away {
    pub(super) provider: String,
    /// Of their browser.
    pub(super) errand: String,
    pub(super) back: String,
    pub(super) secrets: Errand,
}

/// Where somebody goes.
#[derive(Debug)]
pub(in crate::control) struct Sent {
    pub(in crate::control) to: Onward,
    /// For their browser.
    pub(in crate::control) errand: String,
}

/// What somebody comes back with.
#[derive(Debug)]
pub(in crate::control) struct Answer {
    /// What they were sent with.
    pub(in crate::control) state: String,
    /// `None`: the service has said no.
    pub(in crate::control) code: Option<String>,
    /// RFC 9207.
    pub(in crate::control) issuer: Option<String>,
    /// Of their browser.
    pub(in crate::control) errand: Option<String>,
}

/// Somebody who has come back.
#[derive(Debug)]
pub(in crate::control) struct Back {
    pub(in crate::control) begun: Begun,
    pub(in crate::control) to: ReturnPath,
}

/// Somebody who is, or is to be, one of ours.
enum Member {
    Known(PrincipalId, String),
    Linked(PrincipalId, String),
    New(Email),
}

impl SignIns {
    /// The services that people can sign in at.
    pub(in crate::control) fn buttons(&self) -> Vec<Button> {
        self.buttons_if(|_| true)
    }

    /// Those of them whose word a tenant takes.
    pub(in crate::control) fn buttons_of(&self, tenant: &str) -> Vec<Button> {
        self.buttons_if(|known| known.settings.tenant.as_str() == tenant)
    }

    fn buttons_if(&self, wanted: impl Fn(&Known) -> bool) -> Vec<Button> {
        let all = self.providers.all();
        all.values()
            .filter(|known| wanted(known))
            .map(|known| Button {
                name: known.settings.name.clone(),
                label: known.settings.label.clone(),
            })
            .collect()
    }

    /// The ways in which somebody can prove anew who they are.
    pub(in crate::control) async fn ways_of(&self, of: PrincipalId) -> Result<Ways, StoreError> {
        let theirs = self.db.providers_of(of).await?;
        let mut providers = self.buttons();
        let all = Arc::clone(&self.providers.all());
        let proves = |name: &Slug| {
            all.get(name)
                .is_some_and(|known| known.service.proves_anew())
        };
        providers.retain(|button| {
            theirs.iter().any(|name| *name == button.name.as_str()) && proves(&button.name)
        });
        let has_password = self.db.password_of(of).await?.is_some();
        let factors = self.db.factors(of).await?;
        Ok(Ways {
            providers,
            password: has_password && !self.tables.current().is_closed_to_passwords(of),
            passkeys: self.has_passkeys() && !factors.passkeys.is_empty(),
        })
    }

    /// The service at which people of this address sign in, if it is one.
    pub(in crate::control) fn home_of(&self, typed: &str) -> Option<Slug> {
        let (_, domain) = typed.trim().rsplit_once('@')?;
        let domain = domain.to_lowercase();
        let all = self.providers.all();
        let home = all
            .values()
            .find(|known| known.settings.domains.contains(&domain))?;
        Some(home.settings.name.clone())
    }

    /// Sends somebody to a service. It counts as an attempt of their network until they come
    /// back well.
    pub(in crate::control) async fn send(
        &self,
        request: &ApiRequest,
        to: &str,
        (back, errand): (&ReturnPath, Option<&str>),
        anew: bool,
    ) -> Result<Sent, Refusal> {
        let known = self.provider(to)?;
        let state = ceremony();
        if let Some(wait) = self
            .admit(&self.attempt_away(state, request), request)
            .await?
        {
            return Err(Refusal::Throttled(wait));
        }
        let text = state.0.simple().to_string();
        let (to, secrets) = known.service.send(&text, anew).await.map_err(|error| {
            tracing::error!(provider = %known.settings.name, %error, "nobody can be sent there");
            Refusal::Away
        })?;
        // Whoever signs in in two tabs is away twice, with one browser.
        let errand = errand.filter(|errand| errand.parse::<Uuid>().is_ok());
        let errand = errand.map_or_else(|| ceremony().0.simple().to_string(), str::to_owned);
        let away = Away {
            provider: known.settings.name.to_string(),
            errand: errand.clone(),
            back: back.as_str().to_owned(),
            secrets,
        };
        let now = self.clock.now();
        let kept = Ceremony {
            id: state,
            session: None,
            state: json!(away),
            expires_at: now + PATIENCE,
        };
        self.db.begin_ceremony(&kept, now).await?;
        Ok(Sent { to, errand })
    }

    /// Signs in who comes back (`session.created`, else `session.refused`).
    pub(in crate::control) async fn by_provider(
        &self,
        request: ApiRequest,
        from: &str,
        answer: Answer,
        former: Option<(PrincipalId, SessionId)>,
    ) -> Result<Back, Refusal> {
        let Some((state, away)) = self.away(from, &answer).await? else {
            let why = "not sent there by us, or too long ago";
            return Err(self.nobody(&request, from, ("sso_state", why)).await);
        };
        let known = self.provider(from)?;
        let Some(code) = answer.code else {
            let why = "the service has said no";
            return Err(self.nobody(&request, from, ("sso_refused", why)).await);
        };
        let issuer = answer.issuer;
        let received = if let SignInProvider::Saml(_) = known.service {
            let errand = (&known.settings.name, state);
            self.redeemed(errand, &away.secrets, &code).await
        } else {
            let returned = Returned { code, issuer };
            known.service.receive(away.secrets, returned).await
        };
        let asserted = match received {
            Ok(asserted) => asserted,
            Err(ProviderError::Refused(why)) => {
                return Err(self.nobody(&request, from, ("sso_refused", &why)).await);
            }
            Err(ProviderError::Unavailable(why)) => {
                let told = ("sso_unavailable", &*why);
                return Err(match self.nobody(&request, from, told).await {
                    Refusal::Wrong => Refusal::Away,
                    failed => failed,
                });
            }
        };
        let Some(tenant) = self.tenant_of(&known) else {
            let why = "its tenant does not exist";
            return Err(self.nobody(&request, from, ("sso_refused", why)).await);
        };
        let member = match self.member(&known, tenant, &asserted).await? {
            Ok(member) => member,
            Err(reason) => {
                let told = (reason, &*asserted.subject);
                return Err(self.nobody(&request, from, told).await);
            }
        };
        let attempt = self.attempt_away(state, &request);
        let whose = (&*known, tenant, &asserted);
        let begun = self.begin_by_word(request, whose, member, former, &attempt);
        Ok(Back {
            begun: begun.await?,
            to: away.back.parse().unwrap_or_default(),
        })
    }

    /// What becomes of who is not signed in, once its event is on record.
    pub(super) async fn nobody(
        &self,
        request: &ApiRequest,
        from: &str,
        (reason, why): (&'static str, &str),
    ) -> Refusal {
        tracing::info!(provider = from, reason, why, "nobody was signed in");
        let recorded = self.refused(request.clone(), None, reason).await;
        recorded.map_or_else(Refusal::from, |()| Refusal::Wrong)
    }

    pub(super) fn provider(&self, name: &str) -> Result<Arc<Known>, Refusal> {
        let name = name.parse::<Slug>().map_err(|_| Refusal::Wrong)?;
        let all = self.providers.all();
        all.get(&name).map(Arc::clone).ok_or(Refusal::Wrong)
    }

    pub(super) fn tenant_of(&self, known: &Known) -> Option<TenantId> {
        let table = self.tables.current();
        Some(table.tenant_by_slug(&known.settings.tenant)?.id)
    }

    /// What was kept of this browser's errand to this service, once.
    async fn away(
        &self,
        from: &str,
        answer: &Answer,
    ) -> Result<Option<(CeremonyId, Away)>, StoreError> {
        let (Ok(state), Some(errand)) = (answer.state.parse::<Uuid>(), &answer.errand) else {
            return Ok(None);
        };
        let state = CeremonyId(state);
        let kept = self.db.take_ceremony(state, None, self.clock.now()).await?;
        let away = kept.and_then(|kept| serde_json::from_value::<Away>(kept).ok());
        Ok(away
            .filter(|away| away.provider == from && away.errand == *errand)
            .map(|away| (state, away)))
    }

    /// Who it is here; the reason if it is nobody.
    async fn member(
        &self,
        known: &Known,
        tenant: TenantId,
        asserted: &Asserted,
    ) -> Result<Result<Member, &'static str>, StoreError> {
        let settings = &known.settings;
        if let Some(found) = self.db.identity(&settings.name, &asserted.subject).await? {
            return Ok(if found.issuer != asserted.issuer {
                Err("sso_issuer_changed")
            } else if found.disabled {
                Err("principal_disabled")
            } else {
                Ok(Member::Known(found.principal, found.email))
            });
        }
        let Some((email, is_own)) = address(settings, asserted) else {
            return Ok(Err("sso_email_unverified"));
        };
        let all = Arc::clone(&self.providers.all());
        let ours = all
            .values()
            .filter(|it| it.settings.tenant == settings.tenant);
        let ours: Vec<_> = ours.map(|it| it.settings.name.to_string()).collect();
        let found = self.db.linkable(email.as_str(), (tenant, &ours)).await?;
        let Some(found) = found else {
            let admitted = settings.auto_provision;
            return Ok(admitted
                .then_some(Member::New(email))
                .ok_or("sso_not_invited"));
        };
        let may_link = found.is_invited || (settings.link_by_email && is_own && !found.is_others);
        Ok(if found.disabled {
            Err("principal_disabled")
        } else if may_link {
            Ok(Member::Linked(found.principal, email.to_string()))
        } else {
            Err("sso_account_exists")
        })
    }

    async fn begin_by_word(
        &self,
        mut request: ApiRequest,
        (known, tenant, asserted): (&Known, TenantId, &Asserted),
        member: Member,
        former: Option<(PrincipalId, SessionId)>,
        attempt: &Attempt,
    ) -> Result<Begun, StoreError> {
        let provider = &known.settings.name;
        let token = SessionToken::generate(&mut StdRng::from_os_rng());
        request.credential = Some(token.id().to_string());
        request.actor = Actor {
            kind: "user",
            id: None,
            email: None,
        };
        let now = self.clock.now();
        let mut change = self
            .db
            .act_for(Claims::Gateway, request.clone(), now)
            .await?;
        let identity = (&*asserted.issuer, &*asserted.subject);
        let (id, email, how) = match member {
            Member::Known(id, email) => {
                if !change.use_identity(provider, identity.1, id).await? {
                    return Err(StoreError::Conflict("the identity is gone".to_owned()));
                }
                (id, email, "known")
            }
            Member::Linked(id, email) => {
                change.link_identity(provider, identity, id).await?;
                (id, email, "linked")
            }
            Member::New(email) => {
                let name = asserted.name.as_deref().unwrap_or(email.as_str());
                let user = change.provision(email.as_str(), name, tenant).await?;
                change.link_identity(provider, identity, user.id).await?;
                (user.id, email.to_string(), "provisioned")
            }
        };
        change.is_by(id, &email);
        let roles = grant(&mut change, id, known, tenant, asserted).await?;
        change.take_turn(id).await?;
        let terms = self.by_one_factor(&mut change, id, Method::Fed).await?;
        let mut session = self.session(&token, id, &request, &terms);
        // What they have proved there long ago is no recent sign-in.
        let mut proved = asserted.authenticated_at.unwrap_or(now).min(now);
        if let Some((_, former)) = former
            && !known.service.proves_anew()
            && let Some(former) = self.on_record(former).await?
        {
            proved = proved.min(former.authenticated_at);
        }
        session.authenticated_at = proved;
        session.vouched_by = Some(tenant);
        // It cannot be asked again with nothing to ask with. Whatever takes this session's place
        // rests on the same word, and lives no longer than this one would.
        let is_for_once = asserted.kept.refresh.is_none();
        let unasked = good_for(known).filter(|_| is_for_once);
        let said = asserted
            .ends_at
            .into_iter()
            .chain(unasked.map(|good| now + good));
        let good_until = said.fold(now + self.settings.lifetime, Ord::min);
        session.expires_at = session.expires_at.min(good_until);
        // It may be one of those that would have to make room.
        let former = former.filter(|(of, _)| *of == id).map(|(_, former)| former);
        if let Some(former) = former {
            change.end_session(id, former).await?;
        }
        let mut ended = self.accept(&mut change, &session, &[attempt]).await?;
        ended.extend(former);
        let done = change.begin_session(&session, &ended).await?;
        if let Some(there) = &asserted.session {
            let from = There {
                provider,
                name: &there.name,
                index: there.index.as_deref(),
            };
            let tokens = self.tokens_of(known, &there.name, &asserted.kept, now);
            let tokens = tokens.as_ref().map(|(sealed, ask_at)| (&**sealed, *ask_at));
            let there = SessionThere {
                ends_at: Some(good_until),
                ..there.clone()
            };
            change
                .came_from(session.id, from, json!(there), tokens)
                .await?;
        }
        let done = done
            .detail("provider", provider.as_str())
            .detail("subject", &*asserted.subject)
            .detail("account", how)
            .detail("roles", roles);
        change.commit(done, SEE_OTHER).await?;
        let pending = terms.pending;
        Ok(Begun {
            token,
            pending,
            device: None,
        })
    }

    /// Tokens as they are kept, if there are any, and when they are to be used.
    fn tokens_of(
        &self,
        known: &Known,
        subject: &str,
        kept: &KeptTokens,
        now: DateTime<Utc>,
    ) -> Option<(Vec<u8>, Option<DateTime<Utc>>)> {
        let every = every(known).filter(|_| kept.refresh.is_some());
        // What is not used is not kept.
        let kept = KeptTokens {
            refresh: kept.refresh.clone().filter(|_| every.is_some()),
            id: kept.id.clone(),
        };
        let provider = &known.settings.name;
        (kept != KeptTokens::default()).then(|| {
            let sealed = self.sealed(provider, subject, &kept);
            (sealed, every.map(|every| now + every))
        })
    }

    pub(super) fn attempt_away(&self, state: CeremonyId, request: &ApiRequest) -> Attempt {
        // A guess at a password is another thing, and neither keeps the other from being made.
        let guess = self.attempt("", request, None);
        Attempt {
            account: self.account(state.0.as_bytes()),
            source: format!("away:{}", guess.source),
        }
    }
}

/// The address that the service may speak for, and whether it is of a domain of its own.
fn address(settings: &Provider, asserted: &Asserted) -> Option<(Email, bool)> {
    let claimed = asserted.claimed_email.as_deref()?.to_lowercase();
    let email = claimed.parse::<Email>().ok()?;
    let (_, domain) = claimed.rsplit_once('@')?;
    let is_own = settings.domains.iter().any(|own| own == domain);
    let is_verified = asserted.email.is_some() && settings.domains.is_empty();
    (is_own || is_verified).then_some((email, is_own))
}

/// Exactly the roles that somebody's groups are worth.
async fn grant(
    change: &mut ApiTx,
    of: PrincipalId,
    known: &Known,
    tenant: TenantId,
    asserted: &Asserted,
) -> Result<Value, StoreError> {
    let wanted = wanted(known, asserted);
    let provider = &known.settings.name;
    let by = GrantedBy { provider, tenant };
    let changed = change.grant_by_provider(of, by, &wanted).await?;
    if changed["unknown"] != json!([]) {
        let unknown = &changed["unknown"];
        tracing::warn!(%provider, %unknown, "roles or projects that do not exist are not given");
    }
    Ok(changed)
}

/// The roles that somebody's groups are worth.
pub(super) fn wanted(known: &Known, asserted: &Asserted) -> Vec<WantedRole> {
    let is_theirs = |group: &Option<String>| {
        group
            .as_ref()
            .is_none_or(|group| asserted.groups.contains(group))
    };
    let mut wanted: Vec<WantedRole> = Vec::new();
    for grant in known
        .settings
        .grants
        .iter()
        .filter(|it| is_theirs(&it.group))
    {
        let role = WantedRole {
            role: grant.role.clone(),
            project: grant.project.clone(),
        };
        if !wanted.contains(&role) {
            wanted.push(role);
        }
    }
    wanted
}
