//! `portcullis sso test`: what is wrong with a provider, before anybody signs in there.

use serde_json::Value;

use super::Bench;
use super::saml::Corp;
use crate::support::oidc::OidcProvider;
use crate::support::saml::{IDP, KeyPair, SimpleSamlPhp};

/// What was looked at and how it is, and whether all is well.
fn examined(bench: &Bench, provider: &str) -> (bool, Vec<(String, String, String)>) {
    let (code, out) = bench.gateway.cli_code(&["--json", "sso", "test", provider]);
    let rows: Vec<Value> = serde_json::from_str(&out).unwrap();
    let text = |row: &Value, key: &str| row[key].as_str().unwrap().to_owned();
    let rows = rows.iter();
    let rows = rows.map(|row| (text(row, "what"), text(row, "verdict"), text(row, "found")));
    (code == 0, rows.collect())
}

fn is(rows: &[(String, String, String)], what: &str) -> (String, String) {
    let row = rows.iter().find(|(own, ..)| own == what);
    let (_, verdict, found) = row.unwrap_or_else(|| panic!("no {what} in {rows:?}"));
    (verdict.clone(), found.clone())
}

#[tokio::test(flavor = "multi_thread")]
async fn of_an_openid_provider_all_is_told_that_can_be() {
    let provider = OidcProvider::start("http://localhost:1/.portcullis/callback/corp");
    let issuer = provider.issuer();
    let one = |name: &str, issuer: &str, secret: &str, more: &str| {
        format!(
            "    - name: {name}\n      tenant: acme\n      oidc: {{ issuer: \"{issuer}\", client_id: ml, \
             client_secret: {secret}{more} }}\n"
        )
    };
    let bench = Bench::with_rules(&format!(
        "sign_in:\n  public_url: \"http://localhost:1\"\n  providers:\n{}{}{}{}",
        one("corp", &issuer, "hush", ", scopes: [groups]"),
        one("wrong", &issuer, "other", ", scopes: [nonsense]"),
        one("slash", &format!("{issuer}/more"), "hush", ""),
        one("away", "http://127.0.0.1:1", "hush", ""),
    ))
    .await;
    let (well, rows) = examined(&bench, "corp");
    assert!(well, "{rows:?}");
    assert_eq!(is(&rows, "client").0, "ok");
    assert_eq!(is(&rows, "PKCE").0, "ok");
    assert_eq!(is(&rows, "keys").0, "ok");
    assert_eq!(
        is(&rows, "redirect URI to register").1,
        "http://localhost:1/.portcullis/callback/corp"
    );
    let (well, rows) = examined(&bench, "wrong");
    assert!(!well);
    let (verdict, found) = is(&rows, "client");
    assert_eq!(verdict, "wrong");
    assert!(found.contains("`client_secret` is wrong"), "{found}");
    let (verdict, found) = is(&rows, "scopes");
    assert_eq!(verdict, "warning");
    assert!(found.contains("nonsense"), "{found}");
    for provider in ["slash", "away"] {
        let (well, rows) = examined(&bench, provider);
        assert!(!well);
        let (verdict, found) = is(&rows, "discovery document");
        assert_eq!(verdict, "wrong");
        assert!(
            found.contains("/.well-known/openid-configuration"),
            "{found}"
        );
    }
    assert_eq!(bench.gateway.cli_code(&["sso", "test", "nobody"]).0, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_saml_provider_all_is_told_that_can_be() {
    let (key, stranger) = (KeyPair::rsa(2048), KeyPair::rsa(2048));
    let idp = SimpleSamlPhp::start(&key, false);
    let one = |name: &str, more: &str| {
        format!(
            "    - {{ name: {name}, tenant: acme, saml: {{ idp_entity_id: \"{IDP}\", {more} }} }}\n"
        )
    };
    let url = idp.metadata_url();
    let bench = Bench::with_rules(&format!(
        "sign_in:\n  public_url: \"http://localhost:1\"\n  providers:\n{}{}{}{}",
        one("corp", &format!("idp_metadata_url: \"{url}\"")),
        one(
            "pinned",
            &format!(
                "idp_metadata_url: \"{url}\", idp_certificate: \"{}\"",
                stranger.pem()
            )
        ),
        one("away", "idp_metadata_url: \"http://127.0.0.1:1/\""),
        one(
            "other",
            &format!("idp_metadata_url: \"{}\"", url.replace("metadata.php", "x"))
        ),
    ))
    .await;
    let (well, rows) = examined(&bench, "corp");
    assert!(well, "{rows:?}");
    assert_eq!(is(&rows, "metadata").0, "ok");
    assert_eq!(is(&rows, "sign-on service").0, "ok");
    assert_eq!(is(&rows, "logout service").0, "warning");
    let (verdict, found) = is(&rows, "certificate of the provider");
    // It lasts thirty days.
    assert_eq!(verdict, "warning");
    assert!(found.contains("expires on"), "{found}");
    for provider in ["pinned", "away", "other"] {
        let (well, rows) = examined(&bench, provider);
        assert!(!well, "{provider}");
        assert_eq!(is(&rows, "metadata").0, "wrong", "{provider}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn when_a_certificate_expires_is_a_metric() {
    let own = KeyPair::rsa(2048);
    let keys = format!(
        "sp_certificate: \"{}\"\n        sp_key: \"{}\"",
        own.pem(),
        own.key_pem()
    );
    let corp = Corp::with("", &keys).await;
    let metrics = corp.bench.gateway.private_get("/metrics").body;
    let now = u64::try_from(crate::support::saml::now().timestamp()).unwrap();
    for (owner, pair) in [("provider", &corp.idp), ("gateway", &own)] {
        let digest = pair
            .certificate
            .digest(openssl::hash::MessageDigest::sha256());
        let digest: Vec<_> = digest
            .unwrap()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        let name = format!(
            "portcullis_saml_certificate_expiry_timestamp_seconds{{owner=\"{owner}\",provider=\"corp\",\
             sha256=\"{}\"}}",
            digest.concat()
        );
        assert!(metrics.contains(&name), "{name} in {metrics}");
        let at = corp.bench.gateway.metric(&name);
        assert!((now..now + 31 * 86_400).contains(&at), "{at}");
    }
}
