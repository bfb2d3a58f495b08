//! `/Users`.

use std::collections::BTreeMap;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use chrono::SecondsFormat;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::answer::{Refusal, with_body};
use super::groups::members;
use super::listing::Wanted;
use super::people::is_active;
use super::read::{Directory, Sent};
use super::schema::{USER, USER_ATTRIBUTES};
use super::{normal, patch};
use crate::control::api::path::Path;
use crate::store::{Claims, Done, ScimKind, ScimResource};

const KIND: ScimKind = ScimKind::User;

/// Those that are asked for.
pub(super) async fn list(directory: Directory, wanted: Wanted) -> Result<Response, Refusal> {
    Ok(wanted.page(directory.users(&wanted).await?))
}

/// As [`list`], by a body.
pub(super) async fn search(directory: Directory, sent: Sent) -> Result<Response, Refusal> {
    let wanted = Wanted::from_body(sent)?;
    Ok(wanted.page(directory.users(&wanted).await?))
}

/// Those of both kinds.
pub(super) async fn search_all(directory: Directory, sent: Sent) -> Result<Response, Refusal> {
    let wanted = Wanted::from_body(sent)?;
    let mut all = directory.users(&wanted).await?;
    all.extend(directory.groups(&wanted).await?);
    Ok(wanted.page(all))
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
    let shown = directory.shown_user(&found).await?;
    Ok(with_body(StatusCode::OK, &wanted.seen(shown)))
}

/// Makes one (`scim.user_created`).
pub(super) async fn create(
    directory: Directory,
    wanted: Wanted,
    Sent(sent): Sent,
) -> Result<Response, Refusal> {
    let document = whole(&sent)?;
    let _turn = directory.api.turn.lock().await;
    let mut change = directory.change().await?;
    let names = names(&document, "userName");
    let kept = Value::Object(document.clone());
    let made = change.scim_insert(
        directory.tenant.id,
        KIND,
        (&names.0, names.1.as_deref()),
        kept,
    );
    let mut user = made.await?;
    // Who is made inactive has lost what they had.
    let told = directory.settle(&mut change, &mut user, true).await?;
    change
        .scim_update(&mut user, (&names.0, names.1.as_deref()))
        .await?;
    let done = directory.done("scim.user_created", KIND, &user);
    let done = done.detail("account", told);
    change.commit(done, StatusCode::CREATED.as_u16()).await?;
    let shown = directory.shown_user(&user).await?;
    let mut response = with_body(StatusCode::CREATED, &wanted.seen(shown));
    if let Ok(at) = HeaderValue::try_from(directory.location(&format!("Users/{}", user.id))) {
        response.headers_mut().insert(header::LOCATION, at);
    }
    Ok(response)
}

/// Makes one anew (`scim.user_updated`).
pub(super) async fn replace(
    directory: Directory,
    wanted: Wanted,
    Path((_, id)): Path<(String, Uuid)>,
    Sent(sent): Sent,
) -> Result<Response, Refusal> {
    let document = whole(&sent)?;
    directory.update_user(&wanted, id, |_| Ok(document)).await
}

/// Changes one (`scim.user_updated`).
pub(super) async fn modify(
    directory: Directory,
    wanted: Wanted,
    Path((_, id)): Path<(String, Uuid)>,
    Sent(sent): Sent,
) -> Result<Response, Refusal> {
    let changed = |mut document: Map<String, Value>| {
        patch::apply(&mut document, USER_ATTRIBUTES, &sent)?;
        normal::resource(&document, USER_ATTRIBUTES)
    };
    directory.update_user(&wanted, id, changed).await
}

/// Removes one, who has lost the tenant with that (`scim.user_deleted`).
pub(super) async fn remove(
    directory: Directory,
    Path((_, id)): Path<(String, Uuid)>,
) -> Result<Response, Refusal> {
    let tenant = directory.tenant.id;
    let _turn = directory.api.turn.lock().await;
    let mut change = directory.change().await?;
    let found = change.scim_locked(tenant, KIND, id).await?;
    let user = found.ok_or_else(Refusal::not_found)?;
    let told = match user.principal {
        Some(of) => directory.shut_out(&mut change, of).await?,
        None => Value::Null,
    };
    change.scim_delete(tenant, id).await?;
    let done = directory.done("scim.user_deleted", KIND, &user);
    let status = StatusCode::NO_CONTENT;
    change
        .commit(done.detail("account", told), status.as_u16())
        .await?;
    Ok(status.into_response())
}

/// A user who is sent whole may act, unless it is said that they may not. Of whom it is said no
/// more, later, may not.
fn whole(sent: &Map<String, Value>) -> Result<Map<String, Value>, Refusal> {
    let mut document = normal::resource(sent, USER_ATTRIBUTES)?;
    document.entry("active").or_insert(Value::Bool(true));
    Ok(document)
}

