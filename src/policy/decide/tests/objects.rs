//! Objects that a request names, and lists of them.

use std::collections::BTreeMap;

use super::super::super::{FilterRule, Permit, ResourceRule};
use super::*;
use crate::domain::{ResourceId, Whose};

pub(super) fn owner(resource: u128, project: u128) -> Owner {
    Owner {
        resource: ResourceId(id(resource)),
        project: ProjectId(id(project)),
        labels: Arc::new(BTreeMap::new()),
    }
}

fn object(resource: u128, project: u128) -> Scope {
    Scope::Resource {
        project: ProjectId(id(project)),
        id: ResourceId(id(resource)),
    }
}

pub(super) fn named(enforced: bool) -> Named {
    Named {
        kind: "model".into(),
        id: "m".into(),
        enforced,
        may_be_absent: false,
    }
}

fn names_a_model(route: &mut Route) {
    route.resource = Some(ResourceRule {
        visible: None,
        kind: "model".into(),
        ids: vec![Source::Query("m".into())],
        optional: false,
        absent: false,
        backend: false,
        forms: Vec::new(),
    });
}

pub(super) fn lists_models(route: &mut Route) {
    route.objects.filters = vec![FilterRule {
        items: "/models".parse().unwrap(),
        kind: "model".into(),
        id: "/id".parse().unwrap(),
        optional: false,
    }];
}

impl Asking<'_> {
    /// About objects with these owners.
    fn about(mut self, owners: &[Option<Owner>]) -> Self {
        self.shape = names_a_model;
        let all = owners.iter().map(|_| named(true)).collect();
        let whose = |owner: &Option<Owner>| owner.clone().map_or(Whose::Nobodys, Whose::Owned);
        self.named = Some((all, owners.iter().map(whose).collect()));
        self
    }

    fn listing(mut self) -> Self {
        self.shape = lists_models;
        self.named = Some((Vec::new(), Vec::new()));
        self
    }

    fn permit(self) -> Permit {
        match self.decide() {
            Decision::Permitted(permit) => permit,
            Decision::Denied(denial, _) => panic!("{denial:?}"),
        }
    }

    fn screened(&self) -> &'static str {
        self.ask(|question| screen(question).map_or_else(|it| it.0.code(), |()| "may go on"))
    }
}

#[test]
fn an_object_is_open_to_whoever_may_in_its_project() {
    let own = [Some(owner(1000, 10))];
    for (role, scope, verdict) in [
        (30, fraud(), "by owner"),
        (32, Scope::Tenant(TenantId(id(1))), "by client_admin"),
        (33, Scope::Platform, "by superadmin"),
        (31, fraud(), "permission_missing"),
    ] {
        let world = World::new().bind(role, scope);
        let asked = world.asks(101).about(&own);
        let permitted = asked.ask(decide);
        if let Decision::Permitted(permit) = permitted {
            assert_eq!(permit.project().unwrap().slug.as_str(), "fraud");
        }
        assert_eq!(asked.verdict(), verdict);
    }
}

#[test]
fn what_is_new_to_the_backend_is_nobody_elses() {
    let world = World::new().bind(30, fraud());
    let asks = |may_be_absent: bool, whose: Whose| {
        let mut asked = world.asks(101).about(&[Some(owner(1000, 10)), None]);
        if let Some((named, owners)) = &mut asked.named {
            named[1].may_be_absent = may_be_absent;
            owners[1] = whose;
        }
        asked.verdict()
    };
    let own = world.asks(101).about(&[Some(owner(1000, 10))]).verdict();
    assert_eq!(asks(true, Whose::Absent), own);
    for (may_be_absent, whose) in [
        (false, Whose::Absent),
        (true, Whose::Nobodys),
        (true, Whose::Owned(owner(1001, 20))),
    ] {
        assert_eq!(asks(may_be_absent, whose), "resource_unknown");
    }
}

