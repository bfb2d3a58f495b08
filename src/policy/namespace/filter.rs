//! Names in the text of a search.
//!
//! What the backend finds is judged item by item all the same, so this text can tell nobody of
//! others' objects: it is about finding one's own. An object of the project has its prefix or,
//! from before, none. So the backend is asked for all that could fit, and the name of each item
//! is looked at by what the client asked.

use std::ops::Range;

use super::super::Malformed;
use super::lexer::{Kind, Token, tokens};
use super::{Prefix, like};

/// What a search demands of a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NameTest {
    comparison: Comparison,
    values: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Comparison {
    Equal,
    Unequal,
    Like,
    LikeAnyCase,
    In,
    NotIn,
}

impl NameTest {
    /// Whether the name that people see meets it.
    #[must_use]
    pub fn holds(&self, name: &str) -> bool {
        let is_one = self.values.iter().any(|value| value == name);
        let mut patterns = self.values.iter();
        match self.comparison {
            Comparison::Equal | Comparison::In => is_one,
            Comparison::Unequal | Comparison::NotIn => !is_one,
            Comparison::Like => patterns.any(|pattern| like::fits(pattern, name)),
            Comparison::LikeAnyCase => {
                let name = name.to_lowercase();
                patterns.any(|pattern| like::fits(&pattern.to_lowercase(), &name))
            }
        }
    }
}

/// A search, with what it says of names.
#[derive(Debug)]
pub(super) struct Search<'t> {
    text: &'t str,
    clauses: Vec<Clause>,
}

/// One comparison of a name: where it stands, from the sign to the end of the value.
#[derive(Debug)]
struct Clause {
    range: Range<usize>,
    quote: char,
    test: NameTest,
}

impl<'t> Search<'t> {
    /// Reads one.
    ///
    /// # Errors
    ///
    /// [`Malformed::Filter`] for what could be read in two ways.
    pub fn read(text: &'t str) -> Result<Self, Malformed> {
        let mut reader = Reader {
            tokens: tokens(text)?.into_iter().peekable(),
        };
        let mut clauses = Vec::new();
        while reader.tokens.peek().is_some() {
            if !clauses.is_empty() {
                reader.keyword("AND")?;
            }
            clauses.push(reader.comparison()?);
        }
        let clauses = clauses.into_iter().flatten().collect();
        Ok(Self { text, clauses })
    }

    /// The names that something must have.
    pub fn equal(&self) -> impl Iterator<Item = &str> {
        let equal = |clause: &&Clause| clause.test.comparison == Comparison::Equal;
        let clauses = self.clauses.iter().filter(equal);
        clauses.flat_map(|clause| clause.test.values.iter().map(String::as_str))
    }

    /// The text that finds whatever could fit; `exact` knows which object a name means.
    pub fn widened(&self, prefix: &Prefix, exact: impl Fn(&str) -> Option<String>) -> String {
        let mut text = String::with_capacity(self.text.len() + 32);
        let mut copied = 0;
        for clause in &self.clauses {
            text.push_str(&self.text[copied..clause.range.start]);
            if !text.ends_with([' ', '\t', '\n', '\r']) {
                text.push(' ');
            }
            text.push_str(&clause.widened(prefix, &exact));
            copied = clause.range.end;
        }
        text.push_str(&self.text[copied..]);
        text
    }

    pub fn tests(self) -> impl Iterator<Item = NameTest> {
        self.clauses.into_iter().map(|clause| clause.test)
    }
}

impl Clause {
    fn widened(&self, prefix: &Prefix, exact: impl Fn(&str) -> Option<String>) -> String {
        let quote = self.quote;
        let text = |value: &str| format!("{quote}{value}{quote}");
        let values = &self.test.values;
        let first = values.first().map_or("", String::as_str);
        let listed = |values: Vec<String>| values.join(", ");
        match self.test.comparison {
            Comparison::Equal => match exact(first) {
                Some(name) => format!("= {}", text(&name)),
                // Any sign where a backend could see an escape.
                None => format!("LIKE {}", text(&format!("%{}", first.replace('\\', "_")))),
            },
            Comparison::Like => format!("LIKE {}", text(&format!("%{first}"))),
            Comparison::LikeAnyCase => format!("ILIKE {}", text(&format!("%{first}"))),
            Comparison::In => {
                let both = |value: &String| [text(value), text(&prefix.put(value))];
                format!("IN ({})", listed(values.iter().flat_map(both).collect()))
            }
            Comparison::Unequal => format!("!= {}", text(first)),
            Comparison::NotIn => {
                let values = values.iter().map(|value| text(value));
                format!("NOT IN ({})", listed(values.collect()))
            }
        }
    }
}

