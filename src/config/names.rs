//! `names:` of a type: what its names begin with, project by project.

use std::sync::Arc;

use super::reader::{Fields, Reader};
use crate::policy::namespace::{Namespace, TypeNames};
use crate::policy::{Field, Ownership, Template};

/// What the names of the projects share, if an operator wants them to.
const SHARED: &str = "shared";

/// `names: "{tenant.slug}.{project.slug}."`, and `id: name`.
pub(super) fn of_type(
    reader: Reader<'_>,
    fields: &Fields<'_>,
    ownership: Option<&Ownership>,
) -> TypeNames {
    let are_ids = fields.get("id");
    let are_ids = are_ids.and_then(|node| reader.choice(node, &[("name", true), ("own", false)]));
    let Some(node) = fields.get("names") else {
        if fields.get("id").is_some() {
            let place = fields.key_place("id");
            reader.report(place, "`id` without `names`: it tells what these are");
        }
        return TypeNames::Unsaid;
    };
    if ownership == Some(&Ownership::Backend) {
        let place = fields.key_place("names");
        reader.report(
            place,
            "`names` besides `owner: backend`, which keeps projects apart itself",
        );
    }
    if node.text() == Some(SHARED) {
        return TypeNames::Shared;
    }
    let prefix = reader.parsed(node, "a beginning of names, or `shared`", |text| {
        let template = Template::parse(text).map_err(|error| error.to_string())?;
        tells_projects_apart(text, &template)?;
        Ok::<_, String>(template)
    });
    prefix.map_or(TypeNames::Unsaid, |prefix| {
        TypeNames::Apart(Arc::new(Namespace {
            prefix,
            are_ids: are_ids.unwrap_or_default(),
        }))
    })
}

/// No project's prefix may begin another's: each slug must end where no slug goes on.
fn tells_projects_apart(text: &str, template: &Template) -> Result<(), String> {
    let named = |wanted: Field| template.fields().any(|field| field == wanted);
    let allowed = [Field::TenantSlug, Field::ProjectSlug, Field::ProjectId];
    if let Some(other) = template.fields().find(|field| !allowed.contains(field)) {
        return Err(format!(
            "`{{{}}}` is nothing that lasts of a project; write `{{tenant.slug}}`, \
             `{{project.slug}}` or `{{project.id}}`",
            other.as_str()
        ));
    }
    let both = named(Field::TenantSlug) && named(Field::ProjectSlug);
    if !(named(Field::ProjectId) || both) {
        return Err(format!(
            "`{text}` is not one project's alone; write `{{tenant.slug}}.{{project.slug}}.`, or \
             `{{project.id}}.`"
        ));
    }
    let mut rest = text;
    while let Some((_, after)) = rest.split_once('}') {
        let ends = after.starts_with(['.', '/', ':', '~', '@', '+']);
        if !ends {
            return Err(format!(
                "`{text}`: a slug must end where it cannot go on; write one of `.`, `/`, `:`, `~`, `@`, \
                 `+` behind each field"
            ));
        }
        rest = after;
    }
    let plain = |c: char| c.is_ascii_alphanumeric() || "{}.-/:~@+".contains(c);
    match text.chars().find(|c| !plain(*c)) {
        Some(odd) => Err(format!("`{text}`: `{odd}` means something in searches")),
        None => Ok(()),
    }
}
