//! Sessions, and the rules of tenants and projects for them.

use chrono::{TimeDelta, Utc};

use super::objects::{lists_models, named, owner};
use super::*;
use crate::domain::{Method, Mfa, SessionId, SessionRules};
use crate::policy::{Activity, SignIn};

/// 101 views a project of each tenant, and a model of theirs is listed.
fn world(rules: SessionRules) -> World {
    let viewed = |project| Scope::Project(ProjectId(id(project)));
    let mut world = World::new().bind(31, viewed(10)).bind(31, viewed(20));
    world.rows.tenants[1].session_rules = Some(rules.into());
    world
}

fn session(begun: DateTime<Utc>, used: DateTime<Utc>, methods: &[Method]) -> Authentication {
    vouched(begun, used, methods, None)
}

/// One whose holder a provider of this tenant knows.
fn vouched(
    begun: DateTime<Utc>,
    used: DateTime<Utc>,
    methods: &[Method],
    by: Option<u128>,
) -> Authentication {
    let sign_in = SignIn {
        principal: PrincipalId(id(101)),
        vouched_by: by.map(|tenant| TenantId(id(tenant))),
        session: SessionId(id(7)),
        created_at: begun,
        activity: Activity::new(used).into(),
        authenticated_at: begun,
        methods: methods.to_vec(),
        pending: false,
    };
    Authentication::Authenticated(Subject {
        principal: Arc::new(principal(101)),
        credential: Arc::new(CredentialLimits {
            sign_in: Some(sign_in.into()),
            ..CredentialLimits::none()
        }),
    })
}

impl World {
    /// Whether 101 sees what is whose, in a list of all.
    fn shows(&self, authentication: Authentication) -> [bool; 2] {
        let mut asking = self.asks(101);
        asking.authentication = authentication;
        asking.requirement = self.permission(READ);
        asking.shape = lists_models;
        asking.named = Some((Vec::new(), Vec::new()));
        let Decision::Permitted(permit) = asking.decide() else {
            panic!("a list is permitted");
        };
        let table = self.table();
        [10, 20].map(|project| permit.sees(&table, &named(true), &owner(1, project)))
    }
}

#[test]
fn a_list_lacks_what_a_session_is_not_good_enough_for() {
    // That of the questions.
    let now = DateTime::UNIX_EPOCH;
    let ago = |minutes| now - TimeDelta::minutes(minutes);
    let young = || session(now, now, &[Method::Pwd]);
    for (what, rules, bad, good) in [
        (
            "two factors",
            SessionRules {
                mfa: Some(Mfa::Required),
                ..SessionRules::default()
            },
            young(),
            session(now, now, &[Method::Pwd, Method::Otp]),
        ),
        (
            "no password",
            SessionRules {
                password_login: Some(false),
                ..SessionRules::default()
            },
            young(),
            session(now, now, &[Method::Pop]),
        ),
        (
            "no rest",
            SessionRules {
                max_idle_minutes: Some(5),
                ..SessionRules::default()
            },
            session(ago(9), ago(6), &[Method::Pwd]),
            session(ago(9), ago(5), &[Method::Pwd]),
        ),
        (
            "youth",
            SessionRules {
                max_lifetime_hours: Some(1),
                ..SessionRules::default()
            },
            session(ago(61), now, &[Method::Pwd]),
            session(ago(60), now, &[Method::Pwd]),
        ),
        (
            "the word of its own provider, not that of another's",
            SessionRules {
                enforce_sso: true,
                ..SessionRules::default()
            },
            vouched(now, now, &[Method::Fed], Some(1)),
            vouched(now, now, &[Method::Fed], Some(2)),
        ),
        (
            "no passkey instead",
            SessionRules {
                enforce_sso: true,
                break_glass: vec![PrincipalId(id(102))],
                ..SessionRules::default()
            },
            session(now, now, &[Method::Pop]),
            vouched(now, now, &[Method::Fed], Some(2)),
        ),
        (
            "two factors of who may come in all the same",
            SessionRules {
                enforce_sso: true,
                break_glass: vec![PrincipalId(id(101))],
                ..SessionRules::default()
            },
            young(),
            session(now, now, &[Method::Pwd, Method::Otp]),
        ),
    ] {
        let world = world(rules);
        assert_eq!(world.shows(bad), [true, false], "{what}");
        assert_eq!(world.shows(good), [true, true], "{what}");
        let key = Authentication::Authenticated(Subject {
            principal: Arc::new(principal(101)),
            credential: CredentialLimits::none().into(),
        });
        assert_eq!(world.shows(key), [true, true], "{what}");
    }
}