struct Reader {
    tokens: std::iter::Peekable<std::vec::IntoIter<Token>>,
}

impl Reader {
    fn next(&mut self) -> Result<Token, Malformed> {
        self.tokens.next().ok_or(Malformed::Filter)
    }

    fn keyword(&mut self, expected: &str) -> Result<(), Malformed> {
        match self.next()?.kind {
            Kind::Word(word) if word.eq_ignore_ascii_case(expected) => Ok(()),
            _ => Err(Malformed::Filter),
        }
    }

    /// `left sign right`; `None` if it is not about a name.
    fn comparison(&mut self) -> Result<Option<Clause>, Malformed> {
        let (Kind::Word(left) | Kind::Text('"', left)) = self.next()?.kind else {
            return Err(Malformed::Filter);
        };
        let sign = self.next()?;
        let start = sign.range.start;
        let word = match sign.kind {
            Kind::Word(word) => word.to_ascii_uppercase(),
            Kind::Sign(sign) => sign,
            _ => return Err(Malformed::Filter),
        };
        let comparison = match word.as_str() {
            "=" => Some(Comparison::Equal),
            "!=" => Some(Comparison::Unequal),
            "LIKE" => Some(Comparison::Like),
            "ILIKE" => Some(Comparison::LikeAnyCase),
            "IN" => Some(Comparison::In),
            "NOT" => {
                self.keyword("IN")?;
                Some(Comparison::NotIn)
            }
            "IS" => {
                self.null()?;
                return no_name(&left);
            }
            "<" | "<=" | ">" | ">=" | "RLIKE" => None,
            _ => return Err(Malformed::Filter),
        };
        let several = matches!(comparison, Some(Comparison::In | Comparison::NotIn));
        let (values, quote, end) = if several {
            self.values()?
        } else {
            self.value()?
        };
        if !is_name(&left) {
            return Ok(None);
        }
        let (Some(comparison), Some(quote)) = (comparison, quote) else {
            return Err(Malformed::Filter);
        };
        let test = NameTest { comparison, values };
        // Whether it escapes something in a pattern, backends disagree.
        let pattern = matches!(comparison, Comparison::Like | Comparison::LikeAnyCase);
        if pattern && test.values.iter().any(|value| value.contains('\\')) {
            return Err(Malformed::Filter);
        }
        Ok(Some(Clause {
            range: start..end,
            quote,
            test,
        }))
    }

    /// `NULL`, `NOT NULL`.
    fn null(&mut self) -> Result<(), Malformed> {
        match self.next()?.kind {
            Kind::Word(word) if word.eq_ignore_ascii_case("NULL") => Ok(()),
            Kind::Word(word) if word.eq_ignore_ascii_case("NOT") => self.keyword("NULL"),
            _ => Err(Malformed::Filter),
        }
    }

    /// A text, with its quote, or a number, without one.
    fn value(&mut self) -> Result<(Vec<String>, Option<char>, usize), Malformed> {
        let Token { kind, range } = self.next()?;
        match kind {
            Kind::Text(quote, value) => Ok((vec![value], Some(quote), range.end)),
            Kind::Word(word) => Ok((vec![word], None, range.end)),
            _ => Err(Malformed::Filter),
        }
    }

