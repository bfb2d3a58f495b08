//! `/Groups`: they stand for roles, which their members have for as long as they are in them.

use std::collections::BTreeSet;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::answer::{Refusal, with_body};
use super::listing::Wanted;
use super::people::is_active;
use super::read::{Directory, Sent};
use super::schema::{GROUP, GROUP_ATTRIBUTES};
use super::users::names;
use super::{normal, patch};
use crate::control::api::path::Path;
use crate::store::api::ApiTx;
use crate::store::{ScimKind, ScimResource};

const KIND: ScimKind = ScimKind::Group;

/// Those that are asked for.
pub(super) async fn list(directory: Directory, wanted: Wanted) -> Result<Response, Refusal> {
    Ok(wanted.page(directory.groups(&wanted).await?))
}

/// As [`list`], by a body.
pub(super) async fn search(directory: Directory, sent: Sent) -> Result<Response, Refusal> {
    let wanted = Wanted::from_body(sent)?;
    Ok(wanted.page(directory.groups(&wanted).await?))
}

/// One.
pub(super) async fn read(
    directory: Directory,
    wanted: Wanted,
    Path((_, id)): Path<(String, Uuid)>,
) -> Result<Response, Refusal> {
    let db = &directory.api.db;
    let found = db.scim_resource(directory.tenant.id, KIND, id).await?;
    let found = found.ok_or_else(Refusal::not_found)?;
    let shown = directory.shown_group(&found);
    Ok(with_body(StatusCode::OK, &wanted.seen(shown)))
}

/// Makes one (`scim.group_created`).
pub(super) async fn create(
    directory: Directory,
    wanted: Wanted,
    Sent(sent): Sent,
) -> Result<Response, Refusal> {
    let document = normal::group(normal::resource(&sent, GROUP_ATTRIBUTES)?);
    let _turn = directory.api.turn.lock().await;
    let mut change = directory.change().await?;
    directory
        .are_known(&mut change, &members(&document))
        .await?;
    let names = names(&document, "displayName");
    let made = change.scim_insert(
        directory.tenant.id,
        KIND,
        (&names.0, names.1.as_deref()),
        Value::Object(document.clone()),
    );
    let group = made.await?;
    directory.regrant(&mut change, &members(&document)).await?;
    let done = directory.done("scim.group_created", KIND, &group);
    change.commit(done, StatusCode::CREATED.as_u16()).await?;
    let shown = directory.shown_group(&group);
    let mut response = with_body(StatusCode::CREATED, &wanted.seen(shown));
    if let Ok(at) = HeaderValue::try_from(directory.location(&format!("Groups/{}", group.id))) {
        response.headers_mut().insert(header::LOCATION, at);
    }
    Ok(response)
}

/// Makes one anew (`scim.group_updated`).
pub(super) async fn replace(
    directory: Directory,
    wanted: Wanted,
    Path((_, id)): Path<(String, Uuid)>,
    Sent(sent): Sent,
) -> Result<Response, Refusal> {
    let document = normal::group(normal::resource(&sent, GROUP_ATTRIBUTES)?);
    directory.update_group(&wanted, id, |_| Ok(document)).await
}

/// Changes one (`scim.group_updated`).
pub(super) async fn modify(
    directory: Directory,
    wanted: Wanted,
    Path((_, id)): Path<(String, Uuid)>,
    Sent(sent): Sent,
) -> Result<Response, Refusal> {
    let changed = |mut document: Map<String, Value>| {
        patch::apply(&mut document, GROUP_ATTRIBUTES, &sent)?;
        normal::resource(&document, GROUP_ATTRIBUTES).map(normal::group)
    };
    directory.update_group(&wanted, id, changed).await
}