#[test]
fn unknown_nobodys_and_anothers_are_answered_alike() {
    let world = World::new().bind(30, fraud());
    let answers = [
        world.asks(101).about(&[None]),
        world.asks(101).about(&[Some(owner(1000, 20))]),
        world.asks(101).about(&[Some(owner(1000, 999))]),
        world.asks(101).about(&[Some(owner(1000, 10)), None]),
        world.asks(101).about(&[None, Some(owner(1000, 10))]),
        world
            .asks(101)
            .about(&[Some(owner(1000, 10)), Some(owner(1001, 20))]),
        world
            .asks(101)
            .limited(world.limits(None, Some(&[11])))
            .about(&[Some(owner(1000, 10))]),
        world
            .asks(101)
            .naming("globex/churn")
            .about(&[Some(owner(1000, 10))]),
        world
            .asks(101)
            .naming("none/none")
            .about(&[Some(owner(1000, 10))]),
    ];
    let messages: Vec<_> = answers
        .into_iter()
        .map(|asked| match asked.decide() {
            Decision::Denied(denial, facts) => {
                assert!(facts.project.is_none());
                (denial.code(), denial.message())
            }
            Decision::Permitted(_) => panic!("permitted"),
        })
        .collect();
    let expected = (
        "resource_unknown",
        "The resource does not exist.".to_owned(),
    );
    assert_eq!(messages, vec![expected; 9]);
}

#[test]
fn objects_of_two_own_projects_do_not_meet_in_one_request() {
    let world = World::new();
    let both = [Some(owner(1000, 11)), Some(owner(1001, 20))];
    assert_eq!(world.asks(199).about(&both).verdict(), "resource_unknown");
    let one = [Some(owner(1000, 11)), Some(owner(1001, 11))];
    assert_eq!(world.asks(199).about(&one).verdict(), "by owner");
}

#[test]
fn the_project_that_is_named_must_be_the_objects() {
    let world = World::new();
    let own = || world.asks(199).about(&[Some(owner(1000, 11))]);
    assert_eq!(own().naming("acme/risk").verdict(), "by owner");
    assert_eq!(own().naming("globex/churn").verdict(), "resource_unknown");
    let key = || world.limits(None, Some(&[11]));
    assert_eq!(own().limited(key()).verdict(), "by owner");
}

#[test]
fn a_route_that_names_objects_is_not_judged_without_them() {
    let world = World::new().bind(33, Scope::Platform);
    let mut asked = world.asks(101).naming("acme/fraud").about(&[]);
    asked.named = None;
    assert_eq!(asked.screened(), "may go on");
    assert_eq!(asked.verdict(), "internal_error");
    let mut short = world.asks(101).about(&[Some(owner(1000, 10))]);
    short.named.as_mut().unwrap().1.clear();
    assert_eq!(short.verdict(), "resource_unknown");
}

#[test]
fn what_the_backend_isolates_itself_needs_no_owner() {
    let world = World::new().bind(30, fraud());
    let mut asked = world.asks(101).naming("acme/fraud").about(&[None]);
    asked.named.as_mut().unwrap().0 = vec![named(false)];
    assert_eq!(asked.verdict(), "by owner");
}

#[test]
fn an_authenticated_route_checks_its_objects_too() {
    let world = World::new().bind(31, fraud());
    let asks = || world.asks(101).needing(Requirement::Authenticated);
    let own = asks().about(&[Some(owner(1000, 10))]);
    assert_eq!(own.verdict(), "without a role");
    let other = asks().about(&[Some(owner(1000, 20))]);
    assert_eq!(other.verdict(), "resource_unknown");
}

#[test]
fn a_binding_on_one_object_opens_that_one_alone() {
    let world = World::new().bind(30, object(1000, 10));
    let about = |resource, project| world.asks(101).about(&[Some(owner(resource, project))]);
    assert_eq!(about(1000, 10).verdict(), "by owner");
    assert_eq!(about(1001, 10).verdict(), "resource_unknown");
    assert_eq!(about(1000, 11).verdict(), "resource_unknown");
    assert_eq!(
        world.asks(101).naming("acme/fraud").verdict(),
        "project_closed"
    );
}

#[test]
fn an_explicit_denial_wins_over_every_role() {
    let acme = Scope::Tenant(TenantId(id(1)));
    for scope in [Scope::Platform, acme, fraud(), object(1000, 10)] {
        let role = match scope {
            Scope::Platform => 33,
            Scope::Tenant(_) => 32,
            _ => 30,
        };
        let world = World::new()
            .bind(33, Scope::Platform)
            .bind(30, fraud())
            .bind_as(role, scope, Effect::Deny);
        let asked = world.asks(101).about(&[Some(owner(1000, 10))]);
        assert_eq!(asked.verdict(), "explicitly_denied", "{scope}");
    }
}

