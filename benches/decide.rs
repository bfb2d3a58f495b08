//! Measures what a decision costs in memory alone: finding the route and deciding, with many
//! routes and many bindings; the owner of an object from its cache; the role table itself.
//!
//! `cargo bench --bench decide`; it needs nothing else. Figures are
//! medians of batches, in processor time.

use std::error::Error;
use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, HeaderValue, Method, header};
use portcullis::cache::OwnerCache;
use portcullis::domain::{
    Binding, BindingId, Catalogue, Effect, Owner, PermissionIndex, PolicyRows, Principal,
    PrincipalId, PrincipalKind, Project, ProjectId, ResourceId, ResourceKey, Role, RoleId,
    RoleScope, Scope, Tenant, TenantId, TouchedRows, Whose,
};
use portcullis::policy::{
    Authentication, CanonicalRequest, Circumstances, CredentialLimits, Decision, Dialect, Named,
    NamedObjects, Objects, Origin, PathRef, Pattern, Question, RawRequest, Requirement,
    ResourceRule, RoleTable, Route, RouteMap, RouteTimeouts, Source, Subject, decide,
};
use uuid::Uuid;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

const READ: &str = "models:read";
const BATCHES: usize = 51;
const BATCH: u32 = 20_000;
/// Bindings of one principal, as far as there are so many.
const EACH: usize = 5;
/// DESIGN: route and permission together, whatever the numbers.
const TARGET: Duration = Duration::from_micros(1);

fn main() -> Result<()> {
    let catalogue = Catalogue::new([READ.parse()?]);
    let read = catalogue
        .index(&READ.parse()?)
        .ok_or("no such permission")?;
    println!("route and decision, one object named, its owner at hand (target {TARGET:?}):");
    let mut worst = Duration::ZERO;
    for bindings in [10, 1_000, 100_000, 1_000_000] {
        let before = resident()?;
        let table = RoleTable::build(rows(bindings), &catalogue).0;
        if bindings == 1_000_000 {
            table_alone(&table, bindings, before, &catalogue)?;
        }
        for routes in [10, 300, 10_000] {
            let world = World::new(&table, routes, bindings, read)?;
            let each = world.measure()?;
            worst = worst.max(each);
            println!("  {routes:>6} routes, {bindings:>9} bindings: {each:?}");
        }
    }
    println!("  the slowest: {worst:?}, met: {}", worst <= TARGET);
    owner_cache()
}

/// The median of batches, each divided by its length.
fn median(mut work: impl FnMut()) -> Result<Duration> {
    let mut batches = Vec::new();
    for _ in 0..BATCHES {
        let begin = spent()?;
        (0..BATCH).for_each(|_| work());
        batches.push(spent()?.saturating_sub(begin) / BATCH);
    }
    batches.sort();
    Ok(batches[BATCHES / 2])
}

/// Processor time of this thread: others on the machine do not count.
fn spent() -> Result<Duration> {
    // The kernel adds up when it is asked for another thread.
    std::thread::yield_now();
    let told = std::fs::read_to_string("/proc/thread-self/schedstat")?;
    let nanos = told.split(' ').next().ok_or("no number")?;
    Ok(Duration::from_nanos(nanos.parse()?))
}

/// One principal's question, on one of many routes.
struct World<'t> {
    table: &'t RoleTable,
    map: RouteMap,
    request: CanonicalRequest,
    headers: HeaderMap,
    authentication: Authentication,
    named: [Named; 1],
    owners: [Whose; 1],
}

impl<'t> World<'t> {
    fn new(
        table: &'t RoleTable,
        routes: usize,
        bindings: usize,
        read: PermissionIndex,
    ) -> Result<Self> {
        let routes = (0..routes).map(|n| route(n, read)).collect::<Result<_>>()?;
        let map = RouteMap::compile(routes).map_err(|_| "routes in conflict")?;
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, HeaderValue::from_static("gw"));
        let request = CanonicalRequest::parse(&RawRequest {
            method: &Method::GET,
            target: b"/api/v7/models/model-7",
            authority: None,
            headers: &headers,
        })?;
        let who = principal(bindings / EACH / 2);
        Ok(Self {
            table,
            map,
            request,
            headers,
            authentication: Authentication::Authenticated(Subject {
                principal: Arc::new(who),
                credential: CredentialLimits::none().into(),
            }),
            named: [Named {
                kind: "model".into(),
                id: "model-7".into(),
                enforced: true,
                may_be_absent: false,
            }],
            owners: [Whose::Owned(owner(project_of(
                bindings / EACH / 2,
                EACH / 2,
            )))],
        })
    }

    fn measure(&self) -> Result<Duration> {
        if let Decision::Denied(denial, _) = self.ask() {
            return Err(denial.code().into());
        }
        median(|| {
            black_box(self.ask());
        })
    }

    fn ask(&self) -> Decision {
        let segments = self.request.path().segments();
        let path = PathRef {
            segments: &segments,
            trailing_slash: false,
        };
        decide(&Question {
            request: &self.request,
            path,
            headers: &self.headers,
            lookup: self.map.find(&Method::GET, "gw", &path),
            authentication: &self.authentication,
            table: self.table,
            circumstances: Circumstances {
                ip: None,
                at: chrono::DateTime::UNIX_EPOCH,
                scheme: "https",
            },
            objects: Some(NamedObjects {
                named: &self.named,
                owners: &self.owners,
                made: None,
                params: &[],
            }),
        })
    }
}

