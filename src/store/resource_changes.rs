//! What people change about objects of backends.

use serde_json::{Map, Value};
use sqlx::types::Json;

use super::author::{ChangeTx, Done};
use super::projects::{project, project_by_id};
use super::resources::{delete, record, remove_bindings, resource};
use super::{Author, Db, Labels, ListedResource, NewResource, Result, StoreError};
use crate::domain::{Project, ProjectPath, ResourceId, ResourceKey, Tenant};

/// So many ids are named in the event of an adoption.
const NAMED: usize = 100;

impl Db {
    /// Gives objects that belong to nobody to a project, all of them or none
    /// (`resources.adopted`). Those that it has already stay.
    ///
    /// # Errors
    ///
    /// `NotFound` for the project, `Conflict` if one belongs to another, `Refused` if a key
    /// is empty or too long.
    pub async fn adopt_resources(
        &self,
        author: &mut Author,
        to: &ProjectPath,
        new: &[NewResource],
    ) -> Result<Vec<ResourceId>> {
        let mut change = self.change(author).await?;
        let (home, heir) = project(&mut change.tx, to).await?;
        let ids = record(&mut change.tx, change.author, home.id, heir.id, new).await?;
        let named = new.iter().take(NAMED).map(|each| each.key.to_string());
        let done = Done::new("resources.adopted", "project", &heir.id)
            .tenant(home.id, &home.slug)
            .project(heir.id, &heir.slug)
            .detail("count", new.len())
            .detail("resources", named.collect::<Vec<_>>());
        change.commit(done).await?;
        Ok(ids)
    }

    /// Forgets an object, whatever the backend does with it (`resource.released`), and the
    /// bindings on it (`member.removed`).
    ///
    /// # Errors
    ///
    /// `NotFound`.
    pub async fn forget_resource(&self, author: &mut Author, key: &ResourceKey) -> Result<()> {
        let mut change = self.change(author).await?;
        let (found, home, project) = found(&mut change, key).await?;
        remove_bindings(&mut change.tx, change.author, &[found.id.0]).await?;
        delete(&mut change.tx, &[found.id.0]).await?;
        let done = done("resource.released", &found, &home, &project);
        change.commit(done).await
    }

    /// Replaces what is noted of an object (`resource.labelled`).
    ///
    /// # Errors
    ///
    /// `NotFound`, `Refused` if the labels are too many.
    pub async fn label_resource(
        &self,
        author: &mut Author,
        key: &ResourceKey,
        labels: &Labels,
    ) -> Result<()> {
        let mut change = self.change(author).await?;
        let (found, home, project) = found(&mut change, key).await?;
        sqlx::query!(
            "UPDATE resources SET labels = $2 WHERE id = $1",
            found.id.0,
            Json(labels) as _,
        )
        .execute(&mut *change.tx)
        .await?;
        let done = done("resource.labelled", &found, &home, &project)
            .detail("from", object(&found.labels))
            .detail("to", object(labels));
        change.commit(done).await
    }

    /// Gives an object to another project of its tenant (`resource.moved`). The bindings on
    /// it were the former project's, and go (`member.removed`).
    ///
    /// # Errors
    ///
    /// `NotFound`, `Conflict` if it is there already, `Refused` for another tenant's project.
    pub async fn move_resource(
        &self,
        author: &mut Author,
        key: &ResourceKey,
        to: &ProjectPath,
    ) -> Result<()> {
        let mut change = self.change(author).await?;
        let (found, home, from) = found(&mut change, key).await?;
        let (target, heir) = project(&mut change.tx, to).await?;
        if target.id != home.id {
            let rule = "an object stays in its tenant";
            return Err(StoreError::Refused(rule.to_owned()));
        }
        if heir.id == from.id {
            return Err(StoreError::Conflict(format!(
                "{key} belongs to `{to}` already"
            )));
        }
        remove_bindings(&mut change.tx, change.author, &[found.id.0]).await?;
        sqlx::query!(
            "UPDATE resources SET project_id = $2 WHERE id = $1",
            found.id.0,
            heir.id.0,
        )
        .execute(&mut *change.tx)
        .await?;
        let done = done("resource.moved", &found, &home, &heir)
            .detail("from", from.slug.as_str())
            .detail("to", heir.slug.as_str());
        change.commit(done).await
    }
}

async fn found(
    change: &mut ChangeTx<'_>,
    key: &ResourceKey,
) -> Result<(ListedResource, Tenant, Project)> {
    let found = resource(&mut change.tx, key).await?;
    let (tenant, project) = project_by_id(&mut change.tx, found.project).await?;
    Ok((found, tenant, project))
}

fn done(event: &'static str, what: &ListedResource, home: &Tenant, project: &Project) -> Done {
    Done::new(event, "resource", &what.id)
        .tenant(home.id, &home.slug)
        .project(project.id, &project.slug)
        .detail("upstream", what.upstream.as_str())
        .detail("type", what.kind.as_str())
        .detail("id", what.external_id.as_str())
}

fn object(labels: &Labels) -> Map<String, Value> {
    let entries = labels.iter();
    entries
        .map(|(name, value)| (name.clone(), Value::from(value.as_str())))
        .collect()
}
