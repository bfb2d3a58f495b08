//! `portcullis members`.

use clap::{Args, Subcommand};
use serde_json::json;

use super::CliError;
use super::output::Column;
use super::session::{Run, Session};
use crate::domain::{BindingId, Effect, PrincipalName, ResourceKey, ScopePath};
use crate::store::{BindingPlace, Member, NewBinding};

#[derive(Debug, Subcommand)]
pub(super) enum MembersCommand {
    /// Give a principal a role somewhere
    #[command(
        after_help = "Example: portcullis members add --scope acme/fraud --principal bob@example.com --role viewer"
    )]
    Add(Membership),
    /// Take a role away again; name the binding as it was made
    Remove(Membership),
    /// List members; the owner of a project is listed with the role `owner`
    List {
        /// Only those of `platform`, TENANT or TENANT/PROJECT itself
        #[arg(long)]
        scope: Option<ScopePath>,
    },
}

#[derive(Args, Debug)]
pub(super) struct Membership {
    /// Where: `platform`, TENANT or TENANT/PROJECT
    #[arg(
        long,
        required_unless_present = "on_resource",
        conflicts_with = "on_resource"
    )]
    scope: Option<ScopePath>,
    /// On one object of a backend: UPSTREAM/TYPE/ID
    #[arg(long, value_name = "UPSTREAM/TYPE/ID", value_parser = resource)]
    on_resource: Option<ResourceKey>,
    /// Who: an e-mail address, TENANT/NAME of a service account, or an id
    #[arg(long)]
    principal: PrincipalName,
    /// Which role (see `portcullis roles list`)
    #[arg(long)]
    role: String,
    /// Take the role's permissions away there, whatever other bindings grant
    #[arg(long)]
    deny: bool,
    /// Counts only while this holds, in CEL: `resource.environment != "production"`
    #[arg(long, value_name = "CEL", value_parser = super::roles::condition)]
    when: Option<String>,
}

pub(super) fn resource(text: &str) -> Result<ResourceKey, String> {
    let mut parts = text.splitn(3, '/').filter(|part| !part.is_empty());
    match (parts.next(), parts.next(), parts.next()) {
        (Some(upstream), Some(kind), Some(id)) => Ok(ResourceKey {
            upstream: upstream.into(),
            kind: kind.into(),
            id: id.into(),
        }),
        _ => Err("write UPSTREAM/TYPE/ID, as in `mlflow/experiment/7`".to_owned()),
    }
}

impl Run for MembersCommand {
    async fn run(self, session: &mut Session) -> Result<(), CliError> {
        let (db, author) = (&session.db, &mut session.author);
        match self {
            Self::Add(it) => {
                let id = db.bind(author, &it.binding()?).await?;
                it.print(session, "is now", Some(id))
            }
            Self::Remove(it) => {
                db.unbind(author, &it.binding()?).await?;
                it.print(session, "is no longer", None)
            }
            Self::List { scope } => {
                let members = db.members(scope.as_ref()).await?;
                Ok(session.output.list(&members, COLUMNS)?)
            }
        }
    }
}

impl Membership {
    fn binding(&self) -> Result<NewBinding, CliError> {
        let place = match (&self.scope, &self.on_resource) {
            (_, Some(resource)) => BindingPlace::Resource(resource.clone()),
            (Some(scope), None) => BindingPlace::Scope(scope.clone()),
            (None, None) => return Err(CliError::failed("name a scope or an object")),
        };
        Ok(NewBinding {
            place,
            principal: self.principal.clone(),
            role: self.role.clone(),
            effect: self.effect(),
            condition: self.when.clone(),
        })
    }

    const fn effect(&self) -> Effect {
        if self.deny {
            Effect::Deny
        } else {
            Effect::Allow
        }
    }

    fn print(&self, session: &Session, verb: &str, id: Option<BindingId>) -> Result<(), CliError> {
        let Self {
            scope,
            principal,
            role,
            ..
        } = self;
        let on = match (scope, &self.on_resource) {
            (_, Some(it)) => format!("{}/{}/{}", it.upstream, it.kind, it.id),
            (scope, None) => scope.as_ref().map_or_else(String::new, ToString::to_string),
        };
        let mut object = json!({
            "scope": on,
            "principal": principal.to_string(),
            "role": role,
            "effect": self.effect(),
            "condition": self.when,
        });
        if let Some(id) = id {
            object["binding"] = json!(id);
        }
        let denied = if self.deny { "denied " } else { "" };
        let when = self.when.as_ref();
        let when = when.map_or_else(String::new, |when| format!(" when {when}"));
        let text = format!("{principal} {verb} {denied}{role} on {on}{when}");
        Ok(session.output.done(&object, &text)?)
    }
}

const COLUMNS: &[Column<Member>] = &[
    ("SCOPE", |member| match &member.resource {
        Some(it) => format!("{} {}/{}/{}", member.scope, it.upstream, it.kind, it.id),
        None => member.scope.to_string(),
    }),
    ("PRINCIPAL", |member| member.principal.clone()),
    ("ROLE", |member| {
        let denied = match member.effect {
            Effect::Allow => "",
            Effect::Deny => "denied ",
        };
        let when = member.condition.as_ref();
        let when = when.map_or_else(String::new, |when| format!(" when {when}"));
        format!("{denied}{}{when}", member.role)
    }),
    ("BY", |member| member.provider.clone().unwrap_or_default()),
    ("STATE", |member| {
        let state = if member.disabled {
            "disabled"
        } else {
            "active"
        };
        state.to_owned()
    }),
];
