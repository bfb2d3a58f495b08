//! Providers that go by a name of their own: each as it describes itself, and with claims as it
//! makes them.

use std::collections::BTreeMap;
use std::io::{self, Write as _};
use std::net::TcpStream;
use std::sync::{Arc, Mutex};

use openssl::pkey::{PKey, Private};
use serde_json::{Value, json};

use super::Bench;
use super::lies::{jwk, key, now, own, signed};
use crate::support::browser::{Browser, DOCUMENT};
use crate::support::gateway::until;
use crate::support::raw::Answer;
use crate::support::upstream::{Received, Upstream};

const DIRECTORY: &str = "6a1f0c3e-7f5b-4b52-9d0e-0d7c2b9f4e11";

/// What it answers, by path.
type Answers = BTreeMap<String, Value>;

struct Recorded {
    bench: Bench,
    server: Upstream,
    key: PKey<Private>,
    answers: Arc<Mutex<Answers>>,
    document: Value,
}

impl Recorded {
    /// By its document and its part of the configuration; `{at}` is where it is.
    async fn start(document: &str, kind: &str) -> Self {
        let bringing = "auto_provision_users: true\n      domains: [acme.example]";
        Self::with(document, &format!("{kind}\n      {bringing}")).await
    }

    /// As [`Self::start`]; it brings nobody unless something says so.
    async fn with(document: &str, kind: &str) -> Self {
        let answers = Arc::new(Mutex::new(Answers::new()));
        let told = Arc::clone(&answers);
        let server = Upstream::with(move |request: &Received, stream: &mut TcpStream| {
            answer_to(request, stream, &told.lock().unwrap())
        });
        let at = format!("http://{}", server.address());
        let filled = |text: &str| text.replace("{at}", &at).replace("{tid}", DIRECTORY);
        let document: Value = serde_json::from_str(&filled(document)).unwrap();
        let key = key();
        {
            let mut answers = answers.lock().unwrap();
            let issuer = document["issuer"].as_str().unwrap();
            let issuer = issuer.strip_prefix(&at).unwrap().trim_end_matches('/');
            let own = format!("{issuer}/.well-known/openid-configuration");
            answers.insert(own, document.clone());
            answers.insert(path(&document["jwks_uri"]), keys(&key));
        }
        let bench = Bench::with_rules(&format!(
            "sign_in:\n  public_url: \"http://localhost:1\"\n  providers:\n    - name: corp\n      \
             tenant: acme\n      group_role_mapping: [ {{ group: \
             ml, role: editor, project: fraud }} ]\n      recheck: 15m\n      {}",
            filled(kind)
        ))
        .await;
        Self {
            bench,
            server,
            key,
            answers,
            document,
        }
    }

    fn answer(&self, path: &str, answer: Value) {
        self.answers.lock().unwrap().insert(path.to_owned(), answer);
    }

    /// There and back, with these claims beside the usual ones.
    fn sign_in(&self, browser: &mut Browser, claims: &Value) -> (Answer, url::Url) {
        let sent = browser.go("/.portcullis/sign-in/with/corp?return=/things");
        assert_eq!(sent.status, 303, "{sent:?}");
        let to: url::Url = sent.header("location")[0].parse().unwrap();
        let asked = |name: &str| {
            let mut pairs = to.query_pairs();
            pairs.find(|(key, _)| key == name).unwrap().1.into_owned()
        };
        let mut all = json!({ "iss": self.document["issuer"], "aud": "ml", "sub": "u-1",
            "exp": now() + 300, "iat": now(), "nonce": asked("nonce"), "name": "Ann" });
        let claims = claims.as_object().unwrap().clone();
        all.as_object_mut().unwrap().extend(claims);
        let token = json!({ "access_token": "opaque", "token_type": "Bearer", "expires_in": 3600,
            "refresh_token": "again", "id_token": signed(&self.key, &own(), &all) });
        self.answer(&path(&self.document["token_endpoint"]), token);
        let mut line = format!(
            "GET /.portcullis/callback/corp?code=c&state={}",
            asked("state")
        );
        if self.document["authorization_response_iss_parameter_supported"] == json!(true) {
            let iss = self.document["issuer"].as_str().unwrap();
            line = format!("{line}&iss={iss}");
        }
        let fields = format!("{DOCUMENT}Sec-Fetch-Site: cross-site\r\n");
        (browser.send(&line, &fields, ""), to)
    }

