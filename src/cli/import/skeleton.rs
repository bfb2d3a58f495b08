//! The text of the skeleton: YAML that loads, with a comment on all that was guessed.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use super::guess::{Guess, guess};
use super::words::snake;
use super::yaml::{Out, quoted, quoted_word};
use crate::config::{Description, Operation, Part, Settings};
use crate::domain::{Catalogue, Permission};
use crate::policy::Pattern;

/// What a skeleton is called in the messages of the checks that it goes through.
const NAME: &str = "skeleton";

const HEAD: &str = "\
# Review all of it: who may do what is not in a description, so whatever is marked
# `guessed` is a guess. What is not listed here, or is commented out, is refused.
";

/// The upstream of all routes.
pub(super) struct Upstream {
    pub name: String,
    pub url: String,
    pub guessed: bool,
}

/// An operation on its way into the skeleton.
struct Entry<'d> {
    operation: &'d Operation,
    guess: Guess,
    /// `GET /path`, as a route has it.
    route: String,
    /// Why it is commented out.
    refused: Option<String>,
}

/// The skeleton of a description.
pub(super) struct Skeleton<'d> {
    source: &'d str,
    description: &'d Description,
    upstream: &'d Upstream,
    entries: Vec<Entry<'d>>,
    catalogue: &'d Catalogue,
}

impl<'d> Skeleton<'d> {
    pub fn new(
        source: &'d str,
        description: &'d Description,
        upstream: &'d Upstream,
        catalogue: &'d Catalogue,
    ) -> Self {
        let entry = |operation: &'d Operation| {
            let (route, refused) = route(operation);
            Entry {
                operation,
                guess: guess(operation, catalogue, &upstream.name),
                route,
                refused,
            }
        };
        Self {
            source,
            description,
            upstream,
            entries: description.operations.iter().map(entry).collect(),
            catalogue,
        }
    }

    /// The text, once the gateway's own reader takes it: each route that it refuses, such
    /// as one that overlaps another, is commented out with what it says.
    ///
    /// # Errors
    ///
    /// When something other than a route is wrong, such as the upstream.
    pub fn settle(mut self) -> Result<Settled, String> {
        loop {
            let (text, lines) = self.render();
            let Err(diagnostics) = Settings::parse(NAME, &text, &|_| None) else {
                return Ok(self.settled(text));
            };
            let mut any = false;
            for diagnostic in &diagnostics {
                // The routes are in order of their lines, each up to the next one's.
                let at = lines.partition_point(|(line, _)| *line <= diagnostic.line);
                let Some((_, index)) = at.checked_sub(1).map(|at| lines[at]) else {
                    continue;
                };
                self.entries[index].refused = Some(without_places(&diagnostic.message));
                any = true;
            }
            if !any {
                let messages = diagnostics.iter().map(|d| d.message.clone());
                return Err(messages.collect::<Vec<_>>().join("; "));
            }
        }
    }

    fn settled(&self, text: String) -> Settled {
        let refused = self.entries.iter().filter_map(|entry| {
            let reason = entry.refused.as_ref()?;
            Some((entry.label(), reason.clone()))
        });
        let unread = self.description.unread.iter();
        let unread = unread.map(|unread| (unread.path.clone(), unread.diagnostic.to_string()));
        let left_out: Vec<_> = refused.chain(unread).collect();
        Settled {
            text,
            routes: self.entries.len() + self.description.unread.len() - left_out.len(),
            left_out,
        }
    }

    /// The text, and the line of each route that is not commented out.
    fn render(&self) -> (String, Vec<(u32, usize)>) {
        let mut out = Out::default();
        self.head(&mut out);
        self.permissions(&mut out);
        self.resources(&mut out);
        let none = self.entries.iter().all(|entry| entry.refused.is_some());
        out.line(if none { "routes: []" } else { "routes:" });
        let mut lines = Vec::new();
        for (index, entry) in self.entries.iter().enumerate() {
            if entry.refused.is_none() {
                lines.push((out.lines + 1, index));
            }
            entry.write(&self.upstream.name, &mut out);
        }
        for unread in &self.description.unread {
            out.comment("  # NOT IMPORTED: ", &unread.diagnostic.to_string());
            out.comment("  # path ", &unread.path);
            out.line("");
        }
        out.text.truncate(out.text.trim_end().len() + 1);
        (out.text, lines)
    }

    fn head(&self, out: &mut Out) {
        let Description { title, version, .. } = self.description;
        out.comment("# A route map made from ", self.source);
        out.comment("# ", &format!("{title}, OpenAPI {version}"));
        out.line("#");
        out.text.push_str(HEAD);
        out.lines += 2;
        for base in &self.description.other_bases {
            let text = format!("Another server has the base path `{base}/`; --base-path takes it.");
            out.comment("# ", &text);
        }
        out.line("version: 1");
        out.line("");
        out.line("upstreams:");
        let Upstream { name, url, guessed } = self.upstream;
        let mark = if *guessed { " # guessed" } else { "" };
        let (name, url) = (quoted_word(name), quoted(url));
        out.line(&format!("  {name}: {{ url: {url} }}{mark}"));
        out.line("");
    }

    /// What the routes ask for and the catalogue does not have.
    fn permissions(&self, out: &mut Out) {
        let mut missing: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for entry in self.entries.iter().filter(|entry| entry.refused.is_none()) {
            let (things, action) = entry.guess.permission.split_once(':').unwrap_or_default();
            let permission = entry.guess.permission.parse::<Permission>();
            if permission.is_ok_and(|permission| self.catalogue.index(&permission).is_none()) {
                missing.entry(things).or_default().insert(action);
            }
        }
        if missing.is_empty() {
            return;
        }
        out.line("# New permissions. Roles with `*:read` or `*:create` hold such of them at once;");
        out.line("# other actions are held by owners and administrators until a role names them.");
        out.line("permissions:");
        for (things, actions) in missing {
            let actions: Vec<_> = actions.into_iter().map(quoted_word).collect();
            out.line(&format!(
                "  {}: [{}]",
                quoted_word(things),
                actions.join(", ")
            ));
        }
        out.line("");
    }
}

