//! Changes (RFC 7644 §3.5.2).

use serde_json::{Map, Value};

use super::answer::Refusal;
use super::filter::{Filter, path};
use super::normal;
use super::schema::{Attribute, Kind, named};

/// Most operations of one change.
const MOST: usize = 1000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verb {
    Add,
    Replace,
    Remove,
}

/// Where something is changed.
struct Target {
    attribute: &'static Attribute,
    /// Which of its values.
    which: Option<Filter>,
    /// What of it.
    part: Option<&'static Attribute>,
}

/// Carries out all of a change, or says why not.
pub(super) fn apply(
    to: &mut Map<String, Value>,
    attributes: &'static [Attribute],
    change: &Map<String, Value>,
) -> Result<(), Refusal> {
    let operations = field(change, "Operations").and_then(Value::as_array);
    let operations = operations.ok_or_else(|| syntax("`Operations` is missing"))?;
    if operations.is_empty() || operations.len() > MOST {
        return Err(syntax("there are no operations, or too many"));
    }
    for operation in operations {
        let operation = operation
            .as_object()
            .ok_or_else(|| syntax("an operation is no object"))?;
        one(to, attributes, operation)?;
    }
    Ok(())
}

fn one(
    to: &mut Map<String, Value>,
    attributes: &'static [Attribute],
    operation: &Map<String, Value>,
) -> Result<(), Refusal> {
    let verb = field(operation, "op").and_then(Value::as_str);
    let verb = match verb.map(str::to_ascii_lowercase).as_deref() {
        Some("add") => Verb::Add,
        Some("replace") => Verb::Replace,
        Some("remove") => Verb::Remove,
        _ => return Err(syntax("`op` is `add`, `replace` or `remove`")),
    };
    let value = field(operation, "value");
    if let Some(path) = field(operation, "path").filter(|path| !path.is_null()) {
        let path = path.as_str().ok_or_else(no_path)?;
        return match target(path, attributes)? {
            Some(target) => change(to, verb, &target, value),
            // Of a schema that is not kept, such as an extension.
            None => Ok(()),
        };
    }
    let (Some(Value::Object(values)), false) = (value, verb == Verb::Remove) else {
        return Err(Refusal::bad(
            "noTarget",
            "There is neither a path nor an object.",
        ));
    };
    for (path, value) in values {
        // Names of attributes that are not kept are passed over, as in a whole resource.
        if let Ok(Some(target)) = target(path, attributes)
            && !target.attribute.is_read_only
        {
            change(to, verb, &target, Some(value))?;
        }
    }
    Ok(())
}

fn target(text: &str, attributes: &'static [Attribute]) -> Result<Option<Target>, Refusal> {
    let (head, which, tail) = match text.split_once('[') {
        None => (text, None, ""),
        Some((head, rest)) => {
            let (inner, tail) = rest.rsplit_once(']').ok_or_else(no_path)?;
            (head, Some(Filter::parse(inner)?), tail)
        }
    };
    let mut names = path(head).ok_or_else(no_path)?;
    if let Some(part) = tail.strip_prefix('.') {
        names.push(part.to_owned());
    } else if !tail.is_empty() {
        return Err(no_path());
    }
    let is_extension = head.to_ascii_lowercase().contains(":extension:");
    let Some(attribute) = named(attributes, &names[0]).filter(|_| !is_extension) else {
        return if is_extension || is_common(&names[0]) {
            Ok(None)
        } else {
            Err(no_path())
        };
    };
    let part = match (names.get(1), attribute.kind) {
        (None, _) => None,
        (Some(name), Kind::Complex(of)) => Some(named(of, name).ok_or_else(no_path)?),
        (Some(_), _) => return Err(no_path()),
    };
    if names.len() > 2 || (which.is_some() && !attribute.is_multi) {
        return Err(no_path());
    }
    Ok(Some(Target {
        attribute,
        which,
        part,
    }))
}

/// Those that every resource has and nobody sets (RFC 7643 §3.1).
fn is_common(name: &str) -> bool {
    let common = ["id", "meta", "schemas"];
    common.iter().any(|own| own.eq_ignore_ascii_case(name))
}

fn change(
    to: &mut Map<String, Value>,
    verb: Verb,
    target: &Target,
    value: Option<&Value>,
) -> Result<(), Refusal> {
    let Target {
        attribute, part, ..
    } = target;
    if attribute.is_read_only || part.is_some_and(|part| part.is_read_only) {
        let detail = format!("`{}` cannot be set", attribute.name);
        return Err(Refusal::bad("mutability", detail));
    }
    let value = match (verb, value) {
        (Verb::Remove, value) => value.filter(|_| part.is_none()),
        (_, Some(value)) => Some(value),
        (_, None) => return Err(Refusal::value("`value` is missing")),
    };
    if attribute.is_multi {
        return among(to, verb, target, value);
    }
    match (part, verb) {
        (None, Verb::Remove) => {
            to.remove(attribute.name);
        }
        (None, _) => set(to, attribute, value, verb)?,
        (Some(part), _) => {
            let inner = to
                .entry(attribute.name)
                .or_insert_with(|| Value::Object(Map::new()));
            let Some(inner) = inner.as_object_mut() else {
                return Err(no_path());
            };
            match verb {
                Verb::Remove => {
                    inner.remove(part.name);
                }
                _ => set(inner, part, value, verb)?,
            }
            if inner.is_empty() {
                to.remove(attribute.name);
            }
        }
    }
    Ok(())
}

