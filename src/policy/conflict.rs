//! Routes that would both match a request with neither being the more specific.

use std::fmt;
use std::sync::Arc;

use ahash::AHashSet;

use super::pattern::Pattern;
use super::route::Route;
use super::trie::{Leaf, Trie};

/// Most conflicts told at once: two families of routes can clash in every pair.
pub const MAX: usize = 100;

/// Two routes that would both match a request with neither being the more specific.
#[derive(Clone, Debug)]
pub struct Conflict {
    /// The one that is written first.
    pub first: Arc<Route>,
    /// The other.
    pub second: Arc<Route>,
    /// A path that both match.
    pub example: String,
    /// Whether they match the very same paths.
    pub same: bool,
}

impl fmt::Display for Conflict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (first, second) = (&self.first, &self.second);
        write!(
            f,
            "route `{}` conflicts with `{}` at {}: ",
            second.label, first.label, first.origin
        )?;
        if self.same {
            return f.write_str("both match the very same requests");
        }
        write!(
            f,
            "both match `{}` and neither is more specific",
            self.example
        )
    }
}

/// Gathers conflicts, each pair of routes once.
pub(super) struct Collector<'r> {
    routes: &'r [Arc<Route>],
    seen: AHashSet<(usize, usize)>,
    conflicts: Vec<Conflict>,
}

impl<'r> Collector<'r> {
    pub fn new(routes: &'r [Arc<Route>]) -> Self {
        Self {
            routes,
            seen: AHashSet::new(),
            conflicts: Vec::new(),
        }
    }

    pub fn into_result(mut self) -> Result<(), Vec<Conflict>> {
        self.conflicts
            .sort_by(|a, b| a.second.origin.cmp(&b.second.origin));
        if self.conflicts.is_empty() {
            Ok(())
        } else {
            Err(self.conflicts)
        }
    }

    /// Two patterns that match the very same paths.
    pub fn same(&mut self, first: Leaf, second: Leaf) {
        let example = self.pattern(second).example();
        self.add(first, second, example, true);
    }

    /// Every pair in `trie` whose common paths have no route of their own.
    ///
    /// With that, the patterns that match a path are closed under intersection, so one
    /// of them lies within all others: the most specific.
    pub fn ambiguities(&mut self, trie: &Trie) {
        for leaf in trie.leaves() {
            if self.conflicts.len() >= MAX {
                return;
            }
            trie.overlapping(self.pattern(leaf), &mut |other| {
                if other < leaf {
                    self.check(trie, other, leaf);
                }
            });
        }
    }

    fn check(&mut self, trie: &Trie, first: Leaf, second: Leaf) {
        let (a, b) = (self.pattern(first), self.pattern(second));
        if self.conflicts.len() >= MAX || a.is_within(b) || b.is_within(a) {
            return;
        }
        if let Some(meet) = a.meet(b)
            && !(meet.exact && trie.same(&meet.pattern).is_some())
        {
            self.add(first, second, meet.pattern.example(), false);
        }
    }

    fn add(&mut self, first: Leaf, second: Leaf, example: String, same: bool) {
        if self.seen.insert((first.route, second.route)) {
            self.conflicts.push(Conflict {
                first: Arc::clone(&self.routes[first.route]),
                second: Arc::clone(&self.routes[second.route]),
                example,
                same,
            });
        }
    }

    fn pattern(&self, leaf: Leaf) -> &'r Pattern {
        &self.routes[leaf.route].patterns[leaf.pattern]
    }
}
