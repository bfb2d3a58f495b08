//! The description of the API: OpenAPI 3.1, put together from the endpoints.

use utoipa::openapi::path::{Operation, Parameter, ParameterBuilder, ParameterIn, PathItem};
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{ContentBuilder, Ref, Required, ResponseBuilder};
use utoipa::{Modify, OpenApi};

use super::endpoints::{
    bindings, events, key_rules, keys, me, members, openapi, projects, providers, resources, roles,
    session_rules, tenants,
};
use super::problem::ProblemBody;

/// Refusals that any request may get.
const ANY: [(&str, &str); 9] = [
    ("400", "It cannot be read in one way"),
    ("401", "No credential, or one that proves nothing"),
    (
        "403",
        "A permission is missing, or it asks for more than the caller holds",
    ),
    ("404", "There is nothing of this name"),
    ("413", "The body is too large"),
    ("414", "The path or the query is too long"),
    ("429", "A rate limit has nothing left"),
    ("431", "The header is too large"),
    ("503", "The truth cannot be asked; try again"),
];
/// Those of requests that change something.
const CHANGE: [(&str, &str); 1] = [("409", "It is so already, or is in use")];
/// Those of requests with a body.
const BODY: [(&str, &str); 2] = [
    ("415", "The body is not application/json"),
    (
        "422",
        "It names what there is not, or is not of the form that is asked for",
    ),
];
/// Those of requests that change what was read.
const MATCH: [(&str, &str); 2] = [
    ("412", "It has changed since it was read"),
    ("428", "`If-Match` is missing"),
];
/// Deletions that need no `If-Match`: what they delete never changes.
const UNMATCHED: [&str; 2] = ["delete_binding", "revoke_key"];

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Portcullis administration",
        description = "Tenants, sign-in providers, projects, members, roles, bindings, resources, keys and the audit trail.",
        license(name = "Apache-2.0", identifier = "Apache-2.0"),
        version = "1"
    ),
    paths(
        openapi::handle,
        me::handle,
        tenants::list::handle,
        tenants::create::handle,
        tenants::read::handle,
        session_rules::of_tenant::handle,
        session_rules::put_of_tenant::handle,
        session_rules::of_project::handle,
        session_rules::put_of_project::handle,
        providers::list::handle,
        providers::create::handle,
        providers::read::handle,
        providers::update::handle,
        providers::delete::handle,
        projects::list::handle,
        projects::create::handle,
        projects::read::handle,
        projects::update::handle,
        projects::transfer::handle,
        projects::delete::handle,
        members::list::handle,
        members::add::handle,
        members::read::handle,
        members::update::handle,
        members::remove::handle,
        roles::list::handle,
        roles::create::handle,
        roles::read::handle,
        roles::update::handle,
        roles::delete::handle,
        bindings::list::handle,
        bindings::create::handle,
        bindings::delete::handle,
        resources::list::handle,
        resources::read::handle,
        resources::update::handle,
        resources::transfer::handle,
        resources::release::handle,
        keys::list::handle,
        keys::create::handle,
        keys::pending::handle,
        keys::rotate::handle,
        keys::approve::handle,
        keys::revoke::handle,
        keys::revoke_all::handle,
        key_rules::read::handle,
        key_rules::put::handle,
        events::of_all::handle,
        events::of_tenant::handle,
        events::of_project::handle,
    ),
    components(schemas(ProblemBody)),
    modifiers(&Common)
)]
struct Document;

/// The whole description.
#[must_use]
pub fn document() -> utoipa::openapi::OpenApi {
    Document::openapi()
}

/// What all operations have in common.
struct Common;

impl Modify for Common {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let scheme = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .description(Some("An API key"))
            .build();
        if let Some(components) = &mut document.components {
            components.add_security_scheme("key", SecurityScheme::Http(scheme));
        }
        let none: [&str; 0] = [];
        document.security = Some(vec![SecurityRequirement::new("key", none)]);
        for (path, item) in &mut document.paths.paths {
            let names = names_in(path);
            for (method, operation) in operations(item) {
                complete(method, operation, &names);
            }
        }
    }
}

