//! Filters (RFC 7644 §3.4.2.2), bounded.

use serde_json::Value;

use super::answer::Refusal;

/// Longest filter, in bytes.
const LONGEST: usize = 2048;
/// Most groupings within each other.
const DEEPEST: usize = 16;

/// What must hold of a value.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Filter {
    /// Of the attribute at this path.
    Compare(Vec<String>, Operator, Value),
    /// It is there.
    Present(Vec<String>),
    /// Of one of the values of an attribute.
    Within(Vec<String>, Box<Self>),
    And(Box<Self>, Box<Self>),
    Or(Box<Self>, Box<Self>),
    Not(Box<Self>),
}

/// How two values are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operator {
    Equal,
    NotEqual,
    Contains,
    StartsWith,
    EndsWith,
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
}

const OPERATORS: [(&str, Operator); 9] = [
    ("eq", Operator::Equal),
    ("ne", Operator::NotEqual),
    ("co", Operator::Contains),
    ("sw", Operator::StartsWith),
    ("ew", Operator::EndsWith),
    ("gt", Operator::Greater),
    ("ge", Operator::GreaterOrEqual),
    ("lt", Operator::Less),
    ("le", Operator::LessOrEqual),
];

impl Filter {
    /// Reads one.
    ///
    /// # Errors
    ///
    /// 400 `invalidFilter`.
    pub(super) fn parse(text: &str) -> Result<Self, Refusal> {
        let malformed = || Refusal::bad("invalidFilter", "This filter cannot be read.");
        if text.len() > LONGEST {
            return Err(malformed());
        }
        let mut reader = Reader { rest: text };
        let filter = reader.either(0).ok_or_else(malformed)?;
        reader.blanks();
        if reader.rest.is_empty() {
            Ok(filter)
        } else {
            Err(malformed())
        }
    }

    /// The value that an attribute must have, if that is all that is asked for.
    pub(super) fn equals(&self, name: &str) -> Option<&str> {
        match self {
            Self::Compare(path, Operator::Equal, Value::String(value)) if matches!(&path[..], [own] if own.eq_ignore_ascii_case(name)) => {
                Some(value)
            }
            _ => None,
        }
    }

    /// Whether it holds of an object.
    pub(super) fn holds(&self, of: &Value) -> bool {
        match self {
            Self::And(left, right) => left.holds(of) && right.holds(of),
            Self::Or(left, right) => left.holds(of) || right.holds(of),
            Self::Not(inner) => !inner.holds(of),
            Self::Present(path) => at(of, path).iter().any(|value| !is_empty(value)),
            Self::Within(path, inner) => at(of, path).iter().any(|value| inner.holds(value)),
            Self::Compare(path, operator, wanted) => {
                let found = at(of, path);
                if *operator == Operator::NotEqual {
                    return !found
                        .iter()
                        .any(|own| compare(own, Operator::Equal, wanted));
                }
                found.iter().any(|own| compare(own, *operator, wanted))
            }
        }
    }
}

/// All values at a path, of which names have no case.
fn at<'v>(of: &'v Value, path: &[String]) -> Vec<&'v Value> {
    let mut found = vec![of];
    for name in path {
        found = found
            .into_iter()
            .flat_map(|value| step(value, name))
            .collect();
    }
    found.into_iter().flat_map(each).collect()
}

fn step<'v>(of: &'v Value, name: &str) -> Vec<&'v Value> {
    let named = |value: &'v Value| {
        let fields = value.as_object()?;
        let mut fields = fields.iter();
        fields.find_map(|(own, value)| own.eq_ignore_ascii_case(name).then_some(value))
    };
    each(of).into_iter().filter_map(named).collect()
}

