//! Header values and bodies made from the permit: `{tenant.slug}--{project.slug}`.

use std::borrow::Cow;
use std::fmt;

/// What a template can name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// `{principal.id}`.
    PrincipalId,
    /// `{principal.email}`; absent for a service account.
    PrincipalEmail,
    /// `{principal.name}`.
    PrincipalName,
    /// `{principal.type}`: `user` or `service_account`.
    PrincipalType,
    /// `{principal.label}`: the e-mail address, else the name.
    PrincipalLabel,
    /// `{tenant.id}`.
    TenantId,
    /// `{tenant.slug}`.
    TenantSlug,
    /// `{project.id}`.
    ProjectId,
    /// `{project.slug}`.
    ProjectSlug,
    /// `{roles}`: names of the roles that hold, comma separated.
    Roles,
    /// `{session.acr}`: how sure it is who it is; absent for a key.
    SessionAcr,
    /// `{session.amr}`: how they proved it; absent for a key.
    SessionAmr,
}

impl Field {
    /// Every field.
    pub const ALL: [Self; 12] = [
        Self::PrincipalId,
        Self::PrincipalEmail,
        Self::PrincipalName,
        Self::PrincipalType,
        Self::PrincipalLabel,
        Self::TenantId,
        Self::TenantSlug,
        Self::ProjectId,
        Self::ProjectSlug,
        Self::Roles,
        Self::SessionAcr,
        Self::SessionAmr,
    ];

    /// The word between the braces.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::PrincipalId => "principal.id",
            Self::PrincipalEmail => "principal.email",
            Self::PrincipalName => "principal.name",
            Self::PrincipalType => "principal.type",
            Self::PrincipalLabel => "principal.label",
            Self::TenantId => "tenant.id",
            Self::TenantSlug => "tenant.slug",
            Self::ProjectId => "project.id",
            Self::ProjectSlug => "project.slug",
            Self::Roles => "roles",
            Self::SessionAcr => "session.acr",
            Self::SessionAmr => "session.amr",
        }
    }
}

/// Literal text with fields in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template(Vec<Part>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(Box<str>),
    Field(Field),
}

/// Why a text is no template.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// `{` without `}`, or the reverse.
    #[error("unbalanced `{{` or `}}`")]
    Unbalanced {
        /// Byte offset of the brace.
        offset: usize,
    },
    /// No such field.
    #[error("unknown field `{{{name}}}`")]
    UnknownField {
        /// As written.
        name: String,
        /// Byte offset of the opening brace.
        offset: usize,
    },
    /// CR, LF, NUL and the like would end up in a header.
    #[error("control character in a template")]
    ControlCharacter {
        /// Byte offset.
        offset: usize,
    },
}

impl TemplateError {
    /// Byte offset of the mistake in the text.
    #[must_use]
    pub const fn offset(&self) -> usize {
        match self {
            Self::Unbalanced { offset }
            | Self::UnknownField { offset, .. }
            | Self::ControlCharacter { offset } => *offset,
        }
    }
}

impl Template {
    /// Parses a text.
    ///
    /// # Errors
    ///
    /// When braces do not balance, a field does not exist, or a control character occurs.
    pub fn parse(text: &str) -> Result<Self, TemplateError> {
        if let Some(offset) = text.find(char::is_control) {
            return Err(TemplateError::ControlCharacter { offset });
        }
        let mut parts = Vec::new();
        let mut offset = 0;
        while let Some(found) = text[offset..].find(['{', '}']) {
            let brace = offset + found;
            push_text(&mut parts, &text[offset..brace]);
            let (field, length) = field(&text[brace..], brace)?;
            parts.push(Part::Field(field));
            offset = brace + length;
        }
        push_text(&mut parts, &text[offset..]);
        Ok(Self(parts))
    }

    /// The fields it names.
    pub fn fields(&self) -> impl Iterator<Item = Field> {
        self.0.iter().filter_map(|part| match part {
            Part::Text(_) => None,
            Part::Field(field) => Some(*field),
        })
    }

    /// The field, where there is nothing else.
    #[must_use]
    pub const fn only(&self) -> Option<Field> {
        match self.0.as_slice() {
            [Part::Field(field)] => Some(*field),
            _ => None,
        }
    }

    /// The text with `fields` filled in; `None` when one of them is absent.
    pub fn render<'v>(&self, fields: &impl Fn(Field) -> Option<Cow<'v, str>>) -> Option<String> {
        if let [Part::Field(field)] = &*self.0 {
            return fields(*field).map(Cow::into_owned);
        }
        let mut text = String::new();
        for part in &self.0 {
            match part {
                Part::Text(literal) => text.push_str(literal),
                Part::Field(field) => text.push_str(&fields(*field)?),
            }
        }
        Some(text)
    }
}

fn push_text(parts: &mut Vec<Part>, text: &str) {
    if !text.is_empty() {
        parts.push(Part::Text(text.into()));
    }
}

/// The field that `text` begins with, and the length of its notation.
fn field(text: &str, offset: usize) -> Result<(Field, usize), TemplateError> {
    let unbalanced = TemplateError::Unbalanced { offset };
    let inner = text.strip_prefix('{').ok_or(unbalanced.clone())?;
    let end = inner.find(['{', '}']).ok_or(unbalanced.clone())?;
    if inner[end..].starts_with('{') {
        return Err(unbalanced);
    }
    let name = &inner[..end];
    let known = Field::ALL.into_iter().find(|field| field.as_str() == name);
    known
        .map(|field| (field, end + 2))
        .ok_or_else(|| TemplateError::UnknownField {
            name: name.to_owned(),
            offset,
        })
}

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for part in &self.0 {
            match part {
                Part::Text(text) => f.write_str(text)?,
                Part::Field(field) => write!(f, "{{{}}}", field.as_str())?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(field: Field) -> Option<Cow<'static, str>> {
        match field {
            Field::TenantSlug => Some("acme".into()),
            Field::PrincipalLabel => Some("eve@acme.example".into()),
            Field::Roles => Some("".into()),
            _ => None,
        }
    }

    #[test]
    fn fields_are_filled_in() {
        let render = |text| Template::parse(text).unwrap().render(&value);
        assert_eq!(render("{tenant.slug}").unwrap(), "acme");
        assert_eq!(render("t={tenant.slug}!").unwrap(), "t=acme!");
        assert_eq!(render("literal").unwrap(), "literal");
        assert_eq!(render("").unwrap(), "");
        assert_eq!(render("{roles}").unwrap(), "");
    }

    #[test]
    fn an_absent_field_makes_the_whole_absent() {
        let template = Template::parse("{tenant.slug}--{project.slug}").unwrap();
        assert_eq!(template.render(&value), None);
    }

    #[test]
    fn every_field_is_read_and_written_alike() {
        for field in Field::ALL {
            let text = format!("<{{{}}}>", field.as_str());
            let template = Template::parse(&text).unwrap();
            assert_eq!(template.to_string(), text);
            assert_eq!(template.fields().collect::<Vec<_>>(), [field]);
        }
    }

    #[test]
    fn mistakes_are_told_with_their_place() {
        let error = |text| Template::parse(text).unwrap_err();
        assert_eq!(
            error("a {tenant.slag}"),
            TemplateError::UnknownField {
                name: "tenant.slag".to_owned(),
                offset: 2
            }
        );
        for (text, offset) in [("a{", 1), ("}", 0), ("x{{roles}}", 1), ("{roles", 0)] {
            assert_eq!(error(text), TemplateError::Unbalanced { offset }, "{text}");
        }
        assert_eq!(error("a\r\nb").offset(), 1);
    }
}
