//! What a client sends, in canonical form: known attributes only, by their names, of their kind.

use serde_json::{Map, Value};

use super::answer::Refusal;
use super::schema::{Attribute, Kind, named};

/// Longest text, in characters.
const LONGEST: usize = 255;
/// Most values of one attribute.
const MOST_VALUES: usize = 10_000;

/// A whole resource. What is read-only or unknown is left out (RFC 7644 §3.3).
pub(super) fn resource(
    sent: &Map<String, Value>,
    attributes: &'static [Attribute],
) -> Result<Map<String, Value>, Refusal> {
    let kept = object(sent, attributes)?;
    for attribute in attributes.iter().filter(|each| each.is_required) {
        if !kept.contains_key(attribute.name) {
            return Err(Refusal::value(format!("`{}` is missing", attribute.name)));
        }
    }
    Ok(kept)
}

/// A group, whose members are known by their ids alone: where they are says no more.
pub(super) fn group(mut document: Map<String, Value>) -> Map<String, Value> {
    let members = document.get_mut("members").and_then(Value::as_array_mut);
    for member in members.into_iter().flatten() {
        let Some(fields) = member.as_object_mut() else {
            continue;
        };
        let Some(Value::String(at)) = fields.remove("$ref") else {
            continue;
        };
        let id = at.rsplit('/').next().unwrap_or_default().to_owned();
        fields.entry("value").or_insert(Value::String(id));
    }
    document
}

/// The value of one attribute; `None` if it is as good as absent (RFC 7643 §2.5).
pub(super) fn value(attribute: &Attribute, sent: &Value) -> Result<Option<Value>, Refusal> {
    if !attribute.is_multi {
        return single(attribute, sent);
    }
    let all = match sent {
        Value::Null => return Ok(None),
        Value::Array(all) => &all[..],
        one => std::slice::from_ref(one),
    };
    if all.len() > MOST_VALUES {
        return Err(too_much(attribute));
    }
    let mut kept = Vec::new();
    for each in all {
        if let Some(each) = single(attribute, each)?
            && !kept.contains(&each)
        {
            kept.push(each);
        }
    }
    let primary = |each: &&Value| each.get("primary") == Some(&Value::Bool(true));
    if kept.iter().filter(primary).count() > 1 {
        let detail = format!("of `{}` one is primary at most", attribute.name);
        return Err(Refusal::value(detail));
    }
    Ok((!kept.is_empty()).then_some(Value::Array(kept)))
}

fn single(attribute: &Attribute, sent: &Value) -> Result<Option<Value>, Refusal> {
    match (attribute.kind, sent) {
        (_, Value::Null) => Ok(None),
        (Kind::Bool, Value::Bool(_)) => Ok(Some(sent.clone())),
        // As Entra ID sends them.
        (Kind::Bool, Value::String(word)) if word.eq_ignore_ascii_case("true") => {
            Ok(Some(Value::Bool(true)))
        }
        (Kind::Bool, Value::String(word)) if word.eq_ignore_ascii_case("false") => {
            Ok(Some(Value::Bool(false)))
        }
        (Kind::Text | Kind::Reference, Value::String(text)) => {
            if text.chars().count() > LONGEST || text.contains('\0') {
                return Err(too_much(attribute));
            }
            Ok((!text.is_empty()).then(|| sent.clone()))
        }
        (Kind::Complex(of), Value::Object(sent)) => {
            let kept = object(sent, of)?;
            Ok((!kept.is_empty()).then_some(Value::Object(kept)))
        }
        _ => {
            let detail = format!("`{}` is of another kind", attribute.name);
            Err(Refusal::value(detail))
        }
    }
}

fn object(
    sent: &Map<String, Value>,
    attributes: &'static [Attribute],
) -> Result<Map<String, Value>, Refusal> {
    let mut kept = Map::new();
    for (name, sent) in sent {
        let Some(attribute) = named(attributes, name).filter(|each| !each.is_read_only) else {
            continue;
        };
        let Some(value) = value(attribute, sent)? else {
            continue;
        };
        if kept.insert(attribute.name.to_owned(), value).is_some() {
            let detail = format!("`{}` is there twice", attribute.name);
            return Err(Refusal::bad("invalidSyntax", detail));
        }
    }
    Ok(kept)
}

fn too_much(attribute: &Attribute) -> Refusal {
    Refusal::value(format!("`{}` is longer than is kept", attribute.name))
}
