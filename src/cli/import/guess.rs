//! What an operation may need, guessed from its tags, its path and its method.
//!
//! Nothing here decides: the operator reviews each guess. Where two guesses are equally
//! good, the one that fewer people hold is taken.

use http::Method;

use super::words::{is_plural, is_version, singular, snake, word};
use crate::config::{Operation, Part};
use crate::domain::{Catalogue, Permission};

/// What asks a model for something: `predictions:create`, which is in the catalogue.
const PREDICT: [&str; 18] = [
    "classify",
    "completion",
    "completions",
    "embed",
    "embedding",
    "embeddings",
    "explain",
    "generate",
    "generations",
    "infer",
    "inference",
    "invocations",
    "invoke",
    "predict",
    "prediction",
    "rerank",
    "score",
    "transcriptions",
];

/// What only looks, though it is sent with POST.
const LOOK: [&str; 13] = [
    "count", "describe", "export", "fetch", "filter", "find", "get", "index", "list", "lookup",
    "query", "read", "search",
];

const CREATE: [&str; 6] = ["add", "create", "import", "new", "register", "upload"];
const UPDATE: [&str; 7] = ["edit", "patch", "put", "rename", "replace", "set", "update"];
const DELETE: [&str; 4] = ["delete", "destroy", "purge", "remove"];

/// Where probes of load balancers go.
const HEALTH: [&str; 12] = [
    "alive",
    "health",
    "healthcheck",
    "healthz",
    "heartbeat",
    "live",
    "livez",
    "ping",
    "ready",
    "readiness",
    "readyz",
    "liveness",
];

/// What was guessed.
pub(super) struct Guess {
    pub permission: String,
    /// Type, and the name of the path parameter.
    pub resource: Option<(String, String)>,
    /// Whether it looks like the target of a probe, open to all and about nothing.
    pub is_health: bool,
}

/// A segment as far as guessing goes.
enum Step<'o> {
    Text(&'o str),
    Value(&'o str),
}

struct Path<'o> {
    steps: Vec<Step<'o>>,
    /// The verb of a last segment such as `{name}:predict`.
    verb: Option<&'o str>,
}

pub(super) fn guess(operation: &Operation, catalogue: &Catalogue, upstream: &str) -> Guess {
    let path = Path::of(operation);
    let action = path.action(&operation.method);
    let things = of_tags(operation, &path, catalogue)
        .or_else(|| path.things(catalogue))
        .or_else(|| word(upstream))
        .unwrap_or_else(|| "backend".to_owned());
    let permission = match action {
        Action::Predict => "predictions:create".to_owned(),
        Action::Word(action) => format!("{things}:{action}"),
    };
    let health = path.last_text().is_some_and(|text| HEALTH.contains(&text));
    let looks = [Method::GET, Method::HEAD].contains(&operation.method);
    Guess {
        permission: valid(permission),
        resource: path.resource(catalogue),
        is_health: health && looks && operation.open && !path.has_values(),
    }
}

/// The catalogue takes any word, so this only catches what was not thought of.
fn valid(permission: String) -> String {
    match permission.parse::<Permission>() {
        Ok(_) => permission,
        Err(_) => "backend:use".to_owned(),
    }
}

enum Action {
    Predict,
    Word(String),
}

impl<'o> Path<'o> {
    fn of(operation: &'o Operation) -> Self {
        let mut verb = None;
        let mut steps = Vec::new();
        for parts in operation.template.segments() {
            let value = parts.iter().find_map(|part| match part {
                Part::Value { name, .. } => Some(&**name),
                Part::Text(_) => None,
            });
            let text = parts.iter().rev().find_map(|part| match part {
                Part::Text(text) => Some(&**text),
                Part::Value { .. } => None,
            });
            verb = text
                .and_then(|text| text.split_once(':'))
                .map(|(_, verb)| verb);
            let text = text.map(|text| text.split(':').next().unwrap_or(text));
            match (value, text) {
                (Some(name), _) => steps.push(Step::Value(name)),
                (None, Some(text)) => steps.push(Step::Text(text)),
                (None, None) => {}
            }
        }
        steps
            .retain(|step| !matches!(step, Step::Text(text) if *text == "api" || is_version(text)));
        Self { steps, verb }
    }

    fn has_values(&self) -> bool {
        self.steps.iter().any(|step| matches!(step, Step::Value(_)))
    }

