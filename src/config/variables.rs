//! `${VAR}` and `${VAR:-default}` in text. `$${` stands for `${`.
//!
//! Variables are filled in after YAML was read, so a value can never become YAML.

use super::node::{Node, Text, Value};
use super::reader::Reader;

/// Where variables come from: passed in, so that nothing ambient is read.
pub type Environment<'e> = dyn Fn(&str) -> Option<String> + 'e;

/// Fills in the variables of every text below `node`; keys are left alone.
pub(super) fn fill_in(reader: Reader<'_>, node: &mut Node, environment: &Environment<'_>) {
    match &mut node.value {
        Value::Text(text) => {
            if let Err(message) = fill_in_text(text, environment) {
                reader.report(node.place, message);
                node.value = Value::Unresolved;
            }
        }
        Value::List(items) => {
            for item in items {
                fill_in(reader, item, environment);
            }
        }
        Value::Map(entries) => {
            for (_, value) in entries {
                fill_in(reader, value, environment);
            }
        }
        _ => {}
    }
}

fn fill_in_text(text: &mut Text, environment: &Environment<'_>) -> Result<(), String> {
    if !text.value.contains("${") {
        return Ok(());
    }
    let value = expand(&text.value, environment)?;
    text.written = Some(std::mem::replace(&mut text.value, value));
    Ok(())
}

fn expand(text: &str, environment: &Environment<'_>) -> Result<String, String> {
    let mut expanded = String::new();
    let mut rest = text;
    while let Some(at) = rest.find("${") {
        let (before, after) = (&rest[..at], &rest[at + 2..]);
        if let Some(before) = before.strip_suffix('$') {
            expanded.push_str(before);
            expanded.push_str("${");
            rest = after;
            continue;
        }
        let (reference, after) = after
            .split_once('}')
            .ok_or("`${` without `}`; write `$${` for a literal `${`")?;
        expanded.push_str(before);
        expanded.push_str(&resolve(reference, environment)?);
        rest = after;
    }
    expanded.push_str(rest);
    Ok(expanded)
}

fn resolve(reference: &str, environment: &Environment<'_>) -> Result<String, String> {
    let (name, default) = match reference.split_once(":-") {
        Some((name, default)) => (name, Some(default)),
        None => (reference, None),
    };
    let is_name = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    if !is_name {
        return Err(format!(
            "`${{{name}}}` is no variable; write `${{NAME}}` or `${{NAME:-default}}`"
        ));
    }
    let value = environment(name).filter(|value| default.is_none() || !value.is_empty());
    value.or_else(|| default.map(str::to_owned)).ok_or_else(|| {
        format!("variable `{name}` is not set; set it, or write `${{{name}:-default}}`")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(name: &str) -> Option<String> {
        match name {
            "A" => Some("1".to_owned()),
            "EMPTY" => Some(String::new()),
            "NESTED" => Some("${A}".to_owned()),
            _ => None,
        }
    }

    #[test]
    fn variables_are_filled_in_once() {
        for (text, expanded) in [
            ("a${A}b${A}", "a1b1"),
            ("${B:-x}", "x"),
            ("${A:-x}", "1"),
            ("${EMPTY}", ""),
            ("${EMPTY:-x}", "x"),
            ("${B:-}", ""),
            ("$${A}", "${A}"),
            ("$A {A}", "$A {A}"),
            ("${NESTED}", "${A}"),
        ] {
            assert_eq!(expand(text, &environment).unwrap(), expanded, "{text}");
        }
    }

    #[test]
    fn mistakes_are_refused() {
        for text in ["${B}", "${A", "${}", "${a b}", "${A-x}"] {
            assert!(expand(text, &environment).is_err(), "{text}");
        }
    }
}
