//! Whether a session is good enough for a tenant and a project, by their own rules.
//!
//! What is asked of a person in one tenant is asked nowhere else, or whoever runs a tenant could
//! keep people out of others by taking them in.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};

use super::super::{Because, Completeness, DenialReason, Route, SignIn, Subject};
use crate::domain::{Assurance, Method, Mfa, Project, SessionRules, Tenant};

/// A session at a moment. A key has no standing: no rule is about it.
#[derive(Clone, Debug)]
pub struct Standing {
    sign_in: Arc<SignIn>,
    at: DateTime<Utc>,
    rested: TimeDelta,
}

impl Standing {
    /// Before the request of this moment counts as a use.
    pub(in crate::policy) fn of(subject: &Subject, at: DateTime<Utc>) -> Option<Self> {
        let sign_in = subject.credential.sign_in.clone()?;
        Some(Self::new(sign_in, at))
    }

    /// That of who signed in so.
    #[must_use]
    pub fn new(sign_in: Arc<SignIn>, at: DateTime<Utc>) -> Self {
        let rested = sign_in.activity.rested(at);
        Self {
            sign_in,
            at,
            rested,
        }
    }

    /// Whether it is good enough there, for this route.
    pub(in crate::policy) fn suffices(
        &self,
        route: &Route,
        tenant: Option<&Tenant>,
        project: Option<&Project>,
    ) -> Result<(), DenialReason> {
        // Where somebody proves anew who they are, they have not done so yet.
        if route.completeness < Completeness::Complete {
            return Ok(());
        }
        self.admits(&route.event, tenant, project)
    }

    /// Whether it is good enough there, for this operation.
    ///
    /// # Errors
    ///
    /// What is asked for and not met.
    pub fn admits(
        &self,
        operation: &str,
        tenant: Option<&Tenant>,
        project: Option<&Project>,
    ) -> Result<(), DenialReason> {
        let of_tenant = tenant.and_then(|tenant| tenant.session_rules.as_deref());
        let of_project = project.and_then(|project| project.session_rules.as_deref());
        let all = [of_tenant, of_project].into_iter().flatten();
        for rules in all.clone() {
            self.is_vouched_for(rules, tenant)?;
            self.meets(rules)?;
        }
        match SessionRules::max_age_for(operation, all) {
            Some(most) => self.is_young(TimeDelta::seconds(most.into()), Because::Sensitive),
            None => Ok(()),
        }
    }

    /// Where it is asked for, a provider of the tenant has said who it is; or it is one of few,
    /// who has proved two factors.
    fn is_vouched_for(
        &self,
        rules: &SessionRules,
        tenant: Option<&Tenant>,
    ) -> Result<(), DenialReason> {
        let sign_in = &self.sign_in;
        if !rules.enforce_sso || tenant.is_some_and(|it| sign_in.vouched_by == Some(it.id)) {
            return Ok(());
        }
        if !rules.breaks_glass(sign_in.principal) {
            return Err(DenialReason::SsoRequired);
        }
        if sign_in.assurance() < Assurance::Aal2 {
            return Err(DenialReason::SecondFactor);
        }
        Ok(())
    }

    fn meets(&self, rules: &SessionRules) -> Result<(), DenialReason> {
        if rules.password_login == Some(false) && self.sign_in.methods.contains(&Method::Pwd) {
            return Err(DenialReason::PasswordLoginOff);
        }
        if rules.mfa == Some(Mfa::Required) && self.sign_in.assurance() < Assurance::Aal2 {
            return Err(DenialReason::SecondFactor);
        }
        if let Some(minutes) = rules.max_idle_minutes {
            let most = TimeDelta::minutes(minutes.into());
            within(self.rested, most, Because::Rested)?;
        }
        if let Some(hours) = rules.max_lifetime_hours {
            let most = TimeDelta::hours(hours.into());
            within(self.at - self.sign_in.created_at, most, Because::Old)?;
        }
        Ok(())
    }

    /// Whether somebody proved lately who they are.
    pub(super) fn is_young(&self, most: TimeDelta, because: Because) -> Result<(), DenialReason> {
        within(self.at - self.sign_in.authenticated_at, most, because)
    }
}

fn within(age: TimeDelta, most: TimeDelta, because: Because) -> Result<(), DenialReason> {
    if age <= most {
        return Ok(());
    }
    let max_age = most.num_seconds();
    Err(DenialReason::ReAuthenticate { max_age, because })
}
