//! What a condition may say: known variables and functions, no loops, little arithmetic.

use cel::IdedExpr;
use cel::Program;
use cel::common::ast::{CallExpr, Expr, SelectExpr, SourceInfo, operators};

use super::ConditionError;

/// Every variable, each with its fields.
pub(super) const VARIABLES: [(&str, &[&str]); 6] = [
    ("principal", &["id", "type", "email", "name", "tenant"]),
    ("tenant", &["id", "slug"]),
    ("project", &["id", "slug"]),
    ("resource", &["type", "id", "environment", "labels"]),
    (
        "request",
        &[
            "method",
            "path",
            "host",
            "ip",
            "time",
            "params",
            "query",
            "user_agent",
        ],
    ),
    ("session", &["acr", "amr"]),
];

/// Fields that are maps of texts.
const MAPS: [&str; 3] = ["labels", "params", "query"];

const FUNCTIONS: [&str; 31] = [
    operators::CONDITIONAL,
    operators::LOGICAL_AND,
    operators::LOGICAL_OR,
    operators::LOGICAL_NOT,
    operators::SUBSTRACT,
    operators::ADD,
    operators::EQUALS,
    operators::NOT_EQUALS,
    operators::GREATER_EQUALS,
    operators::LESS_EQUALS,
    operators::GREATER,
    operators::LESS,
    operators::NEGATE,
    operators::INDEX,
    operators::IN,
    "contains",
    "startsWith",
    "endsWith",
    "size",
    "int",
    "string",
    "duration",
    "timestamp",
    "getFullYear",
    "getMonth",
    "getDate",
    "getDayOfMonth",
    "getDayOfWeek",
    "getDayOfYear",
    "getHours",
    "getMinutes",
];

/// How deep expressions may nest; their evaluation recurses.
const MAX_DEPTH: usize = 40;

/// An addition of texts copies them.
const MAX_ADDITIONS: usize = 8;

/// Which fields of which variables a condition reads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Uses(u32);

impl Uses {
    /// Where the fields of `tenant` begin and those of `resource` end.
    const PLACE: [usize; 2] = [Self::bit(1, 0), Self::bit(4, 0)];

    fn add(&mut self, variable: usize, field: usize) {
        self.0 |= 1 << Self::bit(variable, field);
    }

    /// The fields of the variable that are read, if any is.
    pub fn of(self, variable: usize) -> impl Iterator<Item = &'static str> {
        let fields = VARIABLES[variable].1.iter().enumerate();
        fields.filter_map(move |(field, name)| {
            let read = self.0 & (1 << Self::bit(variable, field)) != 0;
            read.then_some(*name)
        })
    }

    pub const fn any_of_place(self) -> bool {
        let [from, to] = Self::PLACE;
        self.0 & ((1 << to) - (1 << from)) != 0
    }

    const fn bit(variable: usize, field: usize) -> usize {
        let (mut bit, mut before) = (field, 0);
        while before < variable {
            bit += VARIABLES[before].1.len();
            before += 1;
        }
        bit
    }
}

/// Checks a parsed condition; tells what it reads.
pub(super) fn check(program: &Program, text: &str) -> Result<Uses, ConditionError> {
    let mut checker = Checker {
        source: program.source_info(),
        text,
        uses: Uses::default(),
        additions: 0,
    };
    checker.expression(program.expression(), 0)?;
    Ok(checker.uses)
}

struct Checker<'p> {
    source: &'p SourceInfo,
    text: &'p str,
    uses: Uses,
    additions: usize,
}

impl Checker<'_> {
    fn expression(&mut self, node: &IdedExpr, depth: usize) -> Result<(), ConditionError> {
        if depth > MAX_DEPTH {
            return self.refuse(node, "this nests too deep");
        }
        match &node.expr {
            Expr::Literal(_) => Ok(()),
            Expr::List(list) if list.optional_indices.is_empty() => list
                .elements
                .iter()
                .try_for_each(|element| self.expression(element, depth + 1)),
            Expr::Call(call) => self.call(node, call, depth),
            Expr::Select(select) => self.select(node, select),
            Expr::Ident(name) => match variable(name) {
                Some((_, fields)) => {
                    let fields = fields.join("`, `");
                    self.refuse(node, format!("name a field of `{name}`: `{fields}`"))
                }
                None => self.refuse(node, unknown_variable(name)),
            },
            Expr::Comprehension(_) => {
                self.refuse(node, "conditions have no loops (`all`, `exists`, `map` …)")
            }
            _ => self.refuse(node, "conditions have no such expression"),
        }
    }

    fn call(
        &mut self,
        node: &IdedExpr,
        call: &CallExpr,
        depth: usize,
    ) -> Result<(), ConditionError> {
        let name = call.func_name.as_str();
        if !FUNCTIONS.contains(&name) {
            return self.refuse(node, format!("there is no function `{name}` in conditions"));
        }
        self.additions += usize::from(name == operators::ADD);
        if self.additions > MAX_ADDITIONS {
            return self.refuse(node, format!("more than {MAX_ADDITIONS} additions"));
        }
        let target = call.target.iter().map(AsRef::as_ref);
        for part in target.chain(&call.args) {
            self.expression(part, depth + 1)?;
        }
        Ok(())
    }

    /// `variable.field`, `variable.map.key`.
    fn select(&mut self, node: &IdedExpr, select: &SelectExpr) -> Result<(), ConditionError> {
        match &select.operand.expr {
            Expr::Ident(name) => self.field(node, name, select),
            Expr::Select(inner) if MAPS.contains(&inner.field.as_str()) && !inner.test => {
                self.select(&select.operand, inner)
            }
            _ => self.refuse(
                node,
                format!("there is nothing called `{}` in it", select.field),
            ),
        }
    }

    fn field(
        &mut self,
        node: &IdedExpr,
        name: &str,
        select: &SelectExpr,
    ) -> Result<(), ConditionError> {
        let Some((at, fields)) = variable(name) else {
            return self.refuse(&select.operand, unknown_variable(name));
        };
        let Some(field) = fields.iter().position(|field| *field == select.field) else {
            let (field, known) = (&select.field, fields.join("`, `"));
            return self.refuse(
                node,
                format!("`{name}` has no field `{field}`; it has `{known}`"),
            );
        };
        self.uses.add(at, field);
        Ok(())
    }

    fn refuse<T>(&self, node: &IdedExpr, message: impl Into<String>) -> Result<T, ConditionError> {
        let place = self.source.offset_for(node.id);
        let character = place.and_then(|(start, _)| usize::try_from(start).ok());
        Err(ConditionError::at(
            self.text,
            character.unwrap_or_default(),
            message.into(),
        ))
    }
}

fn variable(name: &str) -> Option<(usize, &'static [&'static str])> {
    let at = VARIABLES.iter().position(|(it, _)| *it == name)?;
    Some((at, VARIABLES[at].1))
}

fn unknown_variable(name: &str) -> String {
    let known = VARIABLES.map(|(name, _)| name).join("`, `");
    format!("there is no variable `{name}`; there are `{known}`")
}
