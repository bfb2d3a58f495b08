//! What a tenant or a project asks of the sessions that it is used with.

use serde::{Deserialize, Serialize};

use super::{Mfa, PrincipalId};

const MAX_IDLE_MINUTES: u32 = 30 * 24 * 60;
const MAX_LIFETIME_HOURS: u32 = 90 * 24;
const MAX_SESSIONS: u32 = 1000;
const RE_AUTH_SECONDS: std::ops::RangeInclusive<u32> = 60..=86_400;
/// How old a sign-in may be for what is sensitive, if nobody says, in seconds.
const RE_AUTH_DEFAULT: u32 = 300;
const MAX_OPERATIONS: usize = 100;
const MAX_OPERATION: usize = 100;
const MAX_BREAK_GLASS: usize = 10;

/// Rules for sessions. What is absent is not asked for.
///
/// Those of a tenant and of its project hold side by side, and beside the platform's: whichever is
/// stricter decides.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SessionRules {
    /// How long a session may have rested.
    pub max_idle_minutes: Option<u32>,
    /// How long ago it may have begun.
    pub max_lifetime_hours: Option<u32>,
    /// How many sessions a person may have.
    pub max_concurrent_sessions: Option<u32>,
    /// One, whatever the number above.
    pub enforce_single_device: bool,
    /// Whether sensitive operations want a recent sign-in.
    pub require_re_auth_for_sensitive_ops: bool,
    /// Which these are: names of events.
    pub sensitive_operations: Vec<String>,
    /// How recent, in seconds.
    pub re_auth_max_age: Option<u32>,
    /// Whether two factors are asked for. Only `required` asks for anything.
    pub mfa: Option<Mfa>,
    /// Whether a session may be one that a password began.
    pub password_login: Option<bool>,
    /// Whether a session must be one that a provider of the tenant vouches for.
    pub enforce_sso: bool,
    /// Who may come in all the same when no provider works, with two factors.
    pub break_glass: Vec<PrincipalId>,
}

/// A value is out of its bounds; says which and what they are.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct UnreasonableRules(String);

impl SessionRules {
    /// Checks all values.
    ///
    /// # Errors
    ///
    /// Names every one that is out of its bounds.
    pub fn check(&self) -> Result<(), UnreasonableRules> {
        let mut wrong = Vec::new();
        let mut within = |name: &str, value: Option<u32>, bounds: std::ops::RangeInclusive<u32>| {
            if value.is_some_and(|value| !bounds.contains(&value)) {
                let (least, most) = bounds.into_inner();
                wrong.push(format!("`{name}` must be between {least} and {most}"));
            }
        };
        within(
            "max_idle_minutes",
            self.max_idle_minutes,
            1..=MAX_IDLE_MINUTES,
        );
        within(
            "max_lifetime_hours",
            self.max_lifetime_hours,
            1..=MAX_LIFETIME_HOURS,
        );
        within(
            "max_concurrent_sessions",
            self.max_concurrent_sessions,
            1..=MAX_SESSIONS,
        );
        within("re_auth_max_age", self.re_auth_max_age, RE_AUTH_SECONDS);
        if self.break_glass.len() > MAX_BREAK_GLASS {
            wrong.push(format!(
                "`break_glass` are {MAX_BREAK_GLASS} people at most"
            ));
        }
        let operations = &self.sensitive_operations;
        if operations.len() > MAX_OPERATIONS || !operations.iter().all(|it| is_event(it)) {
            wrong.push(format!(
                "`sensitive_operations` are at most {MAX_OPERATIONS} names of events, each of \
                 letters, digits, `_` and `.`"
            ));
        }
        match &*wrong {
            [] => Ok(()),
            _ => Err(UnreasonableRules(wrong.join("; "))),
        }
    }

    /// How many sessions a person may have.
    #[must_use]
    pub fn most_sessions(&self) -> Option<u32> {
        if self.enforce_single_device {
            return Some(1);
        }
        self.max_concurrent_sessions
    }

