//! Class 33: what is no token of ours, though it looks like one, down to those that the gateway's
//! own key has signed.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
use openssl::hash::MessageDigest;
use openssl::pkey::PKey;
use openssl::sign::Signer;
use portcullis::authn::{Seal, SigningKey};
use portcullis::domain::Pepper;
use serde_json::{Value, json};

use super::{Bench, ISSUER};

/// The gateway's own key, out of its database.
async fn stolen(bench: &Bench) -> SigningKey {
    let mut owner = bench.gateway.postgres.owner().await;
    let pepper: Vec<u8> = sqlx::query_scalar("SELECT pepper FROM key_pepper")
        .fetch_one(&mut owner)
        .await
        .unwrap();
    let seal = Seal::new(&[], &Pepper::new(pepper.try_into().unwrap()));
    let (id, sealed): (String, Vec<u8>) = sqlx::query_as("SELECT id, sealed FROM signing_keys")
        .fetch_one(&mut owner)
        .await
        .unwrap();
    SigningKey::open(&id.parse().unwrap(), &sealed, &seal).unwrap()
}

/// Who has the gateway's own key, and a token that it gave.
struct Forger {
    key: SigningKey,
    honest: String,
    claims: Value,
}

type Lie = (&'static str, String);

impl Forger {
    async fn at(bench: &Bench) -> Self {
        let honest = bench.token(&bench.key, "read_reports");
        let claims = BASE64.decode(honest.split('.').nth(1).unwrap()).unwrap();
        Self {
            key: stolen(bench).await,
            claims: serde_json::from_slice(&claims).unwrap(),
            honest,
        }
    }

    fn sign(&self, claims: &Value) -> String {
        self.key.sign("at+jwt", &claims.to_string()).unwrap()
    }

    fn with(&self, name: &str, value: Value) -> String {
        let mut claims = self.claims.clone();
        claims[name] = value;
        self.sign(&claims)
    }

    /// The header that tokens have, with more in it.
    fn header(&self, more: &str) -> String {
        let kid = self.key.id();
        format!("{{\"alg\":\"ES256\",\"kid\":\"{kid}\",\"typ\":\"at+jwt\"{more}}}")
    }

    /// The honest token with another header, the signature as it was.
    fn beheaded(&self, header: &str) -> String {
        let (_, rest) = self.honest.split_once('.').unwrap();
        format!("{}.{rest}", BASE64.encode(header))
    }

    /// Signed with HMAC.
    fn hs256(&self, secret: &[u8]) -> String {
        let header = json!({ "alg": "HS256", "kid": self.key.id().as_str(), "typ": "at+jwt" });
        let encode = |part: &Value| BASE64.encode(part.to_string());
        let text = format!("{}.{}", encode(&header), encode(&self.claims));
        let key = PKey::hmac(secret).unwrap();
        let mut mac = Signer::new(MessageDigest::sha256(), &key).unwrap();
        mac.update(text.as_bytes()).unwrap();
        format!("{text}.{}", BASE64.encode(mac.sign_to_vec().unwrap()))
    }

    fn in_headers(&self) -> Vec<Lie> {
        let kid = self.key.id();
        let public = self.key.public().to_string();
        let unsigned = self.beheaded("{\"alg\":\"none\",\"typ\":\"at+jwt\"}");
        let unsigned = format!("{}.", unsigned.rsplit_once('.').unwrap().0);
        let no_typ = format!("{{\"alg\":\"ES256\",\"kid\":\"{kid}\"}}");
        let mut lies = vec![
            ("alg none", unsigned),
            ("HS256 with the public key", self.hs256(public.as_bytes())),
            ("HS256 with nothing", self.hs256(b"\0")),
            (
                "another typ",
                self.key.sign("JWT", &self.claims.to_string()).unwrap(),
            ),
            ("no typ", self.beheaded(&no_typ)),
            (
                "no kid",
                self.beheaded("{\"alg\":\"ES256\",\"typ\":\"at+jwt\"}"),
            ),
        ];
        for more in [
            ",\"jku\":\"https://evil.example/jwks.json\"",
            ",\"x5u\":\"https://evil.example/x5u.pem\"",
            ",\"crit\":[\"exp\"]",
            ",\"alg\":\"none\"",
            ",\"kid\":\"x\"",
            ",\"b64\":false",
            &format!(",\"jwk\":{public}"),
        ] {
            lies.push(("a header more", self.beheaded(&self.header(more))));
        }
        lies
    }

    fn in_claims(&self) -> Vec<Lie> {
        let exp = self.claims["exp"].as_i64().unwrap();
        let text = self.claims.to_string();
        let doubled = format!(
            "{},\"sub\":{}}}",
            &text[..text.len() - 1],
            self.claims["sub"]
        );
        let nobody = "01a20a8d-9fe2-759d-b5a6-5c59237883e9";
        let mut lies = vec![
            (
                "another iss",
                self.with("iss", json!("https://evil.example")),
            ),
            ("another aud", self.with("aud", json!("app"))),
            ("several aud", self.with("aud", json!([ISSUER, "app"]))),
            ("another sub", self.with("sub", json!(nobody))),
            (
                "another client",
                self.with("client_id", json!("abcdefghijkl")),
            ),
            ("over", self.with("exp", json!(exp - 601))),
            ("exp as text", self.with("exp", json!(exp.to_string()))),
            ("exp as a list", self.with("exp", json!([exp]))),
            ("a claim of others", self.with("admin", json!(true))),
            ("a claim twice", self.key.sign("at+jwt", &doubled).unwrap()),
            ("no claims", self.key.sign("at+jwt", "").unwrap()),
            ("oversized", self.with("scope", json!("x".repeat(4096)))),
        ];
        for name in [
            "iss",
            "aud",
            "sub",
            "client_id",
            "jti",
            "iat",
            "exp",
            "scope",
        ] {
            let mut claims = self.claims.clone();
            claims.as_object_mut().unwrap().remove(name);
            lies.push(("a claim less", self.sign(&claims)));
        }
        lies
    }

    fn in_form(&self) -> Vec<Lie> {
        let honest = &self.honest;
        let (text, signature) = honest.rsplit_once('.').unwrap();
        let other = SigningKey::generate().unwrap();
        let claims = self.claims.to_string();
        vec![
            ("no signature", format!("{text}.")),
            ("another key", other.sign("at+jwt", &claims).unwrap()),
            ("a part more", format!("{honest}.x")),
            ("padded", format!("{honest}=")),
            ("a blank", format!("{text}. {signature}")),
            ("dots", "...".to_owned()),
        ]
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn class_33_what_is_no_token_of_ours_is_refused_in_one_word() {
    let bench = Bench::start().await;
    let forger = Forger::at(&bench).await;
    let honest = &forger.honest;
    let twin = forger.sign(&forger.claims);
    assert_eq!(bench.things(&twin).status, 200, "the legal twin");
    assert_eq!(
        forger.beheaded(&forger.header("")),
        *honest,
        "the legal twin"
    );
    let mut lies = [forger.in_headers(), forger.in_claims(), forger.in_form()].concat();
    // It is for a backend, though the same key has signed it.
    let received = bench.upstream.received();
    let assertion = received.last().unwrap().header("x-portcullis-assertion");
    assert!(assertion[0].starts_with("ey"), "{assertion:?}");
    lies.push(("an assertion", assertion.concat()));

    let mut said: Option<Value> = None;
    for (what, lie) in &lies {
        let answer = bench.things(lie);
        assert_eq!(answer.status, 401, "{what}: {answer:?}");
        let mut told: Value = serde_json::from_str(&answer.body).unwrap();
        told["request_id"].take();
        assert_eq!(*said.get_or_insert_with(|| told.clone()), told, "{what}");
    }
    assert_eq!(bench.upstream.received().len(), received.len());
    assert_eq!(bench.things(honest).status, 200, "still");
    bench.gateway.wait_for_audit();
    let events = bench.gateway.events().await;
    let failed = events.iter().filter(|it| it["event"] == "authn.failed");
    let reasons: Vec<_> = failed.map(|it| it["reason"].as_str().unwrap()).collect();
    assert_eq!(reasons.len(), lies.len());
    let expected = [
        "credential_malformed",
        "credential_unknown",
        "credential_expired",
    ];
    assert!(
        reasons.iter().all(|it| expected.contains(it)),
        "{reasons:?}"
    );
}