#[test]
fn a_denial_elsewhere_or_of_something_else_changes_nothing() {
    let world = World::new()
        .bind(30, fraud())
        .bind_as(30, object(1001, 10), Effect::Deny)
        .bind_as(31, fraud(), Effect::Deny);
    let asked = || world.asks(101).about(&[Some(owner(1000, 10))]);
    assert_eq!(asked().verdict(), "by owner");
    let reading = asked().needing(world.permission(READ));
    assert_eq!(reading.verdict(), "explicitly_denied");
}

#[test]
fn a_denial_alone_opens_nothing() {
    let world = World::new().bind_as(30, fraud(), Effect::Deny);
    assert_eq!(
        world.asks(101).naming("acme/fraud").verdict(),
        "project_closed"
    );
    let object = world.asks(101).about(&[Some(owner(1000, 10))]);
    assert_eq!(object.verdict(), "resource_unknown");
}

#[test]
fn of_a_list_is_seen_what_could_be_asked_for() {
    let world = World::new()
        .bind(31, fraud())
        .bind(30, object(2000, 20))
        .bind_as(31, object(1001, 10), Effect::Deny);
    let table = world.table();
    let asks = || world.asks(101).needing(world.permission(READ)).listing();
    let all = [(1000, 10), (1001, 10), (2000, 20), (2001, 20), (3000, 11)];
    let seen = |asked: Asking<'_>| {
        let permit = asked.permit();
        let seen = all.map(|(resource, project)| {
            permit.sees(&table, &named(true), &owner(resource, project))
        });
        for (seen, (resource, project)) in seen.iter().zip(all) {
            let single = world.asks(101).needing(world.permission(READ));
            let single = single.about(&[Some(owner(resource, project))]).verdict();
            assert!(!seen || single.starts_with("by "), "{resource}: {single}");
        }
        seen
    };
    assert_eq!(seen(asks()), [true, false, true, false, false]);
    let one = asks().naming("acme/fraud");
    assert_eq!(seen(one), [true, false, false, false, false]);
    let part = asks().naming("globex/churn");
    assert_eq!(seen(part), [false, false, true, false, false]);
    let limited = asks().limited(world.limits(None, Some(&[20])));
    assert_eq!(seen(limited), [false, false, true, false, false]);
    assert_eq!(asks().naming("acme/risk").verdict(), "project_closed");
    let writing = world.asks(101).listing().permit();
    let seen = all
        .map(|(resource, project)| writing.sees(&table, &named(true), &owner(resource, project)));
    assert_eq!(seen, [false, false, true, false, false]);
}

#[test]
fn a_list_is_not_asked_for_by_whoever_may_read_nowhere() {
    let world = World::new();
    assert_eq!(world.asks(101).listing().verdict(), "permission_missing");
    let bound = World::new().bind(31, fraud());
    let limited = bound.limits(Some(&[WRITE]), None);
    let asked = bound.asks(101).needing(bound.permission(READ));
    let asked = asked.limited(limited).listing();
    assert_eq!(asked.verdict(), "credential_permission");
}

#[test]
fn a_screen_tells_what_needs_no_owner() {
    let world = World::new().bind(31, fraud());
    let object = || world.asks(101).about(&[None]);
    assert_eq!(object().screened(), "permission_missing");
    let reading = object().needing(world.permission(READ));
    assert_eq!(reading.screened(), "may go on");
    let key = world.limits(Some(&[WRITE]), None);
    let reading = object().needing(world.permission(READ)).limited(key);
    assert_eq!(reading.screened(), "credential_permission");
    let closed = object().needing(Requirement::Deny { reason: "x".into() });
    assert_eq!(closed.screened(), "route_denied");
    let stranger = object().presenting(Authentication::NotPresented);
    assert_eq!(stranger.screened(), "unauthenticated");
    let plain = world.asks(101).naming("globex/churn");
    assert_eq!(plain.screened(), "project_closed");
}
