//! GitHub: OAuth 2.0 with PKCE, and its API, which says who somebody is.

use openidconnect::{HttpRequest, PkceCodeChallenge, http};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use url::{Url, form_urlencoded};

use super::examined::Examined;
use super::fetch::Fetch;
use super::provider::{Asserted, Errand, KeptTokens, ProviderError, Returned, SessionThere};
use crate::config::GitHub;

/// Own addresses, own organizations and teams.
const SCOPES: &str = "read:user user:email read:org";
/// As many as a page has.
const PAGE: usize = 100;
/// Most pages that are read of one list.
const PAGES: usize = 10;
const VERSION: &str = "2022-11-28";

/// GitHub, or a GitHub Enterprise Server.
#[derive(Debug)]
pub struct GitHubSignIn {
    settings: GitHub,
    callback: Url,
    fetch: Fetch,
}

#[derive(Deserialize)]
struct Token {
    access_token: Option<String>,
    error: Option<String>,
}

#[derive(Deserialize)]
struct User {
    id: u64,
    login: String,
    name: Option<String>,
}

#[derive(Deserialize)]
struct Address {
    email: String,
    primary: bool,
    verified: bool,
}

#[derive(Deserialize)]
struct Organization {
    login: String,
}

#[derive(Deserialize)]
struct Team {
    slug: String,
    organization: Organization,
}

impl GitHubSignIn {
    pub(super) const fn new(settings: GitHub, callback: Url, fetch: Fetch) -> Self {
        Self {
            settings,
            callback,
            fetch,
        }
    }

    pub(super) fn send(&self, state: &str) -> Result<(Url, Errand), ProviderError> {
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let mut url = under(&self.settings.site, "login/oauth/authorize")?;
        url.query_pairs_mut()
            .append_pair("client_id", &self.settings.client.id)
            .append_pair("redirect_uri", self.callback.as_str())
            .append_pair("scope", SCOPES)
            .append_pair("state", state)
            .append_pair("code_challenge", challenge.as_str())
            .append_pair("code_challenge_method", "S256");
        let errand = Errand {
            nonce: String::new(),
            verifier: verifier.secret().clone(),
            // It has no way to ask for it.
            anew_since: None,
        };
        Ok((url, errand))
    }

    pub(super) async fn receive(
        &self,
        errand: Errand,
        returned: Returned,
    ) -> Result<Asserted, ProviderError> {
        let token = self.token(&errand, &returned.code).await?;
        self.said_with(token).await
    }

    /// What it says now. Its tokens do not end by themselves.
    ///
    /// # Errors
    ///
    /// `Refused` if the token was taken back, or is somebody else's.
    pub(super) async fn ask_again(
        &self,
        token: &str,
        subject: &str,
    ) -> Result<Asserted, ProviderError> {
        let asserted = self.said_with(token.to_owned()).await?;
        if asserted.subject == subject {
            Ok(asserted)
        } else {
            Err(ProviderError::Refused(
                "the answer is of somebody else".to_owned(),
            ))
        }
    }

    async fn said_with(&self, token: String) -> Result<Asserted, ProviderError> {
        let user: User = self.get(&token, "user").await?;
        let addresses: Vec<Address> = self.list(&token, "user/emails").await?;
        let organizations: Vec<Organization> = self.list(&token, "user/orgs").await?;
        let theirs = |name: &str| {
            let mut allowed = self.settings.organizations.iter();
            allowed.any(|allowed| allowed.eq_ignore_ascii_case(name))
        };
        if !organizations.iter().any(|each| theirs(&each.login)) {
            let why = "the account is of none of `allowed_organizations`";
            return Err(ProviderError::Refused(why.to_owned()));
        }
        let teams: Vec<Team> = self.list(&token, "user/teams").await?;
        let teams = teams
            .into_iter()
            .filter(|team| theirs(&team.organization.login));
        let primary = addresses.into_iter().find(|each| each.primary);
        let claimed_email = primary.as_ref().map(|each| each.email.clone());
        Ok(Asserted {
            issuer: self.settings.site.to_string(),
            subject: user.id.to_string(),
            email: primary.filter(|each| each.verified).map(|each| each.email),
            claimed_email,
            name: Some(user.name.unwrap_or(user.login)),
            authenticated_at: None,
            ends_at: None,
            session: Some(SessionThere {
                name: user.id.to_string(),
                ..SessionThere::default()
            }),
            kept: KeptTokens::new(Some(token), None),
            groups: teams
                .map(|team| format!("{}/{}", team.organization.login, team.slug))
                .collect(),
        })
    }

