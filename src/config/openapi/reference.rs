//! `$ref`, within the document.

use super::super::node::Node;

/// Longest chain of references.
const MAX_HOPS: usize = 16;

/// What a node stands for, its own references followed.
///
/// # Errors
///
/// When it refers to another document, to nothing, or to itself.
pub(super) fn resolve<'n>(root: &'n Node, node: &'n Node) -> Result<&'n Node, String> {
    let mut at = node;
    for _ in 0..MAX_HOPS {
        let Some(reference) = at.get("$ref") else {
            return Ok(at);
        };
        let Some(text) = reference.text() else {
            return Err("a `$ref` that is no text".to_owned());
        };
        at = target(root, text)?;
    }
    Err("references that go round in a circle".to_owned())
}

fn target<'n>(root: &'n Node, text: &str) -> Result<&'n Node, String> {
    let Some(pointer) = text.strip_prefix('#') else {
        return Err(format!(
            "`{text}` is in another document, which is not read; put it into this one"
        ));
    };
    let nothing = || format!("`{text}` refers to nothing");
    let steps = pointer.strip_prefix('/').ok_or_else(nothing)?;
    let mut at = root;
    for step in steps.split('/') {
        let decoded = percent_encoding::percent_decode_str(step).decode_utf8_lossy();
        let key = decoded.replace("~1", "/").replace("~0", "~");
        let item = || at.items().get(key.parse::<usize>().ok()?);
        at = at.get(&key).or_else(item).ok_or_else(nothing)?;
    }
    Ok(at)
}