    /// Whether this person may come in without a provider's word, if it is asked for.
    #[must_use]
    pub fn breaks_glass(&self, who: PrincipalId) -> bool {
        self.break_glass.contains(&who)
    }

    /// Whether a password is of no use to this person.
    #[must_use]
    pub fn takes_no_password(&self, of: PrincipalId) -> bool {
        self.password_login == Some(false) || (self.enforce_sso && !self.breaks_glass(of))
    }

    /// How old a sign-in may be for this operation by all of these rules, in seconds; `None`: of
    /// any age.
    pub fn max_age_for<'r>(
        operation: &str,
        all: impl Iterator<Item = &'r Self> + Clone,
    ) -> Option<u32> {
        let is_sensitive =
            |rules: &Self| rules.sensitive_operations.iter().any(|it| it == operation);
        let wanted = all
            .clone()
            .any(|rules| rules.require_re_auth_for_sensitive_ops)
            && all.clone().any(is_sensitive);
        let ages = all.filter_map(|rules| rules.re_auth_max_age);
        wanted.then(|| ages.min().unwrap_or(RE_AUTH_DEFAULT))
    }
}

fn is_event(text: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.');
    (1..=MAX_OPERATION).contains(&text.len()) && text.bytes().all(is_part)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(json: &str) -> SessionRules {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn every_value_has_bounds_and_all_mistakes_are_told() {
        assert_eq!(rules("{}").check(), Ok(()));
        let most = r#"{"max_idle_minutes": 43200, "max_lifetime_hours": 2160, "mfa": "required",
            "max_concurrent_sessions": 1000, "re_auth_max_age": 86400, "password_login": false,
            "sensitive_operations": ["deployment.create"]}"#;
        assert_eq!(rules(most).check(), Ok(()));
        let wrong = r#"{"max_idle_minutes": 0, "max_lifetime_hours": 2161, "re_auth_max_age": 59,
            "max_concurrent_sessions": 0, "sensitive_operations": ["a b"]}"#;
        let told = rules(wrong).check().unwrap_err().to_string();
        assert_eq!(told.matches("must be between").count(), 4, "{told}");
        assert!(told.contains("`sensitive_operations`"), "{told}");
        assert!(serde_json::from_str::<SessionRules>(r#"{"mfa": "always"}"#).is_err());
        assert!(serde_json::from_str::<SessionRules>(r#"{"max_idle": 3}"#).is_err());
    }

    #[test]
    fn what_is_sensitive_is_said_by_either_and_the_shorter_age_counts() {
        let tenant =
            rules(r#"{"require_re_auth_for_sensitive_ops": true, "re_auth_max_age": 900}"#);
        let project =
            rules(r#"{"sensitive_operations": ["model.promoted"], "re_auth_max_age": 60}"#);
        let age =
            |of: &[&SessionRules], it: &str| SessionRules::max_age_for(it, of.iter().copied());
        assert_eq!(age(&[&tenant, &project], "model.promoted"), Some(60));
        assert_eq!(age(&[&tenant, &project], "model.read"), None);
        assert_eq!(age(&[&project], "model.promoted"), None);
        assert_eq!(age(&[&tenant], "model.promoted"), None);
        let alone = rules(
            r#"{"require_re_auth_for_sensitive_ops": true, "sensitive_operations": ["a.b"]}"#,
        );
        assert_eq!(age(&[&alone], "a.b"), Some(RE_AUTH_DEFAULT));
        assert_eq!(age(&[], "a.b"), None);
    }

    #[test]
    fn a_single_device_is_one_session() {
        let both = rules(r#"{"enforce_single_device": true, "max_concurrent_sessions": 5}"#);
        assert_eq!(both.most_sessions(), Some(1));
        assert_eq!(
            rules(r#"{"max_concurrent_sessions": 5}"#).most_sessions(),
            Some(5)
        );
        assert_eq!(rules("{}").most_sessions(), None);
    }
}