impl Skeleton<'_> {
    /// The types that the routes name. Nobody has recorded whose their objects are.
    fn resources(&self, out: &mut Out) {
        let entries = self.entries.iter().filter(|entry| entry.refused.is_none());
        let kinds = entries.filter_map(|entry| entry.guess.resource.as_ref());
        let kinds: BTreeSet<&str> = kinds.map(|(kind, _)| kind.as_str()).collect();
        if kinds.is_empty() {
            return;
        }
        out.line(
            "# Named in the audit, and whose they are is not checked: that is left to the backend",
        );
        out.line("# until a type is removed here and a route `creates` it.");
        out.line("resources:");
        let upstream = quoted_word(&self.upstream.name);
        for kind in kinds {
            let kind = quoted_word(kind);
            out.line(&format!(
                "  - {{ type: {kind}, upstream: {upstream}, owner: backend }}"
            ));
        }
        out.line("");
    }
}

/// A skeleton that loads.
pub(super) struct Settled {
    pub text: String,
    pub routes: usize,
    /// What is commented out, and why.
    pub left_out: Vec<(String, String)>,
}

impl Entry<'_> {
    fn label(&self) -> String {
        format!("{} {}", self.operation.method, self.operation.template)
    }

    fn write(&self, upstream: &str, out: &mut Out) {
        self.title(out);
        let lead = if let Some(reason) = &self.refused {
            out.comment("  # NOT IMPORTED: ", reason);
            "  # "
        } else {
            "  "
        };
        let mut body = Out::default();
        self.fields(upstream, &mut body);
        for (at, line) in body.text.lines().enumerate() {
            let mark = if at == 0 { "- " } else { "  " };
            out.line(&format!("{lead}{mark}{line}"));
        }
        out.line("");
    }

    /// Summary and `operationId`.
    fn title(&self, out: &mut Out) {
        let Operation { summary, id, .. } = self.operation;
        let id = id.as_ref().map(|id| format!("({id})"));
        let deprecated = self.operation.deprecated.then(|| "DEPRECATED".to_owned());
        let words: Vec<String> = [deprecated, summary.clone(), id]
            .into_iter()
            .flatten()
            .collect();
        if !words.is_empty() {
            out.comment("  # ", &words.join(" "));
        }
    }

    fn fields(&self, upstream: &str, out: &mut Out) {
        out.line(&format!("route: {}", quoted(&self.route)));
        out.line(&format!("upstream: {}", quoted_word(upstream)));
        out.line(&format!("permission: {} # guessed", self.guess.permission));
        if let Some((kind, name)) = &self.guess.resource {
            let id = quoted_word(&format!("path.{}", clean(name)));
            let kind = quoted_word(kind);
            out.line(&format!("resource: {{ type: {kind}, id: {id} }} # guessed"));
        }
        if self.guess.is_health {
            out.line("# For probes without a key, if it tells nothing, instead of `permission`:");
            out.line("# public: \"health check, tells nothing\"");
        }
        if !self.operation.headers.is_empty() {
            let names = self.operation.headers.join(", ");
            out.comment("# it reads header fields; see `forward_headers`: ", &names);
        }
        for note in &self.operation.notes {
            out.comment("# ", note);
        }
    }
}

