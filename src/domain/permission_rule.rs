//! One line of a role: `models:read`, `deny *:delete`, `models:update when …`.

use std::fmt;

use super::Effect;

/// A permission pattern, what a role does with it, and when. Written
/// `[deny ]PATTERN[ when CONDITION]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PermissionRule<'t> {
    /// Whether it grants or takes away.
    pub effect: Effect,
    /// `models:read`, `models:*`, `*:read`, `*:*`.
    pub pattern: &'t str,
    /// Counts only while this holds, in CEL; `None`: always.
    pub condition: Option<&'t str>,
}

impl<'t> PermissionRule<'t> {
    /// Takes a line apart. Whether the pattern and the condition mean anything is not asked.
    #[must_use]
    pub fn parse(text: &'t str) -> Self {
        let (effect, rest) = match text.strip_prefix("deny ") {
            Some(rest) => (Effect::Deny, rest.trim_start()),
            None => (Effect::Allow, text),
        };
        let (pattern, condition) = match rest.split_once(" when ") {
            Some((pattern, condition)) => (pattern.trim_end(), Some(condition.trim())),
            None => (rest, None),
        };
        Self {
            effect,
            pattern,
            condition,
        }
    }
}

impl PermissionRule<'_> {
    /// The patterns of some lines.
    pub fn patterns(lines: &[String]) -> impl Iterator<Item = &str> {
        lines.iter().map(|line| PermissionRule::parse(line).pattern)
    }
}

impl fmt::Display for PermissionRule<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.effect == Effect::Deny {
            f.write_str("deny ")?;
        }
        f.write_str(self.pattern)?;
        match self.condition {
            Some(condition) => write!(f, " when {condition}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_what_is_read() {
        for (text, effect, pattern, condition) in [
            ("models:read", Effect::Allow, "models:read", None),
            ("deny *:delete", Effect::Deny, "*:delete", None),
            (
                "deny a:b when x == \"when y\" && z",
                Effect::Deny,
                "a:b",
                Some("x == \"when y\" && z"),
            ),
            ("a:b when true", Effect::Allow, "a:b", Some("true")),
        ] {
            let rule = PermissionRule::parse(text);
            assert_eq!(rule.effect, effect);
            assert_eq!((rule.pattern, rule.condition), (pattern, condition));
            assert_eq!(rule.to_string(), text);
        }
    }
}