    /// `('a', 'b')`; they are written anew with one quote, which must be in none of them.
    fn values(&mut self) -> Result<(Vec<String>, Option<char>, usize), Malformed> {
        if self.next()?.kind != Kind::Open {
            return Err(Malformed::Filter);
        }
        let (mut values, mut quotes) = (Vec::new(), Vec::new());
        loop {
            let (value, quote, _) = self.value()?;
            values.extend(value);
            quotes.extend(quote);
            let Token { kind, range } = self.next()?;
            match kind {
                Kind::Comma => {}
                Kind::Close => {
                    let same = quotes.len() == values.len()
                        && quotes.windows(2).all(|two| two[0] == two[1]);
                    let quote = quotes.first().copied().filter(|_| same);
                    return Ok((values, quote, range.end));
                }
                _ => return Err(Malformed::Filter),
            }
        }
    }
}

fn no_name(left: &str) -> Result<Option<Clause>, Malformed> {
    if is_name(left) {
        Err(Malformed::Filter)
    } else {
        Ok(None)
    }
}

/// `name`, `attribute.name`; not `tags.name`.
fn is_name(left: &str) -> bool {
    match left.split_once('.') {
        None => left == "name",
        Some((entity, key)) => key == "name" && entity.starts_with("attr"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn widened(text: &str) -> String {
        let prefix = Prefix("a.b.".to_owned());
        Search::read(text).unwrap().widened(&prefix, |_| None)
    }

    #[test]
    fn names_are_widened_and_nothing_else() {
        for (text, expected) in [
            ("", ""),
            ("name = 'x'", "name LIKE '%x'"),
            ("name='x'", "name LIKE '%x'"),
            (
                "attribute.name ILIKE \"%x%\"",
                "attribute.name ILIKE \"%%x%\"",
            ),
            ("`name` like 'x%'", "`name` LIKE '%x%'"),
            ("name != 'x'", "name != 'x'"),
            ("name IN ('x','y')", "name IN ('x', 'a.b.x', 'y', 'a.b.y')"),
            ("name NOT IN ('x')", "name NOT IN ('x')"),
            ("tags.name = 'x'", "tags.name = 'x'"),
            (
                "tags.`name` = 'x' and creation_time > 17",
                "tags.`name` = 'x' and creation_time > 17",
            ),
            (
                "tags.`a.b` = 'name = 1' AND name = 'x' AND run_id IN ('1')",
                "tags.`a.b` = 'name = 1' AND name LIKE '%x' AND run_id IN ('1')",
            ),
            ("tags.x IS NOT NULL", "tags.x IS NOT NULL"),
            ("name = 'a\\b'", "name LIKE '%a_b'"),
            ("name = \"a'b\"", "name LIKE \"%a'b\""),
        ] {
            assert_eq!(widened(text), expected);
        }
    }

    #[test]
    fn what_could_be_read_in_two_ways_is_not() {
        for text in [
            "name = 'x",
            "name = 'x''y'",
            "name = 'x\\' OR name = 'y'",
            "name = 'x' -- y",
            "name = 'x' /* y */",
            "name = 'x' # y",
            "name = 'x'; name = 'y'",
            "name = 'x' OR name = 'y'",
            "(name = 'x')",
            "name = x",
            "name = E'x'",
            "name LIKE 'a\\%b'",
            "name RLIKE 'x'",
            "name > 'x'",
            "name IS NULL",
            "name IN ()",
            "name IN ('x', \"y\")",
            "name IN ('x'",
            "name",
            "= 'x'",
            "'name' = 'x'",
            "näme = 'x'",
            "name\u{a0}= 'x'",
            "name = 'x' AND",
            "AND name = 'x'",
            "name = 'x' 'y'",
            "name == 'x'",
        ] {
            let read = Search::read(text).map(|_| ());
            assert_eq!(read, Err(Malformed::Filter), "{text}");
        }
    }

    #[test]
    fn a_name_is_tested_as_people_see_it() {
        let holds = |text: &str, name: &str| {
            let mut tests = Search::read(text).unwrap().tests();
            tests.all(|test| test.holds(name))
        };
        assert!(holds("name = 'x' AND name != 'y'", "x"));
        assert!(!holds("name = 'x'", "X"));
        assert!(holds("name ILIKE 'Ä%'", "äx"));
        assert!(!holds("name LIKE 'Ä%'", "äx"));
        assert!(holds("name IN ('x', 'y')", "y"));
        assert!(!holds("name NOT IN ('x', 'y')", "y"));
        assert!(holds("tags.name = 'x'", "anything"));
    }
}
