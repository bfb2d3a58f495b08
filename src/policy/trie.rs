//! Patterns of one method on one host, indexed by segment.
//!
//! A lookup tries a literal, then affixed values (longest affixes first), then a
//! plain value, then the tail, and goes back when a branch ends. Each node is the end
//! of one path of edges only, so a lookup visits no node twice: the cost is bounded by
//! the patterns that begin like the path, whatever the path.

use ahash::AHashMap;

use super::pattern::{PathRef, Pattern};
use super::segment::{Segment, between};

/// Which pattern ends here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Leaf {
    pub route: usize,
    /// Place in the route's own list of patterns.
    pub pattern: usize,
}

#[derive(Debug)]
pub(super) struct Trie {
    nodes: Vec<Node>,
}

#[derive(Debug, Default)]
struct Node {
    literals: AHashMap<Box<str>, usize>,
    /// Longest affixes first.
    affixed: Vec<Affixed>,
    param: Option<usize>,
    ends: Ends,
    tails: Ends,
}

#[derive(Debug)]
struct Affixed {
    prefix: Box<str>,
    suffix: Box<str>,
    node: usize,
}

#[derive(Debug, Default)]
struct Ends {
    bare: Option<Leaf>,
    slash: Option<Leaf>,
}

impl Ends {
    const fn at(&self, slash: bool) -> Option<Leaf> {
        if slash { self.slash } else { self.bare }
    }

    const fn at_mut(&mut self, slash: bool) -> &mut Option<Leaf> {
        if slash {
            &mut self.slash
        } else {
            &mut self.bare
        }
    }
}

impl Default for Trie {
    fn default() -> Self {
        Self {
            nodes: vec![Node::default()],
        }
    }
}

impl Trie {
    /// Adds a pattern; gives back the one that matches the very same paths, if any.
    pub fn insert(&mut self, pattern: &Pattern, leaf: Leaf) -> Result<(), Leaf> {
        let mut at = 0;
        let mut tail = false;
        for segment in pattern.segments() {
            match segment {
                Segment::Tail { .. } => tail = true,
                _ => at = self.child_or_new(at, segment),
            }
        }
        let node = &mut self.nodes[at];
        let ends = if tail {
            &mut node.tails
        } else {
            &mut node.ends
        };
        match ends.at_mut(pattern.trailing_slash()) {
            Some(occupant) => Err(*occupant),
            slot => {
                *slot = Some(leaf);
                Ok(())
            }
        }
    }

    /// The pattern that matches exactly the paths that `pattern` does.
    pub fn same(&self, pattern: &Pattern) -> Option<Leaf> {
        let mut at = 0;
        for segment in pattern.segments() {
            if matches!(segment, Segment::Tail { .. }) {
                return self.nodes[at].tails.at(pattern.trailing_slash());
            }
            at = self.child(at, segment)?;
        }
        self.nodes[at].ends.at(pattern.trailing_slash())
    }

    /// The most specific pattern that matches. `visit` is told of each node looked at.
    pub fn find<S: AsRef<str>>(
        &self,
        path: &PathRef<'_, S>,
        visit: &mut impl FnMut(),
    ) -> Option<Leaf> {
        self.descend(0, path.segments, path.slash(), visit)
    }

    fn descend<S: AsRef<str>>(
        &self,
        at: usize,
        segments: &[S],
        slash: bool,
        visit: &mut impl FnMut(),
    ) -> Option<Leaf> {
        visit();
        let node = &self.nodes[at];
        let Some((first, rest)) = segments.split_first() else {
            return node.ends.at(slash);
        };
        let text = first.as_ref();
        if let Some(child) = node.literals.get(text)
            && let Some(leaf) = self.descend(*child, rest, slash, visit)
        {
            return Some(leaf);
        }
        for affixed in &node.affixed {
            if between(&affixed.prefix, &affixed.suffix, text).is_some()
                && let Some(leaf) = self.descend(affixed.node, rest, slash, visit)
            {
                return Some(leaf);
            }
        }
        node.param
            .and_then(|child| self.descend(child, rest, slash, visit))
            .or_else(|| node.tails.at(slash))
    }