fn operations(item: &mut PathItem) -> Vec<(&'static str, &mut Operation)> {
    let all = [
        ("get", &mut item.get),
        ("post", &mut item.post),
        ("put", &mut item.put),
        ("patch", &mut item.patch),
        ("delete", &mut item.delete),
    ];
    let there = all.into_iter();
    there
        .filter_map(|(method, operation)| Some((method, operation.as_mut()?)))
        .collect()
}

/// The values in a path.
fn names_in(path: &str) -> Vec<&str> {
    let parts = path.split('/');
    parts
        .filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
        .collect()
}

fn complete(method: &str, operation: &mut Operation, names: &[&str]) {
    let id = operation.operation_id.clone().unwrap_or_default();
    let mut added: Vec<Parameter> = names.iter().map(|name| in_path(name)).collect();
    add_refusals(operation, &ANY);
    if method != "get" {
        add_refusals(operation, &CHANGE);
    }
    if method == "post" {
        added.push(idempotency_key());
        add_refusals(operation, &BODY[1..]);
    }
    if let Some(own) = &operation.parameters
        && own.iter().any(|parameter| parameter.name == "cursor")
    {
        add_refusals(operation, &BODY[1..]);
    }
    if operation.request_body.is_some() {
        add_refusals(operation, &BODY);
    }
    if matches!(method, "put" | "patch" | "delete") && !UNMATCHED.contains(&&*id) {
        added.push(if_match());
        add_refusals(operation, &MATCH);
    }
    if id == "delete_role" {
        add_refusals(operation, &BODY[1..]);
    }
    operation.parameters.get_or_insert_default().extend(added);
}

fn add_refusals(operation: &mut Operation, refusals: &[(&str, &str)]) {
    for (status, description) in refusals {
        let content = ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem")));
        let response = ResponseBuilder::new()
            .description(*description)
            .content("application/problem+json", content.build())
            .build();
        let responses = &mut operation.responses.responses;
        responses.insert((*status).to_owned(), response.into());
    }
}

fn text() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String)
}

fn in_path(name: &str) -> Parameter {
    let (schema, description) = match name {
        "tenant" => (slug(), "Short name of the tenant"),
        "project" => (slug(), "Short name of the project"),
        "role" => (
            text()
                .pattern(Some("^[a-z][a-z0-9_]*$"))
                .max_length(Some(60)),
            "Name of the role",
        ),
        "key" => (
            text().pattern(Some("^[0-9A-Za-z]{12}$")),
            "Public part of the key",
        ),
        _ => (
            text().format(Some(utoipa::openapi::SchemaFormat::Custom(
                "uuid".to_owned(),
            ))),
            "Id",
        ),
    };
    ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Path)
        .required(Required::True)
        .description(Some(description))
        .schema(Some(schema.build()))
        .build()
}

fn slug() -> ObjectBuilder {
    let pattern = Some("^[a-z0-9](-?[a-z0-9])*$");
    text().pattern(pattern).max_length(Some(30))
}

fn idempotency_key() -> Parameter {
    let schema = text().pattern(Some("^[!-~]{16,255}$"));
    let description = "Sent again with the same content, the request is not carried out again \
                       and gets the same answer, for 24 hours. A random one: it seals the answer";
    ParameterBuilder::new()
        .name("Idempotency-Key")
        .parameter_in(ParameterIn::Header)
        .required(Required::False)
        .description(Some(description))
        .schema(Some(schema.build()))
        .build()
}

fn if_match() -> Parameter {
    let schema = text().pattern(Some("^(\\*|\"[0-9a-f]{32}\")$"));
    ParameterBuilder::new()
        .name("If-Match")
        .parameter_in(ParameterIn::Header)
        .required(Required::True)
        .description(Some("The `ETag` that was seen"))
        .schema(Some(schema.build()))
        .build()
}
