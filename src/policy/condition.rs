//! Conditions in CEL: `resource.environment != "production"`.
//!
//! A condition is compiled once and evaluated in bounded time: it has no loops, few
//! additions, and reads values of bounded length. Whatever cannot be evaluated is an error,
//! which never lets anybody pass.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, LazyLock};
use std::{fmt, thread};

use cel::{Context, Env, ParseErrors, Program, Value};

use super::Scene;

mod check;
mod variables;

use check::Uses;
pub(super) use variables::{RequestFacts, Thing};

/// The longest condition, in bytes.
pub const MAX_CONDITION: usize = 1000;

/// What compiling may use: the parser recurses, and its frames are large.
const STACK: usize = 16 << 20;

static ENV: LazyLock<Arc<Env>> = LazyLock::new(|| Arc::new(Env::stdlib()));

/// A condition, ready to be evaluated.
pub struct Condition {
    text: Box<str>,
    /// `None`: the text is no condition, and evaluating it is an error.
    program: Option<Program>,
    uses: Uses,
}

/// Why a text is no condition.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message} (line {line}, column {column} of the condition)")]
pub struct ConditionError {
    /// Line in the text, from 1.
    pub line: u32,
    /// Column in it, from 1, in characters.
    pub column: u32,
    /// What is wrong.
    pub message: String,
}

/// A condition that could not be evaluated: it neither holds nor fails to hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unclear;

impl Condition {
    /// Compiles a text.
    ///
    /// # Errors
    ///
    /// When it is no CEL, names a variable or function that does not exist, or could cost
    /// more than a request may.
    pub fn compile(text: &str) -> Result<Self, ConditionError> {
        if text.len() > MAX_CONDITION {
            let message = format!("a condition is at most {MAX_CONDITION} bytes long");
            return Err(ConditionError::at(text, 0, message));
        }
        // A thread of its own bounds what odd input can do: its stack is large, and a panic
        // ends nothing else.
        let (program, uses) = thread::scope(|scope| {
            let compiling = thread::Builder::new()
                .stack_size(STACK)
                .spawn_scoped(scope, || checked(text));
            let outcome = compiling.map(thread::ScopedJoinHandle::join);
            outcome.unwrap_or_else(|error| Ok(Err(ConditionError::at(text, 0, error.to_string()))))
        })
        .unwrap_or_else(|_| {
            Err(ConditionError::at(
                text,
                0,
                "this cannot be read".to_owned(),
            ))
        })?;
        Ok(Self {
            text: text.into(),
            program: Some(program),
            uses,
        })
    }

    /// In the place of a text that is no condition: never clear.
    #[must_use]
    pub fn broken(text: &str) -> Self {
        Self {
            text: text.into(),
            program: None,
            uses: Uses::default(),
        }
    }

    /// Whether it holds.
    ///
    /// # Errors
    ///
    /// [`Unclear`] when it cannot be evaluated, as for a label that the object does not
    /// have, or is neither true nor false.
    pub(super) fn holds(&self, scene: &Scene<'_>) -> Result<bool, Unclear> {
        let program = self.program.as_ref().ok_or(Unclear)?;
        let mut context = Context::with_env(Arc::clone(&ENV));
        scene.bind(self.uses, &mut context).ok_or(Unclear)?;
        match catch_unwind(AssertUnwindSafe(|| program.execute(&context))) {
            Ok(Ok(Value::Bool(holds))) => Ok(holds),
            _ => Err(Unclear),
        }
    }

    /// Whether it depends on a tenant, a project or an object.
    pub(super) const fn reads_place(&self) -> bool {
        self.uses.any_of_place()
    }
}

fn checked(text: &str) -> Result<(Program, Uses), ConditionError> {
    let program = ENV
        .compile(text)
        .map_err(|errors| ConditionError::of_parser(text, &errors))?;
    let uses = check::check(&program, text)?;
    Ok((program, uses))
}

impl ConditionError {
    /// At a character of the text.
    fn at(text: &str, character: usize, message: String) -> Self {
        let before: String = text.chars().take(character).collect();
        let line = before.matches('\n').count() + 1;
        let column = before.chars().rev().take_while(|c| *c != '\n').count() + 1;
        Self {
            line: u32::try_from(line).unwrap_or(u32::MAX),
            column: u32::try_from(column).unwrap_or(u32::MAX),
            message,
        }
    }

    fn of_parser(text: &str, errors: &ParseErrors) -> Self {
        let Some(first) = errors.errors.first() else {
            return Self::at(text, 0, "this is no condition".to_owned());
        };
        let place = |n: isize| u32::try_from(n).unwrap_or(1).max(1);
        Self {
            line: place(first.pos.0),
            column: place(first.pos.1),
            message: first.msg.clone(),
        }
    }
}

impl fmt::Debug for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Condition").field(&self.text).finish()
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl PartialEq for Condition {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text && self.program.is_some() == other.program.is_some()
    }
}

impl Eq for Condition {}

#[cfg(test)]
mod tests;
