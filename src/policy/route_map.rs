//! All routes, compiled: the answer to "which route is this request?".
//!
//! The most specific host that has a route for the path decides alone: if it lacks the
//! method, the answer is 405, never a route that was written for any host. On one host
//! the most specific pattern among the routes *of the method* wins.

use std::borrow::Cow;
use std::sync::Arc;

use ahash::AHashMap;
use http::Method;

use super::HostPattern;
use super::conflict::{self, Conflict};
use super::pattern::{PathRef, Pattern};
use super::route::Route;
use super::trie::{Leaf, Trie};

/// All routes of one configuration. Immutable; swapped whole.
#[derive(Debug, Default)]
pub struct RouteMap {
    routes: Vec<Arc<Route>>,
    hosts: Hosts,
}

#[derive(Debug, Default)]
struct Hosts {
    exact: AHashMap<Arc<str>, Methods>,
    below: AHashMap<Arc<str>, Methods>,
    any: Methods,
    /// The gateway's own paths, on every host: no other route reaches there, however much it
    /// matches.
    own: Methods,
}

/// The routes of one host. A handful of methods: a list is faster than a map.
#[derive(Debug, Default)]
struct Methods(Vec<(Method, Trie)>);

/// The outcome of a lookup.
#[derive(Clone, Debug)]
pub enum Lookup<'m> {
    /// One route, the most specific.
    Found {
        /// The route.
        route: &'m Arc<Route>,
        /// Its place in [`RouteMap::routes`].
        index: usize,
        /// The values in the path.
        params: Params<'m>,
    },
    /// The path exists, but not with this method.
    WrongMethod {
        /// With these it does; sorted.
        allowed: Vec<Method>,
    },
    /// Nothing.
    NotFound,
}

/// The values in a path, read on demand: nothing is copied unless a tail of several
/// segments is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Params<'m> {
    pattern: &'m Pattern,
}

impl Params<'_> {
    /// The value called `name` in `path`, which must be the path looked up.
    #[must_use]
    pub fn get<'p, S: AsRef<str>>(
        &self,
        name: &str,
        path: &PathRef<'p, S>,
    ) -> Option<Cow<'p, str>> {
        self.pattern.capture(name, path)
    }

    /// The pattern that matched.
    #[must_use]
    pub const fn pattern(&self) -> &Pattern {
        self.pattern
    }
}

impl RouteMap {
    /// Indexes the routes.
    ///
    /// # Errors
    ///
    /// Every pair of routes that some request could match without either being the more
    /// specific, unless a third route has exactly what they share (at most
    /// 100 pairs are told).
    pub fn compile(routes: Vec<Route>) -> Result<Self, Vec<Conflict>> {
        let routes: Vec<_> = routes.into_iter().map(Arc::new).collect();
        let mut hosts = Hosts::default();
        let mut conflicts = conflict::Collector::new(&routes);
        for (index, route) in routes.iter().enumerate() {
            hosts.insert(index, route, &mut conflicts);
        }
        for trie in hosts.tries() {
            conflicts.ambiguities(trie);
        }
        conflicts.into_result()?;
        Ok(Self { routes, hosts })
    }

    /// All routes, in the order given.
    #[must_use]
    pub fn routes(&self) -> &[Arc<Route>] {
        &self.routes
    }

    /// The route of a request. `host` is canonical: lower case, no port, no trailing dot.
    #[must_use]
    pub fn find<S: AsRef<str>>(
        &self,
        method: &Method,
        host: &str,
        path: &PathRef<'_, S>,
    ) -> Lookup<'_> {
        let own = path.is_reserved().then_some(&self.hosts.own);
        let others = self.hosts.matching(host).filter(|_| own.is_none());
        for methods in own.into_iter().chain(others) {
            if let Some(leaf) = methods.find(method, path) {
                return self.found(leaf);
            }
            let allowed = methods.allowed(path);
            if !allowed.is_empty() {
                return Lookup::WrongMethod { allowed };
            }
        }
        Lookup::NotFound
    }

    fn found(&self, leaf: Leaf) -> Lookup<'_> {
        let route = &self.routes[leaf.route];
        Lookup::Found {
            route,
            index: leaf.route,
            params: Params {
                pattern: &route.patterns[leaf.pattern],
            },
        }
    }
}

impl Hosts {
    /// From the most to the least specific host pattern that matches.
    fn matching(&self, host: &str) -> impl Iterator<Item = &Methods> {
        let domains = host
            .match_indices('.')
            .filter(|_| !self.below.is_empty())
            .filter_map(|(dot, _)| self.below.get(&host[dot + 1..]));
        let exact = if self.exact.is_empty() {
            None
        } else {
            self.exact.get(host)
        };
        exact.into_iter().chain(domains).chain([&self.any])
    }

    fn tries(&self) -> impl Iterator<Item = &Trie> {
        let methods = self.exact.values().chain(self.below.values());
        methods
            .chain([&self.any, &self.own])
            .flat_map(|methods| methods.0.iter().map(|(_, trie)| trie))
    }

    fn insert(&mut self, index: usize, route: &Route, conflicts: &mut conflict::Collector<'_>) {
        if route.patterns.iter().any(Pattern::is_reserved) {
            for method in &route.methods {
                self.own.insert(method, index, route, conflicts);
            }
            return;
        }
        let any = route.hosts.is_empty().then_some(None);
        for host in route.hosts.iter().map(Some).chain(any) {
            let methods = self.methods(host);
            for method in &route.methods {
                methods.insert(method, index, route, conflicts);
            }
        }
    }

    fn methods(&mut self, host: Option<&HostPattern>) -> &mut Methods {
        match host {
            None => &mut self.any,
            Some(HostPattern::Exact(host)) => self.exact.entry(Arc::clone(host)).or_default(),
            Some(HostPattern::Below(domain)) => self.below.entry(Arc::clone(domain)).or_default(),
        }
    }
}

impl Methods {
    fn find<S: AsRef<str>>(&self, method: &Method, path: &PathRef<'_, S>) -> Option<Leaf> {
        let (_, trie) = self.0.iter().find(|(listed, _)| listed == method)?;
        trie.find(path, &mut || ())
    }

    fn allowed<S: AsRef<str>>(&self, path: &PathRef<'_, S>) -> Vec<Method> {
        let mut allowed: Vec<Method> = self
            .0
            .iter()
            .filter(|(_, trie)| trie.find(path, &mut || ()).is_some())
            .map(|(method, _)| method.clone())
            .collect();
        allowed.sort_by(|a, b| a.as_str().cmp(b.as_str()));
        allowed
    }

    fn insert(
        &mut self,
        method: &Method,
        index: usize,
        route: &Route,
        conflicts: &mut conflict::Collector<'_>,
    ) {
        let trie = self.trie(method);
        for (place, pattern) in route.patterns.iter().enumerate() {
            let leaf = Leaf {
                route: index,
                pattern: place,
            };
            if let Err(occupant) = trie.insert(pattern, leaf) {
                conflicts.same(occupant, leaf);
            }
        }
    }

    fn trie(&mut self, method: &Method) -> &mut Trie {
        let at = if let Some(at) = self.0.iter().position(|(listed, _)| listed == method) {
            at
        } else {
            self.0.push((method.clone(), Trie::default()));
            self.0.len() - 1
        };
        &mut self.0[at].1
    }
}

#[cfg(test)]
#[path = "route_map_tests.rs"]
pub(super) mod tests;
