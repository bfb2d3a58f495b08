//! Who may do what, in any number: five bindings each, ten a project.

use std::sync::Arc;

use portcullis::domain::{
    Binding, BindingId, Effect, Owner, PolicyRows, Principal, PrincipalId, PrincipalKind, Project,
    ProjectId, ResourceId, Role, RoleId, RoleScope, Scope, Tenant, TenantId,
};
use uuid::Uuid;

/// Bindings of one principal, as far as there are so many.
pub const EACH: usize = 5;

/// An id of any kind.
pub fn id(n: usize) -> Uuid {
    Uuid::from_u128((n as u128).wrapping_mul(0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835))
}

/// The owner that an object of this project has.
pub fn owner(project: usize) -> Owner {
    Owner {
        resource: ResourceId(id(project)),
        project: ProjectId(id(project)),
        labels: Arc::default(),
    }
}

/// Principal `n`.
pub fn principal(n: usize) -> Principal {
    Principal {
        id: PrincipalId(id(n)),
        kind: PrincipalKind::User,
        email: Some(format!("user{n}@example.com")),
        name: format!("User {n}"),
        tenant: None,
        disabled: false,
    }
}

/// One project for ten bindings.
pub const fn projects(bindings: usize) -> usize {
    bindings.div_ceil(10) + EACH
}

/// The project of a principal's binding.
pub const fn project_of(principal: usize, at: usize) -> usize {
    principal / 2 + at
}

/// Binding `n` of this many.
pub fn binding(n: usize, of: usize) -> Binding {
    let (who, at) = (n / EACH, n % EACH);
    assert!(project_of(who, at) < projects(of), "a project too few");
    Binding {
        id: BindingId(id(n)),
        principal: PrincipalId(id(who)),
        role: RoleId(id(1)),
        scope: Scope::Project(ProjectId(id(project_of(who, at)))),
        effect: Effect::Allow,
        condition: None,
    }
}

/// All rows, with this many bindings.
pub fn rows(bindings: usize) -> PolicyRows {
    let tenant = TenantId(id(0));
    let slug = |n: usize| format!("p{n}").parse().ok();
    let project = |n: usize| {
        Some(Project {
            id: ProjectId(id(n)),
            tenant,
            slug: slug(n)?,
            name: format!("Project {n}"),
            owner: PrincipalId(id(0)),
            session_rules: None,
        })
    };
    PolicyRows {
        version: 1,
        tenants: slug(0)
            .map(|slug| Tenant {
                id: tenant,
                slug,
                name: "T".to_owned(),
                session_rules: None,
                key_rules: None,
            })
            .into_iter()
            .collect(),
        projects: (0..projects(bindings)).filter_map(project).collect(),
        principals: (0..bindings / EACH).map(principal).collect(),
        roles: vec![Role {
            id: RoleId(id(1)),
            tenant: None,
            name: "viewer".to_owned(),
            scope: RoleScope::Project,
            permissions: vec!["*:read".to_owned()],
        }],
        bindings: (0..bindings).map(|n| binding(n, bindings)).collect(),
    }
}
