//! `set:`: what is written into a request before it is forwarded.

use serde_json::Value as Json;

use super::super::node::Node;
use super::super::{body, identity, source};
use super::Context;
use crate::policy::{BodyTemplate, PointerSegment, SetRule, Source, fold};

/// `{ at: query.project, value: "{project.id}" }`.
pub(super) fn rule(context: Context<'_>, node: &Node) -> Option<SetRule> {
    let reader = context.reader;
    let fields = reader.fields(node, &["at", "value"])?;
    let place = fields.required("at");
    let at = place.and_then(|node| source::source(reader, node, context.patterns));
    let value_node = fields.required("value");
    let value = value_node.and_then(|node| body::template(reader, node));
    let at = at?;
    if let Some(problem) = refuse(context, &at) {
        reader.report(place?.place, problem);
        return None;
    }
    let value = value?;
    if !matches!(at, Source::Body(_)) && !is_text(&value) {
        let problem = format!("`{at}` holds a text, a number, `true` or `false`");
        reader.report(value_node?.place, problem);
        return None;
    }
    Some(SetRule { at, value })
}

/// Why nothing can be written to a place.
fn refuse(context: Context<'_>, at: &Source) -> Option<String> {
    match at {
        Source::Path(_) => Some("the path is what was authorised: it is not rewritten".to_owned()),
        Source::QueryEach(_) => Some(format!("`{at}` is several places; name one")),
        Source::Query(_) => None,
        Source::Body(pointer) => {
            let each = pointer.segments().contains(&PointerSegment::Each);
            each.then(|| "`*` is several places; name one, or `-` for the end".to_owned())
        }
        Source::Header(name) => {
            let folded = fold(name.as_str());
            if context.owned.owns(&folded) {
                let problem = format!("header `{name}` tells an identity: see `identity:`");
                return Some(problem);
            }
            identity::refuse_setting(&folded).map(|why| format!("header `{name}` {why}"))
        }
    }
}

fn is_text(value: &BodyTemplate) -> bool {
    match value {
        BodyTemplate::Text(_) => true,
        BodyTemplate::Fixed(json) => {
            matches!(json, Json::String(_) | Json::Number(_) | Json::Bool(_))
        }
        BodyTemplate::List(_) | BodyTemplate::Map(_) => false,
    }
}