    fn last_text(&self) -> Option<&'o str> {
        match self.steps.last() {
            Some(Step::Text(text)) => Some(text),
            _ => None,
        }
    }

    fn follows_value(&self, at: usize) -> bool {
        at > 0 && matches!(self.steps[at - 1], Step::Value(_))
    }

    fn action(&self, method: &Method) -> Action {
        let word = |text: &str| Action::Word(text.to_owned());
        if [Method::GET, Method::HEAD, Method::OPTIONS].contains(method) {
            return word("read");
        }
        if *method == Method::DELETE {
            return word("delete");
        }
        if let Some(action) = self.written_action() {
            return action;
        }
        word(if *method == Method::POST {
            "create"
        } else {
            "update"
        })
    }

    /// What the end of the path says: `/infer`, `:predict`, `/{id}/unload`.
    fn written_action(&self) -> Option<Action> {
        let at = self.steps.len().checked_sub(1)?;
        let text = self.verb.or_else(|| self.last_text())?;
        let words = snake(text);
        let of_verb = words
            .split('_')
            .find(|part| !["async", "batch", "bulk"].contains(part))
            .and_then(known);
        let of_noun = || words.rsplit('_').next().and_then(known);
        if let Some(action) = of_verb.or_else(of_noun) {
            return Some(action);
        }
        let is_verb = self.verb.is_some() || (self.follows_value(at) && !is_plural(&words));
        is_verb.then(|| word(text)).flatten().map(Action::Word)
    }

    /// The things that the path is about, in the plural if it has one.
    fn things(&self, catalogue: &Catalogue) -> Option<String> {
        let at = self.place_of_things()?;
        let Step::Text(text) = self.steps[at] else {
            return None;
        };
        let things = word(text)?;
        let nested = self
            .parent(at)
            .map(|parent| format!("{}_{things}", singular(&parent)));
        let nested = nested.filter(|nested| in_catalogue(nested, catalogue));
        Some(nested.unwrap_or(things))
    }

    /// `models` of `/models/{name}/versions` for the place of `versions`.
    fn parent(&self, at: usize) -> Option<String> {
        match self.steps.get(at.checked_sub(2)?) {
            Some(Step::Text(text)) => word(text),
            _ => None,
        }
    }

    /// From the end: the last text that a value follows, or a plural; else the first text.
    fn place_of_things(&self) -> Option<usize> {
        let is_text = |at: &usize| matches!(self.steps[*at], Step::Text(_));
        let is_things = |at: &usize| match (&self.steps[*at], self.steps.get(at + 1)) {
            (Step::Text(_), Some(Step::Value(_))) => true,
            (Step::Text(text), _) => is_plural(&snake(text)) && known(&snake(text)).is_none(),
            (Step::Value(_), _) => false,
        };
        let places = 0..self.steps.len();
        places
            .clone()
            .rev()
            .find(is_things)
            .or_else(|| places.clone().find(is_text))
    }

    /// The last value and what it names.
    fn resource(&self, catalogue: &Catalogue) -> Option<(String, String)> {
        let is_value = |step: &Step<'_>| matches!(step, Step::Value(_));
        let at = self.steps.iter().rposition(is_value)?;
        let Step::Value(name) = self.steps[at] else {
            return None;
        };
        let before = at
            .checked_sub(1)
            .map(|before| (before, &self.steps[before]));
        let kind = match before {
            Some((before, Step::Text(text))) => self.kind(before, text, catalogue),
            _ => of_name(name),
        };
        Some((kind.or_else(|| of_name(name))?, name.to_owned()))
    }

    fn kind(&self, at: usize, text: &str, catalogue: &Catalogue) -> Option<String> {
        let things = word(text)?;
        let nested = self
            .parent(at)
            .map(|parent| format!("{}_{things}", singular(&parent)));
        let nested = nested.filter(|nested| in_catalogue(nested, catalogue));
        Some(singular(&nested.unwrap_or(things)))
    }
}

/// `dataset_id` → `dataset`.
fn of_name(name: &str) -> Option<String> {
    let words = word(name)?;
    let stem = ["_id", "_uuid", "_name", "_key"]
        .iter()
        .find_map(|end| words.strip_suffix(end));
    Some(stem.unwrap_or(&words).to_owned())
}

fn known(word: &str) -> Option<Action> {
    let tables = [
        (&LOOK[..], "read"),
        (&CREATE, "create"),
        (&UPDATE, "update"),
        (&DELETE, "delete"),
    ];
    if PREDICT.contains(&word) {
        return Some(Action::Predict);
    }
    let found = tables.iter().find(|(words, _)| words.contains(&word));
    found.map(|(_, action)| Action::Word((*action).to_owned()))
}

/// The tag that the path names too, else the first: as the catalogue or the path has it.
fn of_tags(operation: &Operation, path: &Path<'_>, catalogue: &Catalogue) -> Option<String> {
    let tags: Vec<String> = operation.tags.iter().filter_map(|tag| word(tag)).collect();
    let in_path = |tag: &&String| path.steps.iter().any(|step| names(step, tag));
    let tag = tags.iter().find(in_path).or_else(|| tags.first())?;
    let several = if is_plural(tag) {
        tag.clone()
    } else {
        format!("{tag}s")
    };
    let written = path.steps.iter().find(|step| names(step, tag));
    match written {
        _ if in_catalogue(&several, catalogue) => Some(several),
        Some(Step::Text(text)) => word(text),
        _ => Some(tag.clone()),
    }
}

fn names(step: &Step<'_>, tag: &str) -> bool {
    let Step::Text(text) = step else { return false };
    singular(&snake(text)) == singular(tag)
}

fn in_catalogue(things: &str, catalogue: &Catalogue) -> bool {
    catalogue
        .iter()
        .any(|permission| permission.resource() == things)
}