fn each(of: &Value) -> Vec<&Value> {
    match of {
        Value::Array(all) => all.iter().collect(),
        one => vec![one],
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(all) => all.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

fn compare(own: &Value, operator: Operator, wanted: &Value) -> bool {
    // A complex attribute is compared by its `value`.
    let own = own.get("value").unwrap_or(own);
    match (own, wanted) {
        (Value::String(own), Value::String(wanted)) => {
            let (own, wanted) = (own.to_lowercase(), wanted.to_lowercase());
            match operator {
                Operator::Equal => own == wanted,
                Operator::NotEqual => own != wanted,
                Operator::Contains => own.contains(&wanted),
                Operator::StartsWith => own.starts_with(&wanted),
                Operator::EndsWith => own.ends_with(&wanted),
                Operator::Greater => own > wanted,
                Operator::GreaterOrEqual => own >= wanted,
                Operator::Less => own < wanted,
                Operator::LessOrEqual => own <= wanted,
            }
        }
        _ => operator == Operator::Equal && own == wanted,
    }
}

struct Reader<'t> {
    rest: &'t str,
}

impl<'t> Reader<'t> {
    fn blanks(&mut self) {
        self.rest = self.rest.trim_start_matches(' ');
    }

    /// Whether this stands next, whatever its case; a word only whole.
    fn takes(&mut self, word: &str) -> bool {
        self.blanks();
        let Some(start) = self.rest.get(..word.len()) else {
            return false;
        };
        let after = &self.rest[word.len()..];
        let is_word = word.bytes().all(|byte| byte.is_ascii_alphabetic());
        if !start.eq_ignore_ascii_case(word) || (is_word && after.starts_with(is_of_name)) {
            return false;
        }
        self.rest = after;
        true
    }

    fn either(&mut self, depth: usize) -> Option<Filter> {
        let mut left = self.both(depth)?;
        while self.takes("or") {
            left = Filter::Or(left.into(), self.both(depth)?.into());
        }
        Some(left)
    }

    fn both(&mut self, depth: usize) -> Option<Filter> {
        let mut left = self.one(depth)?;
        while self.takes("and") {
            left = Filter::And(left.into(), self.one(depth)?.into());
        }
        Some(left)
    }

    fn one(&mut self, depth: usize) -> Option<Filter> {
        if depth >= DEEPEST {
            return None;
        }
        if self.takes("not") {
            let inner = self.grouped("(", ")", depth)?;
            return Some(Filter::Not(inner.into()));
        }
        if self.rest.trim_start_matches(' ').starts_with('(') {
            return self.grouped("(", ")", depth);
        }
        let path = path(self.name()?)?;
        if self.rest.starts_with('[') {
            let inner = self.grouped("[", "]", depth)?;
            return Some(Filter::Within(path, inner.into()));
        }
        if self.takes("pr") {
            return Some(Filter::Present(path));
        }
        let (_, operator) = OPERATORS.into_iter().find(|(word, _)| self.takes(word))?;
        Some(Filter::Compare(path, operator, self.value()?))
    }

    fn grouped(&mut self, open: &str, close: &str, depth: usize) -> Option<Filter> {
        if !self.takes(open) {
            return None;
        }
        let inner = self.either(depth + 1)?;
        self.takes(close).then_some(inner)
    }

    fn name(&mut self) -> Option<&'t str> {
        self.blanks();
        let end = self.rest.find(|char| !is_of_name(char));
        let (name, rest) = self.rest.split_at(end.unwrap_or(self.rest.len()));
        self.rest = rest;
        (!name.is_empty()).then_some(name)
    }

    /// As JSON has it.
    fn value(&mut self) -> Option<Value> {
        self.blanks();
        let mut values = serde_json::Deserializer::from_str(self.rest).into_iter::<Value>();
        let value = values.next()?.ok()?;
        self.rest = &self.rest[values.byte_offset()..];
        // PostgreSQL has no text with a NUL.
        let has_nul = value.as_str().is_some_and(|text| text.contains('\0'));
        let is_simple = !value.is_array() && !value.is_object() && !has_nul;
        is_simple.then_some(value)
    }
}

const fn is_of_name(char: char) -> bool {
    char.is_ascii_alphanumeric() || matches!(char, '.' | ':' | '_' | '-' | '$')
}

/// The names of a path, without the schema before them (RFC 7644 §3.10).
pub(super) fn path(text: &str) -> Option<Vec<String>> {
    let bare = match text.rsplit_once(':') {
        Some((urn, name)) if urn.to_ascii_lowercase().starts_with("urn:") => {
            // The schema's own version has a point in it: `…:2.0:User:name`.
            name
        }
        Some(_) => return None,
        None => text,
    };
    let names: Vec<_> = bare.split('.').map(str::to_owned).collect();
    let fits = names.len() <= 2 && names.iter().all(|name| !name.is_empty());
    fits.then_some(names)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn holds(filter: &str) -> bool {
        let user = json!({ "userName": "Ann@Acme.example", "active": true, "meta": { "created":
            "2026-01-02T00:00:00Z" }, "name": { "familyName": "Archer" }, "emails": [
            { "value": "a@x.example", "type": "work" }, { "value": "b@y.example", "type": "home" }] });
        Filter::parse(filter).unwrap().holds(&user)
    }

    #[test]
    fn filters_hold_as_the_standard_has_it() {
        for filter in [
            "userName eq \"ann@acme.EXAMPLE\"",
            "USERNAME sw \"ann\" and active eq true",
            "name.familyName co \"rch\"",
            "urn:ietf:params:scim:schemas:core:2.0:User:userName ew \"example\"",
            "emails eq \"a@x.example\"",
            "emails[type eq \"work\" and value co \"@x.example\"]",
            "emails.type eq \"home\"",
            "meta.created gt \"2026-01-01T00:00:00Z\"",
            "not (userName eq \"bob\")",
            "userName eq \"bob\" or (active eq true and emails pr)",
            "title ne \"x\"",
        ] {
            assert!(holds(filter), "{filter}");
        }
        for filter in [
            "title pr",
            "emails[type eq \"work\" and value co \"@y.example\"]",
            "active eq false",
            "userName eq \"bob\" or active eq true and userName eq \"bob\"",
            "userName gt 5",
        ] {
            assert!(!holds(filter), "{filter}");
        }
    }

    #[test]
    fn what_is_no_filter_is_told() {
        let deep = format!("{}active eq true{}", "(".repeat(20), ")".repeat(20));
        let long = format!("userName eq \"{}\"", "x".repeat(3000));
        for bad in [
            "",
            "userName",
            "userName eq",
            "eq \"x\"",
            "userName xx \"y\"",
            "userName eq x",
            "userName eq \"x\" and",
            "(userName eq \"x\"",
            "userName eq \"x\")",
            "a.b.c eq \"x\"",
            "emails[type eq \"x\"",
            "not userName eq \"x\"",
            "userName eq {}",
            "userName eq [1]",
            "x:userName eq \"y\"",
            &deep,
            &long,
        ] {
            assert!(Filter::parse(bad).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn whatever_is_sent_is_read_or_refused(text in "[a-z()\\[\\]\"\\\\. :é]{0,60}") {
            if let Ok(filter) = Filter::parse(&text) {
                filter.holds(&json!({ "a": [{ "b": "c" }] }));
            }
        }
    }
}
