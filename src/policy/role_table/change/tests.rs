use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::domain::{Effect, PrincipalKind, RoleScope, Scope};

fn id(n: u128) -> Uuid {
    Uuid::from_u128(n)
}

fn catalogue() -> Catalogue {
    Catalogue::new(["models:read", "models:update"].map(|text| text.parse().unwrap()))
}

fn principal(n: u128, disabled: bool) -> Principal {
    Principal {
        id: PrincipalId(id(n)),
        kind: PrincipalKind::User,
        email: None,
        name: n.to_string(),
        tenant: None,
        disabled,
    }
}

fn project(n: u128, owner: u128) -> Project {
    Project {
        id: ProjectId(id(n)),
        tenant: TenantId(id(1)),
        slug: format!("p{n}").parse().unwrap(),
        name: n.to_string(),
        owner: PrincipalId(id(owner)),
        session_rules: None,
    }
}

fn role(n: u128, name: &str) -> Role {
    Role {
        id: RoleId(id(n)),
        tenant: None,
        name: name.to_owned(),
        scope: RoleScope::Project,
        permissions: vec!["models:*".to_owned()],
    }
}

fn binding(n: u128, principal: u128, role: u128, project: u128) -> Binding {
    Binding {
        id: BindingId(id(n)),
        principal: PrincipalId(id(principal)),
        role: RoleId(id(role)),
        scope: Scope::Project(ProjectId(id(project))),
        effect: if n.is_multiple_of(5) {
            Effect::Deny
        } else {
            Effect::Allow
        },
        condition: None,
    }
}

fn copy(rows: &PolicyRows) -> PolicyRows {
    PolicyRows {
        version: rows.version,
        tenants: rows.tenants.clone(),
        projects: rows.projects.clone(),
        principals: rows.principals.clone(),
        roles: rows.roles.clone(),
        bindings: rows.bindings.clone(),
    }
}

fn world() -> PolicyRows {
    PolicyRows {
        version: 1,
        tenants: vec![Tenant {
            id: TenantId(id(1)),
            slug: "acme".parse().unwrap(),
            name: "Acme".to_owned(),
            session_rules: None,
            key_rules: None,
        }],
        projects: (10..14).map(|n| project(n, 100)).collect(),
        principals: (100..105).map(|n| principal(n, false)).collect(),
        roles: vec![role(30, "owner"), role(31, "viewer")],
        bindings: (200..204).map(|n| binding(n, 101, 31, 10)).collect(),
    }
}

/// All that decisions could find in a table, in one order.
fn shown(table: &RoleTable) -> Vec<String> {
    let mut shown: Vec<_> = table
        .holders
        .values()
        .map(|holder| {
            let mut grants: Vec<_> = holder
                .grants
                .iter()
                .map(|it| (it.scope, it.binding, it.effect, format!("{:?}", it.role)))
                .collect();
            grants.sort_by_key(|it| (it.0, it.1));
            format!("{:?} {grants:?} {:?}", holder.principal, holder.anywhere)
        })
        .collect();
    shown.extend(table.projects.values().map(|it| format!("{it:?}")));
    shown.extend(table.bound.values().map(|it| format!("{it:?}")));
    shown.sort();
    shown.push(table.version.to_string());
    shown
}

/// What one transaction does.
#[derive(Clone, Debug)]
enum Step {
    Bind(u128, u128, u128),
    Unbind(u128),
    Transfer(u128, u128),
    Disable(u128, bool),
    NewPrincipal(u128),
    NewRole(u128),
    ChangeRole(u128, bool),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (200_u128..220, 100_u128..105, 10_u128..14).prop_map(|(n, who, at)| Step::Bind(n, who, at)),
        (200_u128..220).prop_map(Step::Unbind),
        (10_u128..14, 100_u128..105).prop_map(|(n, who)| Step::Transfer(n, who)),
        (100_u128..105, any::<bool>()).prop_map(|(n, off)| Step::Disable(n, off)),
        (105_u128..110).prop_map(Step::NewPrincipal),
        (32_u128..35).prop_map(Step::NewRole),
        (30_u128..35, any::<bool>()).prop_map(|(n, less)| Step::ChangeRole(n, less)),
    ]
}