fn table_alone(
    table: &RoleTable,
    bindings: usize,
    before: u64,
    catalogue: &Catalogue,
) -> Result<()> {
    let taken = resident()?.saturating_sub(before);
    let projects = projects(bindings);
    let each = taken / u64::try_from(bindings)?;
    println!(
        "  role table of {bindings} bindings, {} principals, {projects} projects: {each} bytes a binding",
        bindings / EACH,
    );
    let one = binding(0, bindings);
    let touched = TouchedRows::Bindings(vec![one.id]);
    let mut changes = Vec::new();
    for _ in 0..BATCHES {
        let rows = PolicyRows {
            bindings: vec![one.clone()],
            ..PolicyRows::default()
        };
        let begin = spent()?;
        let next = table.changed(2, &touched, rows, catalogue);
        changes.push(spent()?.saturating_sub(begin));
        next.ok_or("a change that cannot be made")?;
    }
    changes.sort();
    println!("  one binding of it changed: {:?}", changes[BATCHES / 2]);
    Ok(())
}

fn owner_cache() -> Result<()> {
    const HELD: usize = 100_000;
    let cache = OwnerCache::new(Duration::from_hours(1));
    let keys: Vec<_> = (0..HELD).map(key).collect();
    for (at, key) in keys.iter().enumerate() {
        cache.fill(cache.epoch(), key, Some(owner(at)), 0);
    }
    let mut at = 0;
    let hit = median(|| {
        at = (at + 7919) % HELD;
        black_box(cache.get(&keys[at], 1, 5));
    })?;
    println!("an owner from the cache, of {HELD}: {hit:?}");
    Ok(())
}

fn id(n: usize) -> Uuid {
    Uuid::from_u128((n as u128).wrapping_mul(0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835))
}

fn key(n: usize) -> ResourceKey {
    ResourceKey {
        upstream: "app".into(),
        kind: "model".into(),
        id: format!("model-{n}").into(),
    }
}

fn owner(project: usize) -> Owner {
    Owner {
        resource: ResourceId(id(project)),
        project: ProjectId(id(project)),
        labels: Arc::default(),
    }
}

fn principal(n: usize) -> Principal {
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
const fn projects(bindings: usize) -> usize {
    bindings.div_ceil(10) + EACH
}

/// The project of a principal's binding.
const fn project_of(principal: usize, at: usize) -> usize {
    principal / 2 + at
}

fn binding(n: usize, of: usize) -> Binding {
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

fn rows(bindings: usize) -> PolicyRows {
    let tenant = TenantId(id(0));
    let slug = |n: usize| format!("p{n}").parse().ok();
    let project = |n: usize| {
        Some(Project {
            id: ProjectId(id(n)),
            tenant,
            slug: slug(n)?,
            name: format!("Project {n}"),
            owner: PrincipalId(id(0)),
        })
    };
    PolicyRows {
        version: 1,
        tenants: slug(0)
            .map(|slug| Tenant {
                id: tenant,
                slug,
                name: "T".to_owned(),
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

fn route(n: usize, read: PermissionIndex) -> Result<Route> {
    let pattern = format!("/api/v{n}/models/{{id}}");
    Ok(Route {
        label: pattern.as_str().into(),
        methods: vec![Method::GET],
        hosts: Vec::new(),
        patterns: Pattern::parse_all(&pattern)?,
        upstream: "app".into(),
        respond: None,
        requirement: Requirement::Permission {
            name: READ.parse()?,
            index: read,
        },
        scope: RoleScope::Project,
        resource: Some(ResourceRule {
            kind: "model".into(),
            ids: vec![Source::Path("id".into())],
            optional: false,
            absent: false,
            backend: false,
            visible: None,
            forms: Vec::new(),
        }),
        objects: Objects::default(),
        tenant: None,
        when: None,
        project: None,
        event: "model.read".into(),
        re_auth: None,
        completeness: portcullis::policy::Completeness::default(),
        dialect: Dialect::Problem,
        forward_headers: Vec::new(),
        websocket: false,
        timeouts: RouteTimeouts::default(),
        rate: portcullis::domain::Rates::default(),
        max_body: None,
        origin: Origin {
            file: "bench".into(),
            line: 1,
            column: 1,
        },
    })
}

/// Resident memory, in bytes.
fn resident() -> Result<u64> {
    let statm = std::fs::read_to_string("/proc/self/statm")?;
    let pages: u64 = statm.split(' ').nth(1).ok_or("no number")?.parse()?;
    Ok(pages * 4096)
}
