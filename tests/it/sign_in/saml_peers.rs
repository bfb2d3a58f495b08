//! Signing in at `SimpleSAMLphp`, which knows the gateway by its metadata and is known by its own.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD as BASE64;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::Bench;
use super::saml::{FROM_PROVIDER, go_on};
use crate::support::browser::{Browser, token_of};
use crate::support::gateway::until;
use crate::support::raw::Answer;
use crate::support::saml::{IDP, KeyPair, SimpleSamlPhp, Visitor};

struct Peers {
    bench: Bench,
    idp: SimpleSamlPhp,
}

impl Peers {
    async fn start(is_encrypted: bool) -> Self {
        let (key, own) = (KeyPair::rsa(2048), KeyPair::rsa(2048));
        let idp = SimpleSamlPhp::start(&key, is_encrypted);
        let assertions = if is_encrypted { "encrypted" } else { "signed" };
        let bench = Bench::with_rules(&format!(
            "sign_in:\n  public_url: \"http://localhost:1\"\n  providers:\n    - name: corp\n      \
             tenant: acme\n      auto_provision_users: true\n      domains: [acme.example]\n      group_role_mapping: [ {{ group: ml, \
             role: editor, project: fraud }} ]\n      saml:\n        idp_entity_id: \"{IDP}\"\n        \
             idp_metadata_url: \"{}\"\n        metadata_refresh: 1m\n        name_id_format: persistent\n        \
             assertions: {assertions}\n        attribute_mapping: {{ first_name: givenName, last_name: sn }}\n        \
             sp_certificate: \"{}\"\n        sp_key: \"{}\"",
            idp.metadata_url(),
            own.pem(),
            own.key_pem()
        ))
        .await;
        let told = bench.browser().go("/.portcullis/saml/corp/metadata");
        idp.knows(&told.body);
        Self { bench, idp }
    }

    /// There; the response that is to be brought.
    fn away(browser: &mut Browser, visitor: &mut Visitor<'_>) -> String {
        let sent = browser.go("/.portcullis/sign-in/with/corp?return=/things");
        assert_eq!(sent.status, 303, "{sent:?}");
        visitor.signs_in(sent.header("location")[0])
    }

    fn post(&self, xml: &str) -> Answer {
        let encoded = BASE64.encode(xml);
        let form = format!(
            "SAMLResponse={}",
            utf8_percent_encode(&encoded, NON_ALPHANUMERIC)
        );
        let line = "POST /.portcullis/saml/corp/acs";
        self.bench.browser().send(line, FROM_PROVIDER, &form)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn people_sign_in_and_out_at_simplesamlphp() {
    for is_encrypted in [false, true] {
        let peers = Peers::start(is_encrypted).await;
        let (mut browser, mut visitor) = (peers.bench.browser(), peers.idp.visitor());
        let xml = Peers::away(&mut browser, &mut visitor);
        assert_eq!(xml.contains("EncryptedAssertion"), is_encrypted, "{xml}");
        let came = go_on(&mut browser, &peers.post(&xml));
        assert_eq!(
            (came.status, came.header("location")),
            (303, vec!["/things"]),
            "{came:?}"
        );
        until("the new role", || {
            browser.send("GET /things", "", "").status == 200
        });
        let received = peers.bench.upstream.received();
        let received = received.last().unwrap();
        assert_eq!(received.header("x-forwarded-user"), ["ann@acme.example"]);
        let page = browser.go("/.portcullis/account");
        assert!(page.body.contains("Ann Archer"), "{}", page.body);
        // They are signed in there, and so come back at once: in another browser.
        let mut second = peers.bench.browser();
        let xml = Peers::away(&mut second, &mut visitor);
        assert_eq!(go_on(&mut second, &peers.post(&xml)).status, 303);
        // Signing out leads there; it ends the session there, and the other one that came from it.
        let form = format!("csrf_token={}", token_of(&page));
        let out = browser.submit("/.portcullis/sign-out", &form);
        let to = out.header("refresh")[0].strip_prefix("0; url=").unwrap();
        let left = visitor.goes(to);
        let back = left.header("location")[0];
        let back = back.strip_prefix("http://localhost:1").unwrap();
        assert!(
            back.starts_with("/.portcullis/saml/corp/slo?SAML"),
            "{back}"
        );
        let back = browser.send(&format!("GET {back}"), FROM_PROVIDER, "");
        assert_eq!(back.status, 303, "{back:?}");
        let again = browser.go("/.portcullis/sign-in/with/corp");
        let page = visitor.goes(again.header("location")[0]);
        assert!(page.body.contains("name=\"password\""), "{page:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_simplesamlphp_has_signed_is_not_changed() {
    let peers = Peers::start(false).await;
    let (mut browser, mut visitor) = (peers.bench.browser(), peers.idp.visitor());
    for (from, to) in [
        ("u-1", "admin"),
        ("ann@acme.example", "root@acme.example"),
        (">staff<", ">admins<"),
        ("corp/metadata", "other/metadata"),
        ("corp/acs", "other/acs"),
    ] {
        let xml = Peers::away(&mut browser, &mut visitor);
        let changed = xml.replace(from, to);
        assert_ne!(changed, xml, "{from}");
        assert_eq!(peers.post(&changed).status, 401, "{from}");
        // One errand is worth one look.
        assert_eq!(peers.post(&xml).status, 401, "{from}");
        let xml = Peers::away(&mut browser, &mut visitor);
        assert_eq!(go_on(&mut browser, &peers.post(&xml)).status, 303, "{from}");
    }
}