/// The name, and what the directory calls it.
pub(super) fn names(document: &Map<String, Value>, name: &str) -> (String, Option<String>) {
    let text = |name: &str| {
        document
            .get(name)
            .and_then(Value::as_str)
            .map(str::to_owned)
    };
    (text(name).unwrap_or_default(), text("externalId"))
}

impl Directory {
    pub(super) async fn change(&self) -> Result<crate::store::api::ApiTx, Refusal> {
        let (db, now) = (&self.api.db, self.api.clock.now());
        let request = self.caller.request.clone();
        Ok(db.change_for(Claims::Gateway, request, now).await?)
    }

    pub(super) fn done(&self, event: &'static str, kind: ScimKind, of: &ScimResource) -> Done {
        let name = match kind {
            ScimKind::User => "userName",
            ScimKind::Group => "displayName",
        };
        let done = Done::new(event, "scim_resource", &of.id);
        let done = done.tenant(self.tenant.id, &self.tenant.slug);
        let done = done.detail("name", of.document[name].clone());
        match of.principal {
            Some(principal) => done.detail("principal", principal.to_string()),
            None => done,
        }
    }

    /// Those that may be asked for.
    pub(super) async fn users(&self, wanted: &Wanted) -> Result<Vec<Value>, Refusal> {
        let (db, tenant) = (&self.api.db, self.tenant.id);
        let name = wanted.filter.as_ref().and_then(|it| it.equals("userName"));
        let found = db.scim_resources(tenant, KIND, name).await?;
        let mut groups: BTreeMap<String, Vec<(Uuid, String)>> = BTreeMap::new();
        for group in db.scim_resources(tenant, ScimKind::Group, None).await? {
            let document = group.document.as_object().cloned().unwrap_or_default();
            let (name, _) = names(&document, "displayName");
            for member in members(&document) {
                let of = groups.entry(member).or_default();
                of.push((group.id, name.clone()));
            }
        }
        let of = |user: &ScimResource| groups.get(&user.id.to_string());
        let shown = found
            .iter()
            .map(|user| self.with_groups(user, of(user).map_or(&[], Vec::as_slice)));
        Ok(shown.collect())
    }

    async fn update_user(
        &self,
        wanted: &Wanted,
        id: Uuid,
        changed: impl FnOnce(Map<String, Value>) -> Result<Map<String, Value>, Refusal>,
    ) -> Result<Response, Refusal> {
        let _turn = self.api.turn.lock().await;
        let mut change = self.change().await?;
        let found = change.scim_locked(self.tenant.id, KIND, id).await?;
        let mut user = found.ok_or_else(Refusal::not_found)?;
        let former = user.document.as_object().cloned().unwrap_or_default();
        let was_active = is_active(&former);
        let document = changed(former)?;
        let names = names(&document, "userName");
        user.document = Value::Object(document);
        let told = self.settle(&mut change, &mut user, was_active).await?;
        change
            .scim_update(&mut user, (&names.0, names.1.as_deref()))
            .await?;
        let done = self.done("scim.user_updated", KIND, &user);
        change
            .commit(done.detail("account", told), StatusCode::OK.as_u16())
            .await?;
        let shown = self.shown_user(&user).await?;
        Ok(with_body(StatusCode::OK, &wanted.seen(shown)))
    }

    /// A user as a client sees them.
    pub(super) async fn shown_user(&self, user: &ScimResource) -> Result<Value, Refusal> {
        let groups = self.api.db.scim_groups_of(self.tenant.id, user.id).await?;
        Ok(self.with_groups(user, &groups))
    }

    fn with_groups(&self, user: &ScimResource, groups: &[(Uuid, String)]) -> Value {
        let mut shown = self.shown(user, KIND, USER);
        let groups = groups.iter();
        let groups: Vec<_> = groups
            .map(|(id, name)| json!({ "value": id, "display": name }))
            .collect();
        if !groups.is_empty() {
            shown["groups"] = groups.into();
        }
        shown
    }

    /// What all resources have.
    pub(super) fn shown(&self, of: &ScimResource, kind: ScimKind, schema: &str) -> Value {
        let mut shown = of.document.clone();
        let time =
            |at: chrono::DateTime<chrono::Utc>| at.to_rfc3339_opts(SecondsFormat::Millis, true);
        let kind = kind.as_str();
        shown["schemas"] = json!([schema]);
        shown["id"] = json!(of.id);
        shown["meta"] = json!({
            "resourceType": kind, "created": time(of.created_at),
            "lastModified": time(of.updated_at),
            "location": self.location(&format!("{kind}s/{}", of.id)),
        });
        shown
    }
}
