//! Signing in at a SAML provider that is honest.

use std::io::Read as _;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD as BASE64;
use flate2::read::DeflateDecoder;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use url::Url;

use super::Bench;
use super::factors::prove;
use super::saml_lies::{signed_query, signed_query_as};
use crate::support::browser::Browser;
use crate::support::gateway::until;
use crate::support::raw::Answer;
use crate::support::saml::{
    Encryption, IDP, KeyPair, Says, Signing, at, attribute, sign, signed, signed_assertion,
    signed_twice, statement,
};

/// What a browser says that a provider's page sends a form by.
pub const FROM_PROVIDER: &str = "Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: navigate\r\n\
                             Sec-Fetch-Dest: document\r\nOrigin: https://idp.example.com\r\n";
pub const SITE: &str = "http://localhost:1/.portcullis/saml/corp";

/// Makes a response of what is to be said.
type Makes<'m> = dyn Fn(&Says) -> String + 'm;

/// A gateway that believes one provider.
pub struct Corp {
    pub bench: Bench,
    pub idp: KeyPair,
}

impl Corp {
    pub async fn start() -> Self {
        Self::with("", "").await
    }

    /// With more to say of the provider, and of how it is spoken to.
    pub async fn with(of_provider: &str, of_saml: &str) -> Self {
        let idp = KeyPair::rsa(2048);
        let bench = Bench::with_rules(&format!(
            "sign_in:\n  public_url: \"http://localhost:1\"\n  providers:\n    - name: corp\n      \
             tenant: acme\n      label: Corp\n      auto_provision_users: true\n      domains: [acme.example]\n      \
             group_role_mapping: [ {{ group: ml, role: editor, project: fraud }} ]\n      \
             {of_provider}\n      saml:\n        idp_entity_id: \"{IDP}\"\n        idp_sso_url: \
             \"https://idp.example.com/sso?tenant=1\"\n        idp_slo_url: \
             \"https://idp.example.com/slo\"\n        idp_certificate: \"{}\"\n        {of_saml}",
            idp.pem()
        ))
        .await;
        Self { bench, idp }
    }

    /// A browser that is at the provider, and the ID of the request that it was sent with.
    pub fn away(&self) -> (Browser, String) {
        let mut browser = self.bench.browser();
        let id = leave(&mut browser);
        (browser, id)
    }

    /// What the provider's page sends; with no cookie, as browsers do from another site.
    pub fn post(&self, page: &str, parameter: &str, xml: &str, relay: &str) -> Answer {
        let encoded = BASE64.encode(xml);
        self.post_encoded(page, parameter, &encoded, relay)
    }

    pub fn post_encoded(&self, page: &str, parameter: &str, value: &str, relay: &str) -> Answer {
        let value = utf8_percent_encode(value, NON_ALPHANUMERIC);
        let relay = utf8_percent_encode(relay, NON_ALPHANUMERIC);
        let form = format!("{parameter}={value}&RelayState={relay}");
        let line = format!("POST /.portcullis/saml/{page}");
        self.bench.browser().send(&line, FROM_PROVIDER, &form)
    }

    /// Brings a response, and goes on to where the cookie shows.
    pub fn bring(&self, browser: &mut Browser, xml: &str) -> Answer {
        let brought = self.post("corp/acs", "SAMLResponse", xml, "");
        assert_eq!(brought.status, 303, "{brought:?}");
        go_on(browser, &brought)
    }

    /// Signs in as this, signed like this.
    pub fn sign_in(
        &self,
        makes: impl FnOnce(&Says) -> String,
        says: impl FnOnce(&mut Says),
    ) -> (Browser, Answer) {
        let (mut browser, id) = self.away();
        let mut told = Says::of_ann(SITE, &id);
        says(&mut told);
        let answer = self.bring(&mut browser, &makes(&told));
        (browser, answer)
    }

    pub fn ann(&self) -> Browser {
        let (browser, answer) = self.sign_in(|says| signed(says, &self.idp.key), |_| {});
        assert_eq!(answer.status, 303, "{answer:?}");
        browser
    }
}

/// A form with a message.
pub fn form_of(parameter: &str, xml: &str) -> String {
    let encoded = BASE64.encode(xml);
    let value = utf8_percent_encode(&encoded, NON_ALPHANUMERIC);
    format!("{parameter}={value}")
}