/// Removes one, and the roles that it stood for (`scim.group_deleted`).
pub(super) async fn remove(
    directory: Directory,
    Path((_, id)): Path<(String, Uuid)>,
) -> Result<Response, Refusal> {
    let tenant = directory.tenant.id;
    let _turn = directory.api.turn.lock().await;
    let mut change = directory.change().await?;
    let found = change.scim_locked(tenant, KIND, id).await?;
    let group = found.ok_or_else(Refusal::not_found)?;
    change.scim_delete(tenant, id).await?;
    let former = members(&group.document.as_object().cloned().unwrap_or_default());
    directory.regrant(&mut change, &former).await?;
    let done = directory.done("scim.group_deleted", KIND, &group);
    let status = StatusCode::NO_CONTENT;
    change.commit(done, status.as_u16()).await?;
    Ok(status.into_response())
}

/// The ids of a group's members, as they are written.
pub(super) fn members(document: &Map<String, Value>) -> BTreeSet<String> {
    let members = document.get("members").and_then(Value::as_array);
    let members = members.map_or(&[][..], Vec::as_slice).iter();
    members
        .filter_map(|each| each["value"].as_str().map(str::to_owned))
        .collect()
}

impl Directory {
    /// Those that may be asked for.
    pub(super) async fn groups(&self, wanted: &Wanted) -> Result<Vec<Value>, Refusal> {
        let name = wanted
            .filter
            .as_ref()
            .and_then(|it| it.equals("displayName"));
        let found = self.api.db.scim_resources(self.tenant.id, KIND, name);
        let found = found.await?;
        Ok(found.iter().map(|group| self.shown_group(group)).collect())
    }

    async fn update_group(
        &self,
        wanted: &Wanted,
        id: Uuid,
        changed: impl FnOnce(Map<String, Value>) -> Result<Map<String, Value>, Refusal>,
    ) -> Result<Response, Refusal> {
        let _turn = self.api.turn.lock().await;
        let mut change = self.change().await?;
        let found = change.scim_locked(self.tenant.id, KIND, id).await?;
        let mut group = found.ok_or_else(Refusal::not_found)?;
        let former = group.document.as_object().cloned().unwrap_or_default();
        let mut concerned = members(&former);
        let document = changed(former)?;
        let new = members(&document);
        self.are_known(&mut change, &new).await?;
        concerned.extend(new);
        let names = names(&document, "displayName");
        group.document = Value::Object(document);
        change
            .scim_update(&mut group, (&names.0, names.1.as_deref()))
            .await?;
        self.regrant(&mut change, &concerned).await?;
        let done = self.done("scim.group_updated", KIND, &group);
        change.commit(done, StatusCode::OK.as_u16()).await?;
        let shown = self.shown_group(&group);
        Ok(with_body(StatusCode::OK, &wanted.seen(shown)))
    }

    /// A group as a client sees it.
    pub(super) fn shown_group(&self, group: &ScimResource) -> Value {
        let mut shown = self.shown(group, KIND, GROUP);
        let members = shown.get_mut("members").and_then(Value::as_array_mut);
        for member in members.into_iter().flatten() {
            let id = member["value"].as_str().unwrap_or_default();
            member["$ref"] = self.location(&format!("Users/{id}")).into();
        }
        shown
    }

    /// Only users of this very directory are in a group.
    async fn are_known(&self, change: &mut ApiTx, ids: &BTreeSet<String>) -> Result<(), Refusal> {
        let parsed: Vec<Uuid> = ids.iter().filter_map(|id| id.parse().ok()).collect();
        let found = change.scim_users(self.tenant.id, &parsed).await?;
        let is_known = |id: &String| found.iter().any(|(own, _)| own.to_string() == *id);
        if ids.iter().all(is_known) {
            return Ok(());
        }
        Err(Refusal::value("A member is no user of this directory."))
    }

    /// Gives members exactly the roles that their groups are worth now.
    async fn regrant(&self, change: &mut ApiTx, ids: &BTreeSet<String>) -> Result<(), Refusal> {
        let ids = ids.iter().filter_map(|id| id.parse::<Uuid>().ok());
        for id in ids {
            let user = change
                .scim_locked(self.tenant.id, ScimKind::User, id)
                .await?;
            let Some(user) = user else { continue };
            let active = user.document.as_object().is_some_and(is_active);
            if let (Some(of), true) = (user.principal, active) {
                self.grant(change, &user, of).await?;
            }
        }
        Ok(())
    }
}