    /// Signs in well, as an editor, and says how it was asked.
    fn well(&self, claims: &Value) -> url::Url {
        let mut browser = self.bench.browser();
        let (came, asked) = self.sign_in(&mut browser, claims);
        assert_eq!(came.status, 303, "{came:?}");
        until("the new role", || {
            browser.send("GET /things", "", "").status == 200
        });
        let received = self.bench.upstream.received();
        let last = received.last().unwrap();
        assert_eq!(last.header("x-forwarded-user"), ["ann@acme.example"]);
        assert_eq!(last.header("x-portcullis-roles"), ["editor"]);
        asked
    }

    /// Is refused, for this reason.
    async fn refused(&self, what: &str, claims: &Value) -> Value {
        let mut browser = self.bench.browser();
        let (answer, _) = self.sign_in(&mut browser, claims);
        assert!([401, 503].contains(&answer.status), "{what}: {answer:?}");
        assert_eq!(browser.cookie, None, "{what}");
        self.bench.event("session.refused").await["reason"].clone()
    }
}

fn path(url: &Value) -> String {
    let url: url::Url = url.as_str().unwrap().parse().unwrap();
    url.path().to_owned()
}

/// As Keycloak and Entra have them: one that encrypts is among them, and no algorithm is named.
fn keys(key: &PKey<Private>) -> Value {
    let mut signs = jwk(key);
    signs.as_object_mut().unwrap().remove("alg");
    signs["x5c"] = json!(["MIIC"]);
    let mut encrypts = jwk(&super::lies::key());
    encrypts["use"] = json!("enc");
    encrypts["alg"] = json!("RSA-OAEP");
    encrypts["kid"] = json!("two");
    json!({ "keys": [encrypts, signs] })
}