impl Step {
    /// Does it to the rows; tells which it touched.
    fn take(&self, rows: &mut PolicyRows) -> TouchedRows {
        rows.version += 1;
        match *self {
            Self::Bind(n, who, at) => {
                rows.bindings.retain(|it| it.id.0 != id(n));
                rows.bindings.push(binding(n, who, 31, at));
                TouchedRows::Bindings(vec![BindingId(id(n))])
            }
            Self::Unbind(n) => {
                rows.bindings.retain(|it| it.id.0 != id(n));
                TouchedRows::Bindings(vec![BindingId(id(n))])
            }
            Self::Transfer(n, who) => {
                rows.projects.retain(|it| it.id.0 != id(n));
                rows.projects.push(project(n, who));
                TouchedRows::Projects(vec![ProjectId(id(n))])
            }
            Self::Disable(n, _) | Self::NewPrincipal(n) => {
                let disabled = matches!(self, Self::Disable(_, true));
                rows.principals.retain(|it| it.id.0 != id(n));
                rows.principals.push(principal(n, disabled));
                TouchedRows::Principals(vec![PrincipalId(id(n))])
            }
            Self::NewRole(n) => {
                rows.roles.retain(|it| it.id.0 != id(n));
                rows.roles.push(role(n, "custom"));
                TouchedRows::Roles(vec![RoleId(id(n))])
            }
            Self::ChangeRole(n, less) => {
                let changed = rows.roles.iter_mut().find(|it| it.id.0 == id(n));
                if let Some(role) = changed {
                    let text = if less { "models:read" } else { "models:*" };
                    role.permissions = vec![text.to_owned()];
                }
                TouchedRows::Roles(vec![RoleId(id(n))])
            }
        }
    }
}

/// Of all rows those that were touched, as the database would give them.
fn only(rows: &PolicyRows, touched: &TouchedRows) -> PolicyRows {
    let mut some = PolicyRows::default();
    match touched {
        TouchedRows::Projects(ids) => {
            some.projects = copy(rows).projects;
            some.projects.retain(|it| ids.contains(&it.id));
        }
        TouchedRows::Principals(ids) => {
            some.principals = copy(rows).principals;
            some.principals.retain(|it| ids.contains(&it.id));
        }
        TouchedRows::Roles(ids) => {
            some.roles = copy(rows).roles;
            some.roles.retain(|it| ids.contains(&it.id));
        }
        TouchedRows::Bindings(ids) => {
            some.bindings = copy(rows).bindings;
            some.bindings.retain(|it| ids.contains(&it.id));
        }
        TouchedRows::Tenants(_) | TouchedRows::Others => {}
    }
    some
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Rows are read when all is done: newer than most changes, as when a notification is late.
    #[test]
    fn changes_lead_to_the_table_that_all_rows_give(
        steps in prop::collection::vec(step(), 1..20), late: bool,
    ) {
        let mut rows = world();
        let mut table = RoleTable::build(copy(&rows), &catalogue()).0;
        let mut touched = Vec::new();
        for step in &steps {
            touched.push(step.take(&mut rows));
            if !late {
                let what = touched.last().unwrap();
                match table.changed(rows.version, what, only(&rows, what), &catalogue()) {
                    Some((next, _)) => table = next,
                    None => table = RoleTable::build(copy(&rows), &catalogue()).0,
                }
            }
        }
        for (version, what) in (2..).zip(&touched).filter(|_| late) {
            match table.changed(version, what, only(&rows, what), &catalogue()) {
                Some((next, _)) => table = next,
                None => table = RoleTable::build(copy(&rows), &catalogue()).0,
            }
        }
        prop_assert_eq!(shown(&table), shown(&RoleTable::build(rows, &catalogue()).0));
    }
}

#[test]
fn a_change_that_does_not_follow_needs_a_new_table() {
    let rows = world();
    let table = RoleTable::build(copy(&rows), &catalogue()).0;
    let bind = |binding: Binding| {
        let some = PolicyRows {
            bindings: vec![binding.clone()],
            ..PolicyRows::default()
        };
        let touched = TouchedRows::Bindings(vec![binding.id]);
        table.changed(2, &touched, some, &catalogue()).is_some()
    };
    assert!(bind(binding(300, 101, 31, 10)));
    assert!(!bind(binding(300, 999, 31, 10)), "an unknown principal");
    assert!(!bind(binding(300, 101, 99, 10)), "an unknown role");
    let mut owner = role(30, "owner");
    owner.permissions = vec!["models:read".to_owned()];
    let some = PolicyRows {
        roles: vec![owner],
        ..PolicyRows::default()
    };
    let touched = TouchedRows::Roles(vec![RoleId(id(30))]);
    let owners = table.changed(2, &touched, some, &catalogue());
    assert!(owners.is_none(), "what owners hold without a binding");
    let gap = table.changed(3, &TouchedRows::Others, PolicyRows::default(), &catalogue());
    assert!(gap.is_none(), "a version between is missing");
}

#[test]
fn an_old_change_heard_late_takes_nothing_back() {
    let mut rows = world();
    rows.version = 9;
    let table = RoleTable::build(copy(&rows), &catalogue()).0;
    let touched = TouchedRows::Bindings(vec![BindingId(id(200))]);
    let (next, _) = table
        .changed(4, &touched, only(&rows, &touched), &catalogue())
        .unwrap();
    assert_eq!(shown(&next), shown(&table));
}
