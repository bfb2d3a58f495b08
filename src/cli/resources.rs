//! `portcullis resources`: which objects of backends belong to which project.

use std::collections::HashSet;
use std::sync::Arc;

use cel::{Context, Program, Value};
use clap::{Args, Subcommand};
use serde::Serialize;
use serde_json::json;

use super::CliError;
use super::output::Column;
use super::session::{Run, Session};
use crate::config::Settings;
use crate::domain::{ProjectPath, ResourceKey};
use crate::policy::{ListRequest, Ownership};
use crate::proxy::{ListedObject, Listings};
use crate::store::{Labels, ListedResource, NewResource, ResourceFilter};

/// Records looked up or taken over at once.
const CHUNK: usize = 500;
/// Records read at once.
const PAGE: u32 = 500;

#[derive(Debug, Subcommand)]
pub(super) enum ResourcesCommand {
    /// List objects on record
    List {
        /// Only those of this upstream
        #[arg(long)]
        upstream: Option<String>,
        /// Only those of this type
        #[arg(long = "type", value_name = "TYPE")]
        kind: Option<String>,
        /// Only those of TENANT/PROJECT
        #[arg(long)]
        project: Option<ProjectPath>,
    },
    /// List what a backend holds and nobody has on record: it is visible to nobody
    #[command(after_help = "Example: portcullis resources orphans mlflow experiment")]
    Orphans(Kind),
    /// Give a project objects that a backend holds: those named, or those that it lists
    #[command(
        after_help = "Examples:\n  portcullis resources adopt mlflow experiment 7 12 --project acme/fraud\n  \
                      portcullis resources adopt mlflow experiment --listed --project acme/fraud \\\n    \
                      --where 'item.name.startsWith(\"fraud-\")'"
    )]
    Adopt(Adoption),
    /// Take an object off the record: it is nobody's then, and visible to nobody
    Release {
        /// Which: UPSTREAM/TYPE/ID
        #[arg(value_name = "UPSTREAM/TYPE/ID", value_parser = super::members::resource)]
        resource: ResourceKey,
    },
    /// Give an object to another project of the tenant
    Move {
        /// Which: UPSTREAM/TYPE/ID
        #[arg(value_name = "UPSTREAM/TYPE/ID", value_parser = super::members::resource)]
        resource: ResourceKey,
        /// Where to: TENANT/PROJECT
        #[arg(long)]
        to: ProjectPath,
    },
}

/// A type of objects.
#[derive(Args, Debug)]
pub(super) struct Kind {
    /// Name of the upstream
    upstream: String,
    /// Type of the objects
    kind: String,
}

#[derive(Args, Debug)]
pub(super) struct Adoption {
    #[command(flatten)]
    of: Kind,
    /// The backend's ids of them
    #[arg(required_unless_present = "listed", conflicts_with = "listed")]
    ids: Vec<String>,
    /// All that the backend lists and nobody has on record
    #[arg(long)]
    listed: bool,
    /// Of those listed only the ones of which this holds, in CEL over `item`
    #[arg(long = "where", value_name = "CEL", requires = "listed", value_parser = program)]
    only: Option<Arc<Program>>,
    /// Whose they shall be: TENANT/PROJECT
    #[arg(long)]
    project: ProjectPath,
    /// Show what would be taken over, and take nothing over
    #[arg(long)]
    dry_run: bool,
}

fn program(text: &str) -> Result<Arc<Program>, String> {
    let compiled = Program::compile(text);
    compiled.map(Arc::new).map_err(|error| error.to_string())
}

impl Run for ResourcesCommand {
    async fn run(self, session: &mut Session) -> Result<(), CliError> {
        match self {
            Self::List {
                upstream,
                kind,
                project,
            } => list(session, upstream, kind, project).await,
            Self::Orphans(of) => {
                let orphans = orphans(session, &of).await?;
                let rows: Vec<Orphan> = orphans.iter().map(|it| Orphan::new(&of, it)).collect();
                Ok(session.output.list(&rows, ORPHANS)?)
            }
            Self::Adopt(adoption) => adopt(session, adoption).await,
            Self::Release { resource } => {
                session
                    .db
                    .forget_resource(&mut session.author, &resource)
                    .await?;
                told(session, &resource, "released")
            }
            Self::Move { resource, to } => {
                session
                    .db
                    .move_resource(&mut session.author, &resource, &to)
                    .await?;
                told(session, &resource, &format!("moved to {to}"))
            }
        }
    }
}

fn told(session: &Session, resource: &ResourceKey, what: &str) -> Result<(), CliError> {
    let ResourceKey { upstream, kind, id } = resource;
    let object = json!({ "upstream": upstream, "type": kind, "id": id, "done": what });
    let text = format!("{upstream}/{kind}/{id} {what}");
    Ok(session.output.done(&object, &text)?)
}

async fn list(
    session: &Session,
    upstream: Option<String>,
    kind: Option<String>,
    project: Option<ProjectPath>,
) -> Result<(), CliError> {
    let project = match &project {
        Some(path) => Some(session.db.project(path).await?.1.id),
        None => None,
    };
    let mut filter = ResourceFilter {
        project,
        upstream,
        kind,
        ..ResourceFilter::default()
    };
    let mut rows: Vec<ListedResource> = Vec::new();
    loop {
        let page = session.db.resources(&filter, PAGE).await?;
        let Some(last) = page.last() else {
            return Ok(session.output.list(&rows, RESOURCES)?);
        };
        filter.after = Some(last.key());
        rows.extend(page);
    }
}