fn answer_to(request: &Received, stream: &mut TcpStream, answers: &Answers) -> io::Result<()> {
    let path = request.line().split(' ').nth(1).unwrap_or_default();
    let (status, body) = match answers.get(path) {
        Some(answer) => ("200 OK", answer.to_string()),
        None => ("404 Not Found", String::new()),
    };
    write!(
        stream,
        "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

fn scopes(asked: &url::Url) -> String {
    let mut pairs = asked.query_pairs();
    pairs
        .find(|(key, _)| key == "scope")
        .unwrap()
        .1
        .into_owned()
}

fn ann() -> Value {
    json!({ "email": "ann@acme.example", "email_verified": true, "groups": ["ml"] })
}

#[tokio::test(flavor = "multi_thread")]
async fn okta_tells_groups_by_a_scope() {
    let okta = Recorded::start(
        include_str!("discovery/okta.json"),
        "okta: { issuer: \"{at}/oauth2/default\", client_id: ml, client_secret: hush }",
    )
    .await;
    let asked = okta.well(&ann());
    assert_eq!(scopes(&asked), "openid email profile groups offline_access");
}

#[tokio::test(flavor = "multi_thread")]
async fn keycloak_and_gitlab_give_refresh_tokens_unasked() {
    let keycloak = Recorded::start(
        include_str!("discovery/keycloak.json"),
        "keycloak: { url: \"{at}/\", realm: acme, client_id: ml, client_secret: hush }",
    )
    .await;
    let asked = keycloak.well(&ann());
    assert_eq!(scopes(&asked), "openid email profile");
    let gitlab = Recorded::start(
        include_str!("discovery/gitlab.json"),
        "gitlab: { url: \"{at}\", client_id: ml, client_secret: hush }",
    )
    .await;
    // All groups are told where it is asked for people, and only some in the token.
    let told = json!({ "sub": "u-1", "email": "ann@acme.example", "email_verified": true,
        "groups": ["ml", "ml/sub"] });
    gitlab.answer("/oauth/userinfo", told);
    let mut claims = ann();
    claims.as_object_mut().unwrap().remove("groups");
    claims["groups_direct"] = json!(["other"]);
    gitlab.well(&claims);
}

#[tokio::test(flavor = "multi_thread")]
async fn auth0_has_a_slash_and_claims_of_a_namespace() {
    let auth0 = Recorded::start(
        include_str!("discovery/auth0.json"),
        "auth0: { issuer: \"{at}/\", client_id: ml, client_secret: hush, groups_claim: \
         \"https://acme.example/groups\" }",
    )
    .await;
    let mut claims = ann();
    claims["groups"] = json!(["other"]);
    claims["https://acme.example/groups"] = json!(["ml"]);
    let asked = auth0.well(&claims);
    assert_eq!(scopes(&asked), "openid email profile offline_access");
}

#[tokio::test(flavor = "multi_thread")]
async fn google_is_asked_in_its_own_way() {
    let google = Recorded::start(
        include_str!("discovery/google.json"),
        "google: { issuer: \"{at}\", client_id: ml, client_secret: hush, allowed_domains: \
         [acme.example] }",
    )
    .await;
    let mut claims = ann();
    claims["hd"] = json!("acme.example");
    let asked = google.well(&claims);
    assert_eq!(scopes(&asked), "openid email profile");
    let pairs: BTreeMap<_, _> = asked.query_pairs().collect();
    assert_eq!(
        (&*pairs["access_type"], &*pairs["prompt"], &*pairs["hd"]),
        ("offline", "consent", "acme.example")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn entra_is_one_directory_whose_domains_are_its_own() {
    let entra = Recorded::start(
        include_str!("discovery/entra.json"),
        "entra: { tenant_id: {tid}, issuer: \"{at}/{tid}/v2.0\", graph: \"{at}\", client_id: ml, \
         client_secret: hush }",
    )
    .await;
    let mut honest = ann();
    honest["tid"] = json!(DIRECTORY);
    honest["xms_edov"] = json!(true);
    let asked = entra.well(&honest);
    assert_eq!(
        scopes(&asked),
        "openid email profile User.Read offline_access"
    );
    let mut claims = honest.clone();
    claims["tid"] = json!("11111111-7f5b-4b52-9d0e-0d7c2b9f4e11");
    let reason = entra.refused("another directory", &claims).await;
    assert_eq!(reason, "sso_refused");
    // Whoever runs a directory types whatever address they like: it counts if it is of `domains`,
    // or if the directory has proved that the domain is its own.
    let entra = Recorded::with(
        include_str!("discovery/entra.json"),
        "entra: { tenant_id: {tid}, issuer: \"{at}/{tid}/v2.0\", graph: \"{at}\", client_id: ml, \
         client_secret: hush }",
    )
    .await;
    assert_eq!(
        entra.refused("who is not invited", &honest).await,
        "sso_not_invited"
    );
    for proof in [Value::Null, json!(false), json!("no")] {
        let mut claims = honest.clone();
        claims["sub"] = json!("u-2");
        claims["xms_edov"] = proof;
        let reason = entra
            .refused("an address that is not theirs", &claims)
            .await;
        assert_eq!(reason, "sso_email_unverified");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn entra_is_asked_for_groups_that_a_token_has_no_room_for() {
    let entra = Recorded::start(
        include_str!("discovery/entra.json"),
        "entra: { tenant_id: {tid}, issuer: \"{at}/{tid}/v2.0\", graph: \"{at}\", client_id: ml, \
         client_secret: hush }",
    )
    .await;
    let mut claims = ann();
    let all = claims.as_object_mut().unwrap();
    all.remove("groups");
    all.insert("tid".to_owned(), json!(DIRECTORY));
    all.insert("xms_edov".to_owned(), json!("1"));
    let names = json!({ "groups": "src1" });
    let sources = json!({ "src1": { "endpoint": "https://graph.windows.net/x/getMemberObjects" } });
    all.insert("_claim_names".to_owned(), names);
    all.insert("_claim_sources".to_owned(), sources);
    let reason = entra.refused("it does not say which", &claims).await;
    assert_eq!(reason, "sso_unavailable");
    let groups: Vec<_> = (0..300).map(|number| format!("group {number}")).collect();
    let mut groups = json!(groups);
    groups.as_array_mut().unwrap().push(json!("ml"));
    entra.answer("/v1.0/me/getMemberObjects", json!({ "value": groups }));
    entra.well(&claims);
    let received = entra.server.received();
    let graph = received
        .iter()
        .find(|it| it.line().contains("getMemberObjects"));
    assert_eq!(graph.unwrap().header("authorization"), ["Bearer opaque"]);
    // Of another provider it is not known where to ask: roles are not taken in silence.
    let other = Recorded::start(
        include_str!("discovery/okta.json"),
        "okta: { issuer: \"{at}/oauth2/default\", client_id: ml, client_secret: hush }",
    )
    .await;
    let reason = other.refused("groups somewhere else", &claims).await;
    assert_eq!(reason, "sso_refused");
}