    /// Every pattern that shares a path with `pattern`, itself included.
    pub fn overlapping(&self, pattern: &Pattern, found: &mut impl FnMut(Leaf)) {
        self.overlap(0, pattern.segments(), pattern.trailing_slash(), found);
    }

    fn overlap(&self, at: usize, segments: &[Segment], slash: bool, found: &mut impl FnMut(Leaf)) {
        let node = &self.nodes[at];
        let Some((first, rest)) = segments.split_first() else {
            node.ends.at(slash).into_iter().for_each(found);
            return;
        };
        node.tails.at(slash).into_iter().for_each(&mut *found);
        let tail = matches!(first, Segment::Tail { .. });
        for child in node.children_meeting(first) {
            if tail {
                self.all_below(child, slash, found);
            } else {
                self.overlap(child, rest, slash, found);
            }
        }
    }

    fn all_below(&self, at: usize, slash: bool, found: &mut impl FnMut(Leaf)) {
        let node = &self.nodes[at];
        node.ends.at(slash).into_iter().for_each(&mut *found);
        node.tails.at(slash).into_iter().for_each(&mut *found);
        for child in node.children() {
            self.all_below(child, slash, found);
        }
    }

    /// Every pattern.
    pub fn leaves(&self) -> impl Iterator<Item = Leaf> {
        self.nodes.iter().flat_map(|node| {
            let ends = [node.ends.bare, node.ends.slash];
            let tails = [node.tails.bare, node.tails.slash];
            ends.into_iter().chain(tails).flatten()
        })
    }

    fn child(&self, at: usize, segment: &Segment) -> Option<usize> {
        let node = &self.nodes[at];
        match segment {
            Segment::Literal(text) => node.literals.get(text).copied(),
            Segment::Param { prefix, suffix, .. } if prefix.is_empty() && suffix.is_empty() => {
                node.param
            }
            Segment::Param { prefix, suffix, .. } => node
                .affixed
                .iter()
                .find(|edge| edge.prefix == *prefix && edge.suffix == *suffix)
                .map(|edge| edge.node),
            Segment::Tail { .. } => None,
        }
    }

    fn child_or_new(&mut self, at: usize, segment: &Segment) -> usize {
        if let Some(child) = self.child(at, segment) {
            return child;
        }
        let child = self.nodes.len();
        self.nodes.push(Node::default());
        self.nodes[at].link(segment, child);
        child
    }

    /// How many nodes there are: the bound of a lookup's work.
    #[cfg(test)]
    pub const fn size(&self) -> usize {
        self.nodes.len()
    }
}

impl Node {
    fn link(&mut self, segment: &Segment, node: usize) {
        match segment {
            Segment::Literal(text) => {
                self.literals.insert(text.clone(), node);
            }
            Segment::Param { prefix, suffix, .. } if prefix.is_empty() && suffix.is_empty() => {
                self.param = Some(node);
            }
            Segment::Param { prefix, suffix, .. } => {
                self.affixed.push(Affixed {
                    prefix: prefix.clone(),
                    suffix: suffix.clone(),
                    node,
                });
                self.affixed
                    .sort_by_key(|edge| std::cmp::Reverse(edge.prefix.len() + edge.suffix.len()));
            }
            Segment::Tail { .. } => {}
        }
    }

    fn children(&self) -> impl Iterator<Item = usize> {
        let affixed = self.affixed.iter().map(|edge| edge.node);
        self.literals
            .values()
            .copied()
            .chain(affixed)
            .chain(self.param)
    }

    /// The children whose segment shares a text with `segment`.
    fn children_meeting(&self, segment: &Segment) -> Vec<usize> {
        let mut children: Vec<usize> = match segment {
            Segment::Literal(text) => self.literals.get(text).copied().into_iter().collect(),
            _ => self
                .literals
                .iter()
                .filter(|(text, _)| segment.capture(text).is_some())
                .map(|(_, node)| *node)
                .collect(),
        };
        let meets = |edge: &&Affixed| edge.segment().meet(segment).is_some();
        children.extend(self.affixed.iter().filter(meets).map(|edge| edge.node));
        children.extend(self.param);
        children
    }
}

impl Affixed {
    fn segment(&self) -> Segment {
        Segment::Param {
            name: Box::default(),
            prefix: self.prefix.clone(),
            suffix: self.suffix.clone(),
        }
    }
}