/// `GET /pattern`, and why it cannot be one.
fn route(operation: &Operation) -> (String, Option<String>) {
    let mut refused = None;
    let mut seen = BTreeSet::new();
    let mut route = operation.method.to_string();
    route.push(' ');
    for parts in operation.template.segments() {
        route.push('/');
        for part in parts {
            match part {
                Part::Text(text) => route.push_str(text),
                Part::Value { name, .. } => {
                    let _ = write!(route, "{{{}}}", unique(&clean(name), &mut seen));
                }
            }
            refused = refused.or_else(|| inexpressible(part));
        }
    }
    let path = route.split_once(' ').map_or("", |(_, path)| path);
    let refused = refused.or_else(|| Some(Pattern::parse_all(path).err()?.to_string()));
    (route, refused)
}

fn unique(name: &str, seen: &mut BTreeSet<String>) -> String {
    let mut candidate = name.to_owned();
    let mut number = 2;
    while !seen.insert(candidate.clone()) {
        candidate = format!("{name}_{number}");
        number += 1;
    }
    candidate
}

/// What a pattern could say, but not what the template means.
fn inexpressible(part: &Part) -> Option<String> {
    match part {
        // `(a|b)` are alternatives in a pattern.
        Part::Text(text) => text
            .chars()
            .find(|c| "()|".contains(*c))
            .map(|c| format!("`{c}` cannot stand in a path pattern")),
        Part::Value {
            optional: true,
            name,
            ..
        } => Some(format!(
            "`{name}` may be left out; write one route with it and one without"
        )),
        Part::Value {
            slashes: true,
            name,
            ..
        } => Some(format!(
            "`{name}` may hold `/`; at the end, if all below may be asked, write `{{{}...}}`",
            clean(name)
        )),
        Part::Value { .. } => None,
    }
}

/// The name of a value as a pattern has it.
fn clean(name: &str) -> String {
    let cleaned: String = name
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '_' })
        .collect();
    match cleaned.chars().next() {
        Some(c) if c.is_ascii_digit() => format!("_{cleaned}"),
        Some(_) => cleaned,
        None => format!("value{}", snake(name)),
    }
}

/// ` at skeleton:17` says nothing once the skeleton is written elsewhere.
fn without_places(message: &str) -> String {
    let mut text = String::new();
    let mut rest = message;
    let mark = format!(" at {NAME}:");
    while let Some((before, after)) = rest.split_once(&mark) {
        text.push_str(before);
        rest = after.trim_start_matches(|c: char| c.is_ascii_digit());
    }
    text.push_str(rest);
    text
}