/// Follows where a response led.
pub fn go_on(browser: &mut Browser, brought: &Answer) -> Answer {
    let to = brought.header("location")[0].to_owned();
    assert!(to.starts_with("/.portcullis/callback/corp?"), "{to}");
    browser.send(&format!("GET {to}"), FROM_PROVIDER, "")
}

/// Leaves for the provider; the ID of the request.
pub fn leave(browser: &mut Browser) -> String {
    let sent = browser.go("/.portcullis/sign-in/with/corp?return=/things");
    assert_eq!(sent.status, 303, "{sent:?}");
    let request = request_of(sent.header("location")[0]);
    value_of(&request, "ID")
}

/// The message in an address.
fn request_of(url: &str) -> String {
    let url: Url = url.parse().unwrap();
    let mut pairs = url.query_pairs();
    let (_, encoded) = pairs.find(|(key, _)| key.starts_with("SAML")).unwrap();
    let mut xml = String::new();
    DeflateDecoder::new(&*BASE64.decode(&*encoded).unwrap())
        .read_to_string(&mut xml)
        .unwrap();
    xml
}

/// What the first attribute of this name says.
fn value_of(xml: &str, name: &str) -> String {
    let (_, rest) = xml.split_once(&format!(" {name}=\"")).unwrap();
    rest.split_once('"').unwrap().0.to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn people_sign_in_at_a_saml_provider() {
    let corp = Corp::start().await;
    let mut browser = corp.bench.browser();
    let form = browser.go("/.portcullis/sign-in?return=/things");
    assert!(form.body.contains("Corp"), "{}", form.body);
    let sent = browser.go("/.portcullis/sign-in/with/corp?return=/things");
    let to = sent.header("location")[0].to_owned();
    assert!(
        to.starts_with("https://idp.example.com/sso?tenant=1&SAMLRequest="),
        "{to}"
    );
    let request = request_of(&to);
    assert_eq!(
        value_of(&request, "Destination"),
        "https://idp.example.com/sso?tenant=1"
    );
    assert_eq!(
        value_of(&request, "AssertionConsumerServiceURL"),
        format!("{SITE}/acs")
    );
    assert!(
        request.contains(&format!("<saml:Issuer>{SITE}/metadata</saml:Issuer>")),
        "{request}"
    );
    let says = Says::of_ann(SITE, &value_of(&request, "ID"));
    let came = corp.bring(&mut browser, &signed(&says, &corp.idp.key));
    assert_eq!(
        (came.status, came.header("location")),
        (303, vec!["/things"]),
        "{came:?}"
    );
    until("the new role", || {
        browser.send("GET /things", "", "").status == 200
    });
    let received = corp.bench.upstream.received();
    let received = received.last().unwrap();
    assert_eq!(received.header("x-forwarded-user"), ["ann@acme.example"]);
    assert_eq!(received.header("x-portcullis-roles"), ["editor"]);
    let event = corp.bench.event("session.created").await;
    assert_eq!(event["details"]["subject"], "u-1");
    assert_eq!(event["details"]["account"], "provisioned");
    assert_eq!(
        event["details"]["roles"]["given"],
        serde_json::json!(["editor@fraud"])
    );
    // Again, both signed, with a signature that stands last, and without the group.
    let (mut again, came) = corp.sign_in(
        |says| {
            let made = signed_assertion(says, &corp.idp.key);
            let (start, rest) = made.split_once("<ds:Signature").unwrap();
            let (signature, rest) = rest.split_once("</ds:Signature>").unwrap();
            let body = rest.strip_suffix("</saml:Assertion>").unwrap();
            let moved =
                format!("{start}{body}<ds:Signature{signature}</ds:Signature></saml:Assertion>");
            sign(
                &says.around(&moved, Some(&Signing::default())),
                &corp.idp.key,
            )
        },
        |says| says.assertion.attributes = attribute("email", &["ann@acme.example"]),
    );
    assert_eq!(came.status, 303, "{came:?}");
    until("the role is gone", || {
        again.send("GET /things", "", "").status != 200
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn two_tabs_work_and_another_browser_gets_nothing() {
    let corp = Corp::start().await;
    let (mut browser, first) = corp.away();
    let second = leave(&mut browser);
    let make = |id: &str| signed(&Says::of_ann(SITE, id), &corp.idp.key);
    assert_eq!(corp.bring(&mut browser, &make(&second)).status, 303);
    assert_eq!(corp.bring(&mut browser, &make(&first)).status, 303);
    // Whoever has somebody bring a response of their own does not sign them in as themselves.
    let (_, id) = corp.away();
    let mut victim = corp.bench.browser();
    assert_eq!(corp.bring(&mut victim, &make(&id)).status, 401);
    assert_eq!(victim.cookie, None);
    let (mut victim, _) = corp.away();
    let (_, id) = corp.away();
    assert_eq!(corp.bring(&mut victim, &make(&id)).status, 401);
    assert_eq!(victim.cookie, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_brought_is_good_for_once() {
    let corp = Corp::start().await;
    let (mut browser, id) = corp.away();
    let says = Says::of_ann(SITE, &id);
    let xml = signed(&says, &corp.idp.key);
    let brought = corp.post("corp/acs", "SAMLResponse", &xml, "");
    // Before the browser has gone on, and after.
    assert_eq!(corp.post("corp/acs", "SAMLResponse", &xml, "").status, 401);
    assert_eq!(go_on(&mut browser, &brought).status, 303);
    assert_eq!(go_on(&mut browser, &brought).status, 401);
    assert_eq!(corp.post("corp/acs", "SAMLResponse", &xml, "").status, 401);
    // The same assertion for another request.
    let id = leave(&mut browser);
    let mut other = Says::of_ann(SITE, &id);
    other.assertion.id.clone_from(&says.assertion.id);
    let xml = signed(&other, &corp.idp.key);
    assert_eq!(corp.post("corp/acs", "SAMLResponse", &xml, "").status, 401);
    let event = corp.bench.event("session.refused").await;
    assert_eq!(event["reason"], "sso_replayed");
}

#[tokio::test(flavor = "multi_thread")]
async fn encrypted_assertions_are_read_by_whom_they_are_for() {
    let own = KeyPair::rsa(2048);
    let keys = format!(
        "sp_certificate: \"{}\"\n        sp_key: \"{}\"\n        assertions: encrypted",
        own.pem(),
        own.key_pem()
    );
    let corp = Corp::with("", &keys).await;
    let to = &own.certificate;
    let key = &corp.idp.key;
    let (_, came) = corp.sign_in(
        |says| says.around(&Encryption::GCM.of(&signed_assertion(says, key), to), None),
        |_| {},
    );
    assert_eq!(came.status, 303, "{came:?}");
    // What is not authenticated by itself is by the signature around it.
    let around = |says: &Says, how: Encryption| {
        let inner = how.of(&signed_assertion(says, key), to);
        sign(&says.around(&inner, Some(&Signing::default())), key)
    };
    let (_, came) = corp.sign_in(|says| around(says, Encryption::CBC), |_| {});
    assert_eq!(came.status, 303, "{came:?}");
    let bare = |says: &Says| says.assertion.xml(None);
    let stranger = KeyPair::rsa(2048);
    let refused: [(&str, &Makes<'_>); 9] = [
        ("not encrypted", &|says| signed(says, key)),
        ("CBC, not signed around", &|says| {
            says.around(&Encryption::CBC.of(&signed_assertion(says, key), to), None)
        }),
        ("not signed inside", &|says| {
            says.around(&Encryption::GCM.of(&bare(says), to), None)
        }),
        ("signed around only", &|says| {
            let inner = Encryption::GCM.of(&bare(says), to);
            sign(&says.around(&inner, Some(&Signing::default())), key)
        }),
        ("PKCS #1 v1.5", &|says| {
            let how = Encryption {
                transport: "http://www.w3.org/2001/04/xmlenc#rsa-1_5",
                ..Encryption::GCM
            };
            around(says, how)
        }),
        ("for somebody else", &|says| {
            let inner = Encryption::GCM.of(&signed_assertion(says, key), &stranger.certificate);
            says.around(&inner, None)
        }),
        ("signed by somebody else", &|says| {
            let inner = signed_assertion(says, &stranger.key);
            says.around(&Encryption::GCM.of(&inner, to), None)
        }),
        ("altered", &|says| {
            let made = says.around(&Encryption::GCM.of(&signed_assertion(says, key), to), None);
            let (start, end) = made.rsplit_once("</xenc:CipherValue>").unwrap();
            format!("{}AAAA</xenc:CipherValue>{end}", &start[..start.len() - 4])
        }),
        ("a response in it", &|says| {
            says.around(&Encryption::GCM.of(&signed_twice(says, key), to), None)
        }),
    ];
    for (what, make) in refused {
        let (_, id) = corp.away();
        let answer = corp.post(
            "corp/acs",
            "SAMLResponse",
            &make(&Says::of_ann(SITE, &id)),
            "",
        );
        assert_eq!(answer.status, 401, "{what}: {answer:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_comes_unasked_unless_they_may() {
    let corp = Corp::start().await;
    let unasked = || signed(&Says::of_ann(SITE, ""), &corp.idp.key);
    assert_eq!(
        corp.post("corp/acs", "SAMLResponse", &unasked(), "").status,
        401
    );

    let corp = Corp::with("", "allow_idp_initiated: true").await;
    let unasked = || signed(&Says::of_ann(SITE, ""), &corp.idp.key);
    for (relay, to) in [
        ("/things?a=b", "/things?a=b"),
        ("", "/"),
        ("https://evil.example/", "/"),
        ("//evil.example/", "/"),
        ("/\\evil.example", "/"),
        ("javascript:alert(1)", "/"),
    ] {
        let xml = unasked();
        let brought = corp.post("corp/acs", "SAMLResponse", &xml, relay);
        assert_eq!(brought.status, 303, "{brought:?}");
        let mut browser = corp.bench.browser();
        let errand = brought.header("set-cookie")[0].split(';').next().unwrap();
        let (name, value) = errand.split_once('=').unwrap();
        browser.others.insert(name.to_owned(), value.to_owned());
        let came = go_on(&mut browser, &brought);
        assert_eq!(came.header("location"), [to], "{relay}");
        assert_eq!(
            corp.post("corp/acs", "SAMLResponse", &xml, relay).status,
            401
        );
    }
    // Neither does one that says to answer something.
    let xml = signed(&Says::of_ann(SITE, "_0123"), &corp.idp.key);
    assert_eq!(corp.post("corp/acs", "SAMLResponse", &xml, "").status, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_signed_in_proves_it_anew_at_the_provider() {
    let corp = Corp::start().await;
    let mut browser = corp.ann();
    let again = |browser: &mut Browser, when: i64| {
        let sent = browser.go("/.portcullis/sign-in/with/corp?return=/things");
        let request = request_of(sent.header("location")[0]);
        assert_eq!(value_of(&request, "ForceAuthn"), "true");
        let mut says = Says::of_ann(SITE, &value_of(&request, "ID"));
        says.assertion.statement = statement(when);
        corp.bring(browser, &signed(&says, &corp.idp.key))
    };
    assert_eq!(again(&mut browser, -3600).status, 401);
    assert_eq!(again(&mut browser, 0).status, 303);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_is_told_who_asks() {
    let own = KeyPair::rsa(2048);
    let keys = format!(
        "binding: post\n        name_id_format: persistent\n        sp_certificate: \"{}\"\n        \
         sp_key: \"{}\"",
        own.pem(),
        own.key_pem()
    );
    let corp = Corp::with("", &keys).await;
    let mut browser = corp.bench.browser();
    let told = browser.go("/.portcullis/saml/corp/metadata");
    assert_eq!(told.status, 200);
    assert_eq!(
        told.header("content-type"),
        ["application/samlmetadata+xml"]
    );
    let certificate = BASE64.encode(own.certificate.to_der().unwrap());
    for part in [
        &format!("entityID=\"{SITE}/metadata\""),
        &format!("Location=\"{SITE}/acs\""),
        &format!("Location=\"{SITE}/slo\""),
        "AuthnRequestsSigned=\"true\"",
        "WantAssertionsSigned=\"true\"",
        "use=\"encryption\"",
        &certificate,
    ] {
        assert!(told.body.contains(part), "{part} in {}", told.body);
    }
    assert_eq!(browser.go("/.portcullis/saml/other/metadata").status, 404);
    // A form that its button sends, or the one script.
    let page = browser.go("/.portcullis/sign-in/with/corp");
    assert_eq!(page.status, 200);
    assert!(
        page.body
            .contains("action=\"https://idp.example.com/sso?tenant=1\""),
        "{page:?}"
    );
    assert_eq!(
        page.header("content-security-policy"),
        [
            "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; frame-ancestors \
          'none'; script-src 'self'"
        ]
    );
    let (_, rest) = page
        .body
        .split_once("name=\"SAMLRequest\" value=\"")
        .unwrap();
    let xml = BASE64.decode(rest.split_once('"').unwrap().0).unwrap();
    let xml = String::from_utf8(xml).unwrap();
    assert!(xml.contains("<ds:SignatureValue>"), "{xml}");
    assert!(xml.contains("nameid-format:persistent"), "{xml}");
    let id = value_of(&xml, "ID");
    assert_eq!(
        corp.bring(
            &mut browser,
            &signed(&Says::of_ann(SITE, &id), &corp.idp.key)
        )
        .status,
        303
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn who_signs_out_is_signed_out_there() {
    let (corp, _) = with_key().await;
    let mut first = corp.ann();
    let account = first.go("/.portcullis/account");
    let token = crate::support::browser::token_of(&account);
    let out = first.submit("/.portcullis/sign-out", &format!("csrf_token={token}"));
    let refresh = out.header("refresh")[0].to_owned();
    let to = refresh.strip_prefix("0; url=").unwrap();
    assert!(
        to.starts_with("https://idp.example.com/slo?SAMLRequest="),
        "{to}"
    );
    assert!(to.contains("&Signature="), "{to}");
    let request = request_of(to);
    assert!(
        request.contains("<samlp:SessionIndex>s-1</samlp:SessionIndex>"),
        "{request}"
    );
    assert!(request.contains(">u-1</saml:NameID>"), "{request}");
    assert_eq!(first.cookie, None);
    let back = first.go("/.portcullis/saml/corp/slo?SAMLResponse=eA%3D%3D");
    assert_eq!(back.header("location"), ["/.portcullis/sign-in"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_ends_sessions_by_a_form() {
    let (corp, own) = with_key().await;
    let mut second = corp.ann();
    until("the new role", || {
        second.send("GET /things", "", "").status == 200
    });
    let ask = |index: &str, signing: Option<&Signing>| logout(index, "u-1", signing);
    let signing = Signing::default();
    let refused = [
        ask("s-1", None),
        sign(&ask("s-1", Some(&signing)), &own.key),
        sign(&ask("s-1", Some(&signing)), &corp.idp.key).replace(">u-1<", ">u-2<"),
        sign(
            &ask("s-1", Some(&signing)).replace("/corp/slo", "/other/slo"),
            &corp.idp.key,
        ),
        sign(
            &ask("s-1", Some(&signing)).replace(IDP, "https://other.example.com"),
            &corp.idp.key,
        ),
        sign(
            &ask("s-1", Some(&signing)).replace(&at(0)[..10], "2020-01-01"),
            &corp.idp.key,
        ),
    ];
    for xml in refused {
        assert_eq!(
            corp.post("corp/slo", "SAMLRequest", &xml, "").status,
            401,
            "{xml}"
        );
    }
    let other = sign(&ask("s-2", Some(&signing)), &corp.idp.key);
    assert_eq!(
        corp.post("corp/slo", "SAMLRequest", &other, "r").status,
        303
    );
    assert_eq!(second.send("GET /things", "", "").status, 200);
    let xml = sign(&ask("s-1", Some(&signing)), &corp.idp.key);
    let ended = corp.post("corp/slo", "SAMLRequest", &xml, "r");
    let to = ended.header("location")[0];
    assert!(
        to.starts_with("https://idp.example.com/slo?SAMLResponse="),
        "{to}"
    );
    assert!(to.contains("&RelayState=r&"), "{to}");
    assert_eq!(
        value_of(&request_of(to), "InResponseTo"),
        value_of(&xml, "ID")
    );
    until("the session has ended", || {
        second.send("GET /things", "", "").status == 401
    });
    assert_eq!(corp.post("corp/slo", "SAMLRequest", &xml, "r").status, 401);
    let event = corp.bench.event("session.revoked").await;
    assert_eq!(event["actor_id"], "corp");
    assert_eq!(event["details"]["provider"], "corp");
}

/// What is signed by somebody else, or not as it is sent, ends nothing.
#[tokio::test(flavor = "multi_thread")]
async fn a_provider_ends_sessions_by_an_address() {
    let (corp, own) = with_key().await;
    let mut third = corp.ann();
    until("the new role", || {
        third.send("GET /things", "", "").status == 200
    });
    let ask = || logout("s-1", "u-1", None);
    let query = signed_query(&ask(), &corp.idp.key);
    let relayed = query.replace("&SigAlg", "&RelayState=x&SigAlg");
    let doubled = format!("{query}&SAMLRequest=x");
    let weak = query.replace("rsa-sha256", "rsa-sha1");
    assert_ne!(weak, query);
    let foreign = signed_query(&ask(), &own.key);
    for query in [&relayed, &doubled, &weak, &foreign] {
        let path = format!("/.portcullis/saml/corp/slo?{query}");
        assert_eq!(corp.bench.browser().go(&path).status, 401, "{query}");
    }
    assert_eq!(third.send("GET /things", "", "").status, 200);
    let path = format!("/.portcullis/saml/corp/slo?{query}");
    assert_eq!(corp.bench.browser().go(&path).status, 303);
    // As those write whose digits are small.
    let query = signed_query_as(&ask(), &corp.idp.key, str::to_ascii_lowercase);
    let path = format!("/.portcullis/saml/corp/slo?{query}");
    assert_eq!(corp.bench.browser().go(&path).status, 303);
    until("the session has ended", || {
        third.send("GET /things", "", "").status == 401
    });
}

/// A gateway that has a key of its own.
async fn with_key() -> (Corp, KeyPair) {
    let own = KeyPair::rsa(2048);
    let keys = format!(
        "sp_certificate: \"{}\"\n        sp_key: \"{}\"",
        own.pem(),
        own.key_pem()
    );
    (Corp::with("", &keys).await, own)
}

fn logout(index: &str, name: &str, signing: Option<&Signing>) -> String {
    let id = format!("_l{}", uuid::Uuid::now_v7().simple());
    let mut said = Says::of_ann(SITE, "");
    said.id.clone_from(&id);
    let signature = match signing {
        None => String::new(),
        Some(signing) => {
            let whole = said.around("", Some(signing));
            let (_, rest) = whole.split_once("<ds:Signature ").unwrap();
            let (signature, _) = rest.split_once("</ds:Signature>").unwrap();
            format!("<ds:Signature {signature}</ds:Signature>")
        }
    };
    format!(
        "<samlp:LogoutRequest xmlns:samlp=\"urn:oasis:names:tc:SAML:2.0:protocol\" \
         xmlns:saml=\"urn:oasis:names:tc:SAML:2.0:assertion\" ID=\"{id}\" Version=\"2.0\" \
         IssueInstant=\"{}\" Destination=\"{SITE}/slo\"><saml:Issuer>{IDP}</saml:Issuer>{signature}\
         <saml:NameID>{name}</saml:NameID><samlp:SessionIndex>{index}</samlp:SessionIndex>\
         </samlp:LogoutRequest>",
        at(0)
    )
}

/// How long somebody's sessions last, in seconds, the shortest first.
async fn lasting(corp: &Corp) -> Vec<i64> {
    let mut owner = corp.bench.gateway.postgres.owner().await;
    let sql = "SELECT extract(epoch FROM s.expires_at - s.created_at)::bigint FROM sessions s
               JOIN principals p ON p.id = s.principal_id
               WHERE p.email = 'ann@acme.example' AND s.revoked_at IS NULL ORDER BY 1";
    sqlx::raw_sql("SET request.jwt.claim.role = 'gateway'")
        .execute(&mut owner)
        .await
        .unwrap();
    sqlx::query_scalar(sql).fetch_all(&mut owner).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_ends_when_the_word_does_that_it_rests_on() {
    let corp = Corp::start().await;
    let until = |says: &mut Says| {
        let more = format!("SessionNotOnOrAfter=\"{}\" AuthnInstant", at(1800));
        says.assertion.statement = says.assertion.statement.replace("AuthnInstant", &more);
    };
    let (mut browser, came) = corp.sign_in(|says| signed(says, &corp.idp.key), until);
    assert_eq!(came.status, 303, "{came:?}");
    let is_short = |lasting: &[i64]| matches!(lasting, [one] if (1700..=1800).contains(one));
    assert!(is_short(&lasting(&corp).await));
    // Nor does setting up a second factor make it longer, or proving it at the next sign-in.
    let factors = Bench::set_up(&mut browser);
    assert!(is_short(&lasting(&corp).await));
    let (mut browser, came) = corp.sign_in(|says| signed(says, &corp.idp.key), until);
    assert_eq!(came.status, 303, "{came:?}");
    assert_eq!(prove(&mut browser, &factors.app.code(0)).status, 303);
    let lasting = lasting(&corp).await;
    assert!(lasting.iter().all(|one| *one <= 1800), "{lasting:?}");
}

/// A response of one provider is nothing to another, whoever's errand it says to answer.
#[tokio::test(flavor = "multi_thread")]
async fn a_provider_speaks_for_itself_only() {
    let evil = KeyPair::rsa(2048);
    let theirs = "https://idp.evil.example/metadata";
    let other = format!(
        "sign_requests: false\n    - name: evil\n      tenant: globex\n      saml: {{ idp_entity_id: \
         \"{theirs}\", idp_sso_url: \"https://idp.evil.example/sso\", idp_certificate: \"{}\" }}",
        evil.pem()
    );
    let corp = Corp::with("link_by_email: true", &other).await;
    let says = |errand: &str| {
        let mut says = Says::of_ann("http://localhost:1/.portcullis/saml/evil", errand);
        says.issuer = theirs.to_owned();
        says.assertion.issuer = theirs.to_owned();
        signed(&says, &evil.key)
    };
    let bring = |errand: &str| corp.post("evil/acs", "SAMLResponse", &says(errand), "");
    let (mut browser, errand) = corp.away();
    let brought = bring(&errand);
    assert_eq!(brought.status, 401, "{brought:?}");
    // Nor is what is kept of an errand to one good at another.
    let sent = browser.go("/.portcullis/sign-in/with/evil?return=/things");
    let own = value_of(&request_of(sent.header("location")[0]), "ID");
    let brought = bring(&own);
    assert_eq!(brought.status, 303, "{brought:?}");
    let to = brought.header("location")[0];
    let elsewhere = to.replace("/callback/evil?", "/callback/corp?");
    let mixed = browser.send(&format!("GET {elsewhere}"), FROM_PROVIDER, "");
    assert_eq!(
        (mixed.status, browser.cookie.as_ref()),
        (401, None),
        "{mixed:?}"
    );
    // With the state of the one and what the other has said, too.
    let code = to.split("code=").nth(1).unwrap();
    let (mut browser, errand) = corp.away();
    let state = errand.trim_start_matches('_');
    let mixed = format!("GET /.portcullis/callback/corp?state={state}&code={code}");
    let mixed = browser.send(&mixed, FROM_PROVIDER, "");
    assert_eq!(
        (mixed.status, browser.cookie.as_ref()),
        (401, None),
        "{mixed:?}"
    );
    corp.ann();
}

/// Somebody has several sessions from one session there: all end, with an event each.
#[tokio::test(flavor = "multi_thread")]
async fn a_provider_ends_all_that_came_from_a_session() {
    let (corp, _) = with_key().await;
    let mut browsers = [corp.ann(), corp.ann(), corp.ann()];
    until("the new role", || {
        browsers[2].send("GET /things", "", "").status == 200
    });
    let xml = sign(
        &logout("s-1", "u-1", Some(&Signing::default())),
        &corp.idp.key,
    );
    assert_eq!(corp.post("corp/slo", "SAMLRequest", &xml, "").status, 303);
    for browser in &mut browsers {
        until("the session has ended", || {
            browser.send("GET /things", "", "").status == 401
        });
    }
    corp.bench.gateway.wait_for_audit();
    let events = corp.bench.gateway.events().await;
    let ended = events.iter().filter(|it| it["event"] == "session.revoked");
    assert_eq!(ended.count(), 3);
}

/// What would take a parser long is refused before it is parsed, whoever sends it.
#[tokio::test(flavor = "multi_thread")]
async fn a_message_with_a_crowd_of_names_is_not_read() {
    let corp = Corp::start().await;
    let names: Vec<_> = (0..1000).map(|n| format!(" xmlns:n{n}=\"u\"")).collect();
    let names = names.concat();
    let crowd = format!("<r{names}>{}</r>", "<b xmlns:m=\"v\"/>".repeat(1000));
    for (page, parameter) in [("corp/acs", "SAMLResponse"), ("corp/slo", "SAMLRequest")] {
        let answer = corp.post(page, parameter, &crowd, "");
        assert_eq!(answer.status, 401, "{page}: {answer:?}");
    }
    corp.ann();
}