    pub(super) async fn examine(&self) -> Vec<Examined> {
        let what = "client";
        let client = match self.token(&Errand::default(), "portcullis-sso-test").await {
            // It looks at a client's name and secret before it looks at a code.
            Err(ProviderError::Refused(why)) if why.contains("bad_verification_code") => {
                Examined::ok(what, "`client_id` and `client_secret` are taken")
            }
            Err(ProviderError::Refused(why)) => Examined::wrong(
                what,
                format!("`client_id` or `client_secret` is wrong: {why}"),
            ),
            Err(error) => Examined::wrong(what, error),
            Ok(_) => Examined::wrong(what, "it takes any code"),
        };
        let organizations = self.settings.organizations.join(", ");
        vec![
            Examined::ok("callback URL to register", &self.callback),
            Examined::ok("organizations", organizations),
            client,
        ]
    }

    async fn token(&self, errand: &Errand, code: &str) -> Result<String, ProviderError> {
        let told: Token = self.ask(self.exchange(errand, code)?).await?;
        told.access_token.ok_or_else(|| {
            let why = told.error.unwrap_or_else(|| "no token".to_owned());
            ProviderError::Refused(format!("the code was not taken: {why}"))
        })
    }

    fn exchange(&self, errand: &Errand, code: &str) -> Result<HttpRequest, ProviderError> {
        let client = &self.settings.client;
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.append_pair("client_id", &client.id)
            .append_pair("code", code)
            .append_pair("redirect_uri", self.callback.as_str())
            .append_pair("code_verifier", &errand.verifier);
        if let Some(secret) = &client.secret {
            form.append_pair("client_secret", &secret.0);
        }
        let url = under(&self.settings.site, "login/oauth/access_token")?;
        http::Request::post(url.as_str())
            .header("accept", "application/json")
            .header("content-type", "application/x-www-form-urlencoded")
            .body(form.finish().into_bytes())
            .map_err(unreadable)
    }

    /// All pages of a list. One that is longer than anybody's is not read in part: what is missing
    /// would look as if it had been taken away.
    async fn list<T: DeserializeOwned>(
        &self,
        token: &str,
        path: &str,
    ) -> Result<Vec<T>, ProviderError> {
        let mut all = Vec::new();
        for page in 1..=PAGES {
            let path = format!("{path}?per_page={PAGE}&page={page}");
            let read: Vec<T> = self.get(token, &path).await?;
            let is_last = read.len() < PAGE;
            all.extend(read);
            if is_last {
                return Ok(all);
            }
        }
        let most = PAGE * PAGES;
        let why = format!("{path} has {most} entries and more: too many to read");
        Err(ProviderError::Refused(why))
    }

    async fn get<T: DeserializeOwned>(&self, token: &str, path: &str) -> Result<T, ProviderError> {
        let url = under(&self.settings.api, path)?;
        let request = http::Request::get(url.as_str())
            .header("accept", "application/vnd.github+json")
            .header("authorization", format!("Bearer {token}"))
            .header("x-github-api-version", VERSION)
            .body(Vec::new());
        self.ask(request.map_err(unreadable)?).await
    }

    async fn ask<T: DeserializeOwned>(&self, request: HttpRequest) -> Result<T, ProviderError> {
        let path = request.uri().path().to_owned();
        let answer = self.fetch.send(request).await.map_err(unreadable)?;
        if !answer.status().is_success() {
            let why = format!("{path} is answered with {}", answer.status());
            return Err(match answer.status().as_u16() {
                // 403 is also what it says to whoever asks too often.
                400 | 401 => ProviderError::Refused(why),
                _ => ProviderError::Unavailable(why),
            });
        }
        serde_json::from_slice(answer.body()).map_err(unreadable)
    }
}

/// A path below a URL, whether or not that ends with a slash.
fn under(base: &Url, path: &str) -> Result<Url, ProviderError> {
    let base = base.as_str().trim_end_matches('/');
    format!("{base}/{path}").parse().map_err(unreadable)
}

#[expect(clippy::needless_pass_by_value, reason = "for `map_err`")]
fn unreadable(error: impl ToString) -> ProviderError {
    ProviderError::Unavailable(error.to_string())
}
