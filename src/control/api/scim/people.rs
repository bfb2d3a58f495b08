//! What a directory's word means for accounts and roles.

use serde_json::{Map, Value};

use super::answer::Refusal;
use super::read::Directory;
use crate::domain::{Email, PrincipalId};
use crate::store::api::ApiTx;
use crate::store::{ScimResource, WantedRole};

/// The address of the account: the primary one, else the first, else the name if it is one.
pub(super) fn address(document: &Map<String, Value>) -> Option<Email> {
    let emails = document.get("emails").and_then(Value::as_array);
    let emails = emails.map_or(&[][..], Vec::as_slice);
    let primary = emails.iter().find(|each| each["primary"] == true);
    let chosen = primary.or_else(|| emails.first());
    let chosen = chosen.and_then(|each| each["value"].as_str());
    let name = document.get("userName").and_then(Value::as_str);
    let mut known = [chosen, name].into_iter().flatten();
    known.find_map(|text| text.to_lowercase().parse().ok())
}

/// What the account is called.
fn called(document: &Map<String, Value>, email: &Email) -> String {
    let text = |value: Option<&Value>| value.and_then(Value::as_str).map(str::to_owned);
    let name = document.get("name");
    let part = |part: &str| text(name.and_then(|name| name.get(part)));
    let both = [part("givenName"), part("familyName")];
    let both = both.into_iter().flatten().collect::<Vec<_>>().join(" ");
    text(document.get("displayName"))
        .or_else(|| part("formatted"))
        .or((!both.is_empty()).then_some(both))
        .unwrap_or_else(|| email.to_string())
}

/// Whether it is said that somebody may do anything here.
pub(super) fn is_active(document: &Map<String, Value>) -> bool {
    document.get("active") == Some(&Value::Bool(true))
}

impl Directory {
    /// Makes the account and its roles what the directory says; says what has become of it.
    pub(super) async fn settle(
        &self,
        change: &mut ApiTx,
        user: &mut ScimResource,
        was_active: bool,
    ) -> Result<Value, Refusal> {
        let Some(document) = user.document.as_object().cloned() else {
            return Ok(Value::Null);
        };
        if let Some(email) = address(&document) {
            self.bind(change, user, &document, &email).await?;
        }
        let Some(of) = user.principal else {
            return Ok(Value::Null);
        };
        if !is_active(&document) {
            return if was_active {
                self.shut_out(change, of).await
            } else {
                Ok(Value::Null)
            };
        }
        change.scim_enable(of, self.tenant.id).await?;
        self.grant(change, user, of).await
    }

    /// Takes the tenant from somebody, and the account if it is for nothing else and would not be
    /// there without the tenant.
    pub(super) async fn shut_out(
        &self,
        change: &mut ApiTx,
        of: PrincipalId,
    ) -> Result<Value, Refusal> {
        let tenant = self.tenant.id;
        let providers = &self.settings.providers;
        let account = change.scim_account((tenant, providers), of).await?;
        let is_elsewhere = account.as_ref().is_none_or(|account| account.is_elsewhere);
        let is_ours = account.is_some_and(|account| account.is_ours);
        let ended = change
            .scim_shut_out(of, tenant, is_elsewhere, providers)
            .await?;
        if is_ours && !is_elsewhere {
            change.scim_disable(of, tenant).await?;
        }
        Ok(ended)
    }

    /// The roles that everybody has, and those of their groups.
    pub(super) async fn grant(
        &self,
        change: &mut ApiTx,
        user: &ScimResource,
        of: PrincipalId,
    ) -> Result<Value, Refusal> {
        let tenant = self.tenant.id;
        let groups = change.scim_group_names(tenant, user.id).await?;
        let mut wanted = Vec::new();
        for grant in &self.settings.grants {
            let is_theirs = grant
                .group
                .as_ref()
                .is_none_or(|group| groups.contains(group));
            let role = WantedRole {
                role: grant.role.clone(),
                project: grant.project.clone(),
            };
            if is_theirs && !wanted.contains(&role) {
                wanted.push(role);
            }
        }
        let changed = change.scim_grant(of, tenant, &wanted).await?;
        if changed["unknown"] != serde_json::json!([]) {
            let unknown = &changed["unknown"];
            tracing::warn!(tenant = %self.tenant.slug, %unknown, "a directory gives roles that there are not");
        }
        Ok(changed)
    }

    /// The account of this address. Another address is another account: whoever had the former one
    /// has left. An account is never renamed, for its password and its providers would go with it
    /// to an address that may be somebody's; and no answer tells whether an account was there.
    async fn bind(
        &self,
        change: &mut ApiTx,
        user: &mut ScimResource,
        document: &Map<String, Value>,
        email: &Email,
    ) -> Result<(), Refusal> {
        let here = (self.tenant.id, &*self.settings.providers);
        let known = change.scim_account_of(here, email.as_str());
        let known = known.await?.map(|account| account.id);
        if known.is_some() && known == user.principal {
            return Ok(());
        }
        if let Some(former) = user.principal {
            self.shut_out(change, former).await?;
        }
        user.principal = Some(if let Some(account) = known {
            account
        } else {
            let name = called(document, email);
            let made = change.provision(email.as_str(), &name, self.tenant.id);
            made.await?.id
        });
        Ok(())
    }
}