/// A complex one is added to, not replaced, by what does not name all of it.
fn set(
    to: &mut Map<String, Value>,
    attribute: &Attribute,
    value: Option<&Value>,
    verb: Verb,
) -> Result<(), Refusal> {
    let kept = normal::value(attribute, value.unwrap_or(&Value::Null))?;
    match (kept, to.get_mut(attribute.name)) {
        (None, _) => {
            to.remove(attribute.name);
        }
        (Some(Value::Object(new)), Some(Value::Object(own))) if verb == Verb::Add => {
            own.extend(new);
        }
        (Some(new), _) => {
            to.insert(attribute.name.to_owned(), new);
        }
    }
    Ok(())
}

/// An attribute with several values.
fn among(
    to: &mut Map<String, Value>,
    verb: Verb,
    target: &Target,
    value: Option<&Value>,
) -> Result<(), Refusal> {
    let attribute = target.attribute;
    let mut all = match to.remove(attribute.name) {
        Some(Value::Array(all)) => all,
        _ => Vec::new(),
    };
    let kept = match value {
        Some(value) if target.part.is_none() => normal::value(attribute, value)?,
        _ => None,
    };
    let new = match kept {
        Some(Value::Array(new)) => new,
        _ => Vec::new(),
    };
    match (&target.which, target.part, verb) {
        (None, None, Verb::Add) => add(&mut all, new),
        (None, None, Verb::Replace) => all = new,
        // Entra ID names the members to be removed as a value.
        (None, None, Verb::Remove) => {
            let is_named = |own: &Value| {
                new.is_empty() || new.iter().any(|each| each.get("value") == own.get("value"))
            };
            all.retain(|own| !is_named(own));
        }
        (Some(which), None, Verb::Remove) => all.retain(|own| !which.holds(own)),
        (which, part, verb) => {
            let is_meant = |own: &Value| which.as_ref().is_none_or(|which| which.holds(own));
            let mut found = false;
            for own in all.iter_mut().filter(|own| is_meant(own)) {
                found = true;
                within(own, attribute, part, verb, value)?;
            }
            if !found && verb != Verb::Remove {
                let made = made(attribute, which.as_ref(), part, value)?;
                all.push(made);
            }
        }
    }
    if !all.is_empty() {
        to.insert(attribute.name.to_owned(), Value::Array(all));
    }
    Ok(())
}

/// Of two primary values the one that is added is the one.
fn add(all: &mut Vec<Value>, new: Vec<Value>) {
    if new
        .iter()
        .any(|each| each.get("primary") == Some(&Value::Bool(true)))
    {
        for own in all.iter_mut().filter_map(Value::as_object_mut) {
            own.remove("primary");
        }
    }
    for each in new {
        if !all.contains(&each) {
            all.push(each);
        }
    }
}

/// Changes one of the values.
fn within(
    own: &mut Value,
    attribute: &Attribute,
    part: Option<&'static Attribute>,
    verb: Verb,
    value: Option<&Value>,
) -> Result<(), Refusal> {
    let Some(fields) = own.as_object_mut() else {
        return Err(no_path());
    };
    match (part, verb) {
        (Some(part), Verb::Remove) => {
            fields.remove(part.name);
        }
        (Some(part), _) => set(fields, part, value, verb)?,
        (None, _) => match normal::value(&attribute.one(), value.unwrap_or(&Value::Null))? {
            Some(Value::Object(new)) => fields.extend(new),
            _ => return Err(Refusal::value("there is nothing to be set")),
        },
    }
    Ok(())
}

/// A value that there was none like: as the filter has it (Entra ID relies on that).
fn made(
    attribute: &Attribute,
    which: Option<&Filter>,
    part: Option<&'static Attribute>,
    value: Option<&Value>,
) -> Result<Value, Refusal> {
    let mut own = Value::Object(Map::new());
    if let (Some(Filter::Compare(path, super::filter::Operator::Equal, wanted)), Kind::Complex(of)) =
        (which, attribute.kind)
        && let [name] = &path[..]
        && let (Some(known), Some(fields)) = (named(of, name), own.as_object_mut())
    {
        fields.insert(known.name.to_owned(), wanted.clone());
    } else if which.is_some() {
        return Err(Refusal::bad(
            "noTarget",
            "There is no value of which this holds.",
        ));
    }
    within(&mut own, attribute, part, Verb::Add, value)?;
    Ok(own)
}

/// A field, whatever the case of its name.
fn field<'v>(of: &'v Map<String, Value>, name: &str) -> Option<&'v Value> {
    of.iter()
        .find_map(|(own, value)| own.eq_ignore_ascii_case(name).then_some(value))
}

fn syntax(detail: &str) -> Refusal {
    Refusal::bad("invalidSyntax", detail)
}

fn no_path() -> Refusal {
    Refusal::bad("invalidPath", "This path leads to no attribute.")
}