const RESOURCES: &[Column<ListedResource>] = &[
    ("UPSTREAM", |it| it.upstream.clone()),
    ("TYPE", |it| it.kind.clone()),
    ("ID", |it| it.external_id.clone()),
    ("PROJECT", |it| it.project.to_string()),
    ("LABELS", |it| {
        let labels = it
            .labels
            .iter()
            .map(|(name, text)| format!("{name}={text}"));
        labels.collect::<Vec<_>>().join(",")
    }),
];

#[derive(Serialize)]
struct Orphan {
    upstream: String,
    #[serde(rename = "type")]
    kind: String,
    id: String,
}

impl Orphan {
    fn new(of: &Kind, object: &ListedObject) -> Self {
        Self {
            upstream: of.upstream.clone(),
            kind: of.kind.clone(),
            id: object.id.clone(),
        }
    }
}

const ORPHANS: &[Column<Orphan>] = &[
    ("UPSTREAM", |it| it.upstream.clone()),
    ("TYPE", |it| it.kind.clone()),
    ("ID", |it| it.id.clone()),
];

/// What the backend lists and nobody has on record.
async fn orphans(session: &Session, of: &Kind) -> Result<Vec<ListedObject>, CliError> {
    let settings = session.settings()?;
    let list = listing(&settings, of)?;
    let listings = Listings::new(&settings, &session.clock).await;
    let listings = listings.map_err(CliError::failed)?;
    let listed = listings.all(&of.upstream, list).await;
    let listed =
        listed.map_err(|error| CliError::Failed(format!("upstream `{}`: {error}", of.upstream)))?;
    let mut orphans = Vec::new();
    for chunk in listed.chunks(CHUNK) {
        let keys: Vec<_> = chunk.iter().map(|object| key(of, &object.id)).collect();
        let unknown: HashSet<_> = session.db.orphans(&keys).await?.into_iter().collect();
        let of_chunk = chunk.iter().zip(&keys);
        let of_chunk = of_chunk.filter(|(_, key)| unknown.contains(*key));
        orphans.extend(of_chunk.map(|(object, _)| object.clone()));
    }
    Ok(orphans)
}

fn listing<'s>(settings: &'s Settings, of: &Kind) -> Result<&'s ListRequest, CliError> {
    let declared = settings
        .resource_types
        .iter()
        .find(|it| *it.upstream == *of.upstream && *it.kind == *of.kind);
    if let Some(declared) = declared
        && !matches!(declared.ownership, Ownership::Recorded)
    {
        let problem = format!("objects of type `{}` have no records of their own", of.kind);
        return Err(CliError::Failed(problem));
    }
    let list = declared.and_then(|declared| declared.list.as_ref());
    list.ok_or_else(|| {
        CliError::Failed(format!(
            "the configuration does not say how `{}` lists its objects of type `{}`; \
             add `list:` to the type under `resources:`",
            of.upstream, of.kind
        ))
    })
}

async fn adopt(session: &mut Session, adoption: Adoption) -> Result<(), CliError> {
    let ids = if adoption.listed {
        let mut chosen = Vec::new();
        for object in orphans(session, &adoption.of).await? {
            if chooses(adoption.only.as_deref(), &object)? {
                chosen.push(object.id);
            }
        }
        chosen
    } else {
        adoption.ids
    };
    if !adoption.dry_run {
        let new = |id: &String| NewResource {
            key: key(&adoption.of, id),
            labels: Labels::new(),
        };
        for chunk in ids.chunks(CHUNK) {
            let new: Vec<_> = chunk.iter().map(new).collect();
            let (db, author) = (&session.db, &mut session.author);
            db.adopt_resources(author, &adoption.project, &new).await?;
        }
    }
    let verb = if adoption.dry_run { "would get" } else { "has" };
    let object =
        json!({ "project": adoption.project.to_string(), "ids": ids, "dry_run": adoption.dry_run });
    let count = ids.len();
    let text = format!(
        "{} {verb} {count} of type {}",
        adoption.project, adoption.of.kind
    );
    Ok(session.output.done(&object, &text)?)
}

/// Whether the expression holds of the item. One that cannot be told is a mistake in it.
fn chooses(only: Option<&Program>, object: &ListedObject) -> Result<bool, CliError> {
    let Some(program) = only else {
        return Ok(true);
    };
    let item: serde_json::Value = serde_json::from_str(&object.item).map_err(CliError::failed)?;
    let mut context = Context::default();
    context
        .add_variable("item", item)
        .map_err(|error| CliError::Failed(format!("`{}`: {error}", object.id)))?;
    match program.execute(&context) {
        Ok(Value::Bool(chosen)) => Ok(chosen),
        Ok(_) => Err(CliError::Failed(
            "`--where` is neither true nor false".to_owned(),
        )),
        Err(error) => Err(CliError::Failed(format!(
            "`--where` cannot be told of `{}`: {error}",
            object.id
        ))),
    }
}

fn key(of: &Kind, id: &str) -> ResourceKey {
    ResourceKey {
        upstream: of.upstream.as_str().into(),
        kind: of.kind.as_str().into(),
        id: id.into(),
    }
}
