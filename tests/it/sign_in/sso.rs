//! Signing in at an `OpenID` provider: a real one.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Bench, TYPED};
use crate::support::browser::{Browser, DOCUMENT, token_of};
use crate::support::clock::SetClock;
use crate::support::gateway::until;
use crate::support::oidc::OidcProvider;
use crate::support::raw::Answer;

const SITE: &str = "http://localhost:1";
const CALLBACK: &str = "http://localhost:1/.portcullis/callback/corp";
const LEAVE: &str = "/.portcullis/sign-in/with/corp?return=/things";
const ERRAND: &str = "portcullis-dev-errand";

struct Sso {
    bench: Bench,
    provider: OidcProvider,
}

impl Sso {
    /// With more of a provider's settings.
    async fn start(more: &str) -> Self {
        let provider = OidcProvider::start(CALLBACK);
        let bench = Bench::with_rules(&rules(&provider, more)).await;
        Self { bench, provider }
    }

    /// As [`Self::start`], with a gateway whose clock can be set.
    async fn with_clock(provider: OidcProvider, more: &str) -> (Self, SetClock) {
        let (bench, clock) = Bench::with_clock(&rules(&provider, more)).await;
        (Self { bench, provider }, clock)
    }

    /// There and back, as somebody with these claims.
    fn sign_in(&self, browser: &mut Browser, somebody: &Value) -> Answer {
        self.provider.be(somebody);
        let sent = browser.go(LEAVE);
        assert_eq!(sent.status, 303, "{sent:?}");
        let back = self.provider.visit(sent.header("location")[0]);
        arrive(browser, &back)
    }

    fn refusals(&self) -> Vec<Value> {
        let args = ["--json", "audit", "query", "--event", "session.refused"];
        self.bench.gateway.wait_for_audit();
        serde_json::from_str(&self.bench.gateway.cli(&args)).unwrap()
    }
}

fn rules(provider: &OidcProvider, more: &str) -> String {
    let issuer = provider.issuer();
    format!(
        "sign_in:\n  public_url: \"{SITE}\"\n  providers:\n    - name: corp\n      tenant: acme\n      \
         label: Corp\n      oidc: {{ issuer: \"{issuer}\", client_id: ml, client_secret: hush, \
         scopes: [groups] }}\n{more}"
    )
}

/// From the provider's page, which is another site.
fn arrive(browser: &mut Browser, to: &str) -> Answer {
    let fields = format!("{DOCUMENT}Sec-Fetch-Site: cross-site\r\n");
    browser.send(&format!("GET {to}"), &fields, "")
}

fn ann() -> Value {
    json!({ "sub": "u-1", "email": "ann@acme.example", "email_verified": true,
        "name": "Ann", "groups": ["scientists", "staff"] })
}

const GROUPS: &str = "      domains: [acme.example]
      auto_provision_users: true
      default_role: client_user
      group_role_mapping:
        - { group: scientists, role: editor, project: fraud }
        - { group: admins, role: client_admin }
        - { group: scientists, role: nonsense }
";

#[tokio::test(flavor = "multi_thread")]
async fn somebody_new_signs_in_and_is_what_their_groups_say() {
    let sso = Sso::start(GROUPS).await;
    let mut browser = sso.bench.browser();
    let page = browser.go("/.portcullis/sign-in?return=/things");
    let button = "href=\"/.portcullis/sign-in/with/corp?return=%2Fthings\"><bdi>Corp</bdi>";
    assert!(page.body.contains(button), "{}", page.body);
    let back = sso.sign_in(&mut browser, &ann());
    assert_eq!(
        (back.status, back.header("location")),
        (303, vec!["/things"]),
        "{back:?}"
    );
    until("the new roles", || {
        browser.send("GET /things", "", "").status == 200
    });
    let received = sso.bench.upstream.received();
    let received = received.last().unwrap();
    assert_eq!(received.header("x-forwarded-user"), ["ann@acme.example"]);
    assert_eq!(received.header("x-portcullis-project"), ["fraud"]);
    assert_eq!(received.header("x-portcullis-amr"), ["fed"]);
    assert_eq!(received.header("cookie"), Vec::<&str>::new());
    let event = sso.bench.event("session.created").await;
    assert_eq!(event["actor_email"], "ann@acme.example");
    assert_eq!(event["details"]["provider"], "corp");
    assert_eq!(event["details"]["account"], "provisioned");
    let roles =
        json!({ "given": ["client_user", "editor@fraud"], "taken": [], "unknown": ["nonsense"] });
    assert_eq!(event["details"]["roles"], roles);

    // By hand she is a viewer too; the provider takes what it gave, and only that.
    let by_hand = [
        "members",
        "add",
        "--scope",
        "acme/fraud",
        "--principal",
        "ann@acme.example",
    ];
    sso.bench
        .gateway
        .cli(&[&by_hand[..], &["--role", "viewer"]].concat());
    let mut less = ann();
    less["groups"] = json!(["staff"]);
    // Another address is the same person: it is the subject that counts.
    less["email"] = json!("ann.married@acme.example");
    let mut again = sso.bench.browser();
    assert_eq!(sso.sign_in(&mut again, &less).status, 303);
    let event = sso.bench.event("session.created").await;
    assert_eq!(event["details"]["account"], "known");
    assert_eq!(event["actor_email"], "ann@acme.example");
    assert_eq!(event["details"]["roles"]["taken"], json!(["editor@fraud"]));
    until("the role to go, also from the older session", || {
        assert_eq!(browser.send("GET /things", "", "").status, 200);
        let received = sso.bench.upstream.received();
        let roles = received
            .last()
            .unwrap()
            .header("x-portcullis-roles")
            .concat();
        assert!(roles.contains("viewer"), "{roles}");
        !roles.contains("editor")
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn only_who_is_invited_or_of_the_house_is_let_in() {
    // Nobody new, nobody linked.
    let sso = Sso::start("").await;
    let reason = |somebody: &Value| {
        let mut browser = sso.bench.browser();
        let answer = sso.sign_in(&mut browser, somebody);
        assert_eq!((answer.status, browser.cookie), (401, None), "{answer:?}");
        sso.refusals()[0]["reason"].clone()
    };
    assert_eq!(reason(&ann()), "sso_not_invited");
    let mut unverified = ann();
    unverified["email_verified"] = json!(false);
    assert_eq!(reason(&unverified), "sso_email_unverified");
    // The provider may not say that it speaks for somebody who has a password here.
    let mut viewer = ann();
    viewer["email"] = json!("viewer@example.com");
    assert_eq!(reason(&viewer), "sso_account_exists");
    // Who was invited to the tenant is let in, once they are who they are for good.
    let cli = |args: &[&str]| sso.bench.gateway.cli(args);
    cli(&["users", "create", "ann@acme.example", "--name", "Ann"]);
    assert_eq!(reason(&ann()), "sso_account_exists", "invited to nothing");
    for scope in ["acme/fraud", "globex/churn"] {
        let member = [
            "members",
            "add",
            "--scope",
            scope,
            "--principal",
            "ann@acme.example",
        ];
        cli(&[&member[..], &["--role", "viewer"]].concat());
    }
    assert_eq!(reason(&ann()), "sso_account_exists", "another tenant's too");
    let member = [
        "members",
        "remove",
        "--scope",
        "globex/churn",
        "--principal",
    ];
    cli(&[&member[..], &["ann@acme.example", "--role", "viewer"]].concat());
    let mut browser = sso.bench.browser();
    assert_eq!(sso.sign_in(&mut browser, &ann()).status, 303);
    assert_eq!(browser.send("GET /things", "", "").status, 200);
    // Somebody else with her address is not she.
    let mut other = ann();
    other["sub"] = json!("u-2");
    assert_eq!(reason(&other), "sso_account_exists");
    cli(&["users", "disable", "ann@acme.example"]);
    assert_eq!(reason(&ann()), "principal_disabled");
    // Who declines is not signed in.
    assert_eq!(reason(&json!({ "no": true })), "sso_refused");
}

#[tokio::test(flavor = "multi_thread")]
async fn class_36_an_answer_is_good_once_and_for_who_asked() {
    let sso = Sso::start(GROUPS).await;
    sso.provider.be(&ann());
    let leave = |browser: &mut Browser| {
        let sent = browser.go(LEAVE);
        sso.provider.visit(sent.header("location")[0])
    };
    let refused = |browser: &mut Browser, to: &str, what: &str| {
        let answer = arrive(browser, to);
        assert_eq!(answer.status, 401, "{what}");
        assert_eq!(browser.cookie, None, "{what}");
    };
    // Two tabs at once work, in any order.
    let mut browser = sso.bench.browser();
    let (first, second) = (leave(&mut browser), leave(&mut browser));
    assert_eq!(arrive(&mut browser, &second).status, 303);
    browser.cookie = None;
    assert_eq!(arrive(&mut browser, &first).status, 303);
    browser.cookie = None;
    refused(&mut browser, &first, "a second time");
    // Somebody else's browser: who leads another one there signs nobody in as themselves.
    let link = leave(&mut browser);
    let mut victim = sso.bench.browser();
    refused(&mut victim, &link, "another browser");
    let mut on_an_errand = sso.bench.browser();
    on_an_errand.go(LEAVE);
    refused(
        &mut on_an_errand,
        &link,
        "another browser with an errand of its own",
    );
    refused(&mut browser, &link, "it was used up by the attempt");
    // Altered, cut, or another provider's.
    let link = leave(&mut browser);
    let (_, query) = link.split_once('?').unwrap();
    let state = query
        .split('&')
        .find(|it| it.starts_with("state="))
        .unwrap();
    let other = "state=00000000000040008000000000000000";
    refused(&mut browser, &link.replace(state, other), "another state");
    refused(&mut browser, &link.replace(state, ""), "no state");
    for (what, iss) in [
        ("another issuer", "iss=http%3A%2F%2Fevil.example"),
        ("no issuer", ""),
    ] {
        let link = leave(&mut browser);
        let (_, query) = link.split_once('?').unwrap();
        let own = query.split('&').find(|it| it.starts_with("iss=")).unwrap();
        refused(&mut browser, &link.replace(own, iss), what);
    }
    let link = leave(&mut browser);
    let code = link
        .split(['?', '&'])
        .find(|it| it.starts_with("code="))
        .unwrap();
    refused(
        &mut browser,
        &link.replace(code, "code=other"),
        "another code",
    );
    // The code of one errand with the state of another: PKCE and the nonce are each one's own.
    let (one, two) = (leave(&mut browser), leave(&mut browser));
    let part = |link: &str, name: &str| {
        let found = link.split(['?', '&']).find(|it| it.starts_with(name));
        found.unwrap().to_owned()
    };
    let mixed = one.replace(&part(&one, "code="), &part(&two, "code="));
    refused(&mut browser, &mixed, "a code of another errand");
    for nowhere in [
        "/.portcullis/callback/none",
        "/.portcullis/callback/CORP?code=a&state=b",
    ] {
        let answer = arrive(&mut browser, nowhere);
        assert!([401, 404].contains(&answer.status), "{nowhere}: {answer:?}");
    }
    assert_eq!(browser.go("/.portcullis/sign-in/with/none").status, 404);
    let reasons: Vec<_> = sso
        .refusals()
        .into_iter()
        .map(|it| it["reason"].clone())
        .collect();
    assert!(reasons.contains(&json!("sso_state")) && reasons.contains(&json!("sso_refused")));
    // Still works, and its cookie is no credential.
    assert_eq!(sso.sign_in(&mut browser, &ann()).status, 303);
    assert!(browser.others.contains_key(ERRAND));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_leads_to_the_service_of_its_domain() {
    let sso = Sso::start(GROUPS).await;
    let mut browser = sso.bench.browser();
    let led = browser.sign_in("Ann%40ACME.example", "");
    assert_eq!(led.status, 200, "{led:?}");
    let to = "/.portcullis/sign-in/with/corp?return=%2Fthings";
    assert_eq!(led.header("refresh"), [format!("0; url={to}")]);
    assert!(led.body.contains(&format!("href=\"{to}\"")), "{}", led.body);
    // Who has typed a password means it.
    assert_eq!(browser.sign_in("ann%40acme.example", TYPED).status, 401);
    assert_eq!(browser.sign_in("viewer%40example.com", TYPED).status, 303);
}

#[tokio::test(flavor = "multi_thread")]
async fn where_a_service_is_away_others_sign_in() {
    let sso = Sso::start(GROUPS).await;
    let Sso { bench, provider } = sso;
    drop(provider);
    let mut browser = bench.browser();
    let away = browser.go(LEAVE);
    assert_eq!(
        (away.status, away.header("retry-after").len()),
        (503, 1),
        "{away:?}"
    );
    bench.signed_in("viewer");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_no_password_proves_it_anew_where_they_came_from() {
    // They may have one session: the new one takes the place of the one that asked for it.
    let sensitive = "  sensitive_operations: [dataset.created]\n  re_auth_max_age: 1m\n  \
                     max_concurrent_sessions: 1\n";
    let sso = Sso::start(&format!("{GROUPS}{sensitive}")).await;
    let mut browser = sso.bench.browser();
    assert_eq!(sso.sign_in(&mut browser, &ann()).status, 303);
    until("the new roles", || {
        browser.send("GET /things", "", "").status == 200
    });
    let create = |browser: &mut Browser| browser.submit("/things", "a=b");
    assert_eq!(create(&mut browser).status, 200);
    let age = "UPDATE sessions SET authenticated_at = authenticated_at - interval '2 minutes'";
    sso.bench.sql(age).await;
    until("the sign-in to be old", || {
        create(&mut browser).status == 307
    });
    let page = browser.go("/.portcullis/re-authenticate?return=/things");
    let way = "/.portcullis/sign-in/with/corp?return=%2Fthings";
    assert!(page.body.contains(way), "{}", page.body);
    assert!(!page.body.contains("type=\"password\""), "{}", page.body);
    let former = browser.cookie.clone();
    // A picture of another site's page sends nobody anywhere.
    let picture = "Sec-Fetch-Mode: no-cors\r\nSec-Fetch-Site: cross-site\r\n";
    assert_eq!(browser.send(&format!("GET {way}"), picture, "").status, 403);
    let sent = browser.go(way);
    let to = sent.header("location")[0];
    assert!(
        to.contains("prompt=login") && to.contains("max_age=0"),
        "{to}"
    );
    let back = sso.provider.visit(to);
    assert_eq!(arrive(&mut browser, &back).status, 303);
    assert_eq!(create(&mut browser).status, 200);
    // The one before has ended.
    let mut kept = sso.bench.with(former);
    until("the former session to end", || {
        kept.send("GET /things", "", "").status == 401
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn who_signs_out_here_does_so_there_and_the_other_way_round() {
    let sso = Sso::start(GROUPS).await;
    let gateway = sso.bench.gateway.public();
    let logout = format!("http://{gateway}/.portcullis/callback/corp/logout");
    sso.provider.relay_to(&logout);
    sso.provider.be(&ann());
    // One browser is here twice by one session there, and a stranger by one of theirs.
    let mut cookies = BTreeMap::new();
    let come = |browser: &mut Browser, cookies: &mut BTreeMap<String, String>| {
        let sent = browser.go(LEAVE);
        let back = sso.provider.visit_with(sent.header("location")[0], cookies);
        assert_eq!(arrive(browser, &back).status, 303);
    };
    let (mut first, mut second) = (sso.bench.browser(), sso.bench.browser());
    let mut elsewhere = sso.bench.browser();
    come(&mut first, &mut cookies);
    come(&mut second, &mut cookies);
    come(&mut elsewhere, &mut BTreeMap::new());
    until("the new role", || {
        second.send("GET /things", "", "").status == 200
            && elsewhere.send("GET /things", "", "").status == 200
    });
    // Another gateway serves the second browser as well.
    let text = sso.bench.rules(&rules(&sso.provider, GROUPS));
    let mut replica = sso.bench.gateway.replica(&text);
    replica.launch();
    let mut second_there = Browser::new(replica.public());
    second_there.cookie.clone_from(&second.cookie);
    until("the session is known there", || {
        second_there.send("GET /things", "", "").status == 200
    });
    // Signing out leads there, and on to the page where one signs in.
    let account = first.go("/.portcullis/account");
    let form = format!("csrf_token={}", token_of(&account));
    let out = first.submit("/.portcullis/sign-out", &form);
    let to = out.header("refresh")[0]
        .strip_prefix("0; url=")
        .unwrap()
        .to_owned();
    assert!(to.starts_with(&sso.provider.issuer()), "{to}");
    // It is shown whom it is about.
    assert!(to.contains("&id_token_hint=ey"), "{to}");
    let back = sso.provider.sign_out(&to, &mut cookies);
    assert_eq!(back, format!("{SITE}/.portcullis/sign-in"));
    // It has told of that: what came from the same session there has ended, and nothing else.
    until("the other session has ended, at both", || {
        let gateways = [&mut second, &mut second_there];
        gateways.map(|it| it.send("GET /things", "", "").status) == [401, 401]
    });
    assert_eq!(elsewhere.send("GET /things", "", "").status, 200);
    let event = sso.bench.event("session.revoked").await;
    assert_eq!(event["actor_type"], "provider");
    assert_eq!(event["details"]["provider"], "corp");
}

/// The roles that the backend is told of.
fn roles(sso: &Sso, browser: &mut Browser) -> String {
    let answer = browser.send("GET /things", "", "");
    assert_eq!(answer.status, 200, "{answer:?}");
    let received = sso.bench.upstream.received();
    let last = received.last().unwrap();
    last.header("x-portcullis-roles").concat()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_provider_says_is_asked_again_while_a_session_lives() {
    let provider = OidcProvider::start(CALLBACK);
    let more = format!("{GROUPS}      recheck: 1m\n");
    let (sso, clock) = Sso::with_clock(provider, &more).await;
    let mut browser = sso.bench.browser();
    assert_eq!(sso.sign_in(&mut browser, &ann()).status, 303);
    until("the new roles", || {
        browser.send("GET /things", "", "").status == 200
    });
    assert!(roles(&sso, &mut browser).contains("editor"));
    // What is kept for it is nobody's to read.
    let kept = "SELECT encode(sealed, 'escape') FROM provider_sessions";
    let sealed = sso.bench.text(kept).await;
    assert!(
        !sealed.is_empty() && !sealed.contains("refresh"),
        "{sealed}"
    );
    // By hand she is a viewer too, which no provider takes.
    let args = "members add --scope acme/fraud --principal ann@acme.example --role viewer";
    let args: Vec<_> = args.split(' ').collect();
    sso.bench.gateway.cli(&args);
    let page = browser.go("/.portcullis/account").body;
    let by = "<bdi>editor</bdi> <span class=\"by\">by <bdi>corp</bdi></span>";
    assert!(page.contains(by), "{page}");
    until("the role by hand", || {
        let page = browser.go("/.portcullis/account").body;
        page.contains("<li><bdi>viewer</bdi></li>")
    });
    let mut less = ann();
    less["groups"] = json!(["staff"]);
    sso.provider.be(&less);
    clock.jump("+70s");
    until("the role to go", || {
        !roles(&sso, &mut browser).contains("editor")
    });
    assert!(roles(&sso, &mut browser).contains("viewer"));
    let event = sso.bench.own_event("session.rechecked");
    assert_eq!(event["details"]["roles"]["taken"], json!(["editor@fraud"]));
    assert_eq!(event["details"]["provider"], "corp");
    // The token of the first time is good no more: it was followed by another, which is used.
    sso.provider.be(&ann());
    clock.jump("+140s");
    until("the role to come back", || {
        roles(&sso, &mut browser).contains("editor")
    });
    // Who is nobody there any more has no session here.
    sso.provider.be(&json!({ "gone": true }));
    clock.jump("+210s");
    until("the session to end", || {
        browser.send("GET /things", "", "").status == 401
    });
    let event = sso.bench.own_event("session.revoked");
    assert_eq!(event["details"]["because"], "sso_refused");
    assert_eq!(event["details"]["provider"], "corp");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_word_that_cannot_be_asked_for_again_ends() {
    let provider = OidcProvider::start(CALLBACK);
    let more = format!("{GROUPS}      recheck: 1m\n");
    let (sso, clock) = Sso::with_clock(provider, &more).await;
    let mut browser = sso.bench.browser();
    assert_eq!(sso.sign_in(&mut browser, &ann()).status, 303);
    until("the new roles", || {
        browser.send("GET /things", "", "").status == 200
    });
    let Sso { bench, provider } = sso;
    drop(provider);
    // It is asked in vain, and the session goes on for as long as its word is good.
    clock.jump("+200s");
    let asked = "SELECT (ask_at > now() + interval '200 seconds')::text FROM provider_sessions";
    while bench.text(asked).await != "true" {
        tokio::task::yield_now().await;
    }
    assert_eq!(browser.send("GET /things", "", "").status, 200);
    clock.jump("+250s");
    until("the session to end", || {
        browser.send("GET /things", "", "").status == 401
    });
    let event = bench.own_event("session.revoked");
    assert_eq!(event["details"]["because"], "sso_unavailable");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_changes_its_keys() {
    let provider = OidcProvider::start(CALLBACK);
    let (sso, clock) = Sso::with_clock(provider, GROUPS).await;
    let come = |what: &str| {
        let mut browser = sso.bench.browser();
        let came = sso.sign_in(&mut browser, &ann());
        assert_eq!(came.status, 303, "{what}: {came:?}");
    };
    come("its first key");
    // Keys are asked for once in half a minute at most.
    for (offset, kind) in [("+40s", "RSA"), ("+80s", "EC"), ("+120s", "RSA")] {
        sso.provider.rotate(kind);
        clock.jump(offset);
        come(kind);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_may_call_people_by_names_for_us_only() {
    let provider = OidcProvider::calling(CALLBACK, "pairwise");
    let (sso, _clock) = Sso::with_clock(provider, GROUPS).await;
    for how in ["provisioned", "known"] {
        let mut browser = sso.bench.browser();
        assert_eq!(sso.sign_in(&mut browser, &ann()).status, 303);
        let event = sso.bench.event("session.created").await;
        assert_eq!(event["details"]["account"], how);
        let subject = event["details"]["subject"].as_str().unwrap();
        assert_eq!(subject.len(), 64, "{subject}");
    }
}

/// Whatever takes a session's place rests on the same word, which does not get better.
#[tokio::test(flavor = "multi_thread")]
async fn who_proves_it_anew_by_a_password_is_vouched_for_no_longer() {
    let provider = OidcProvider::start(CALLBACK);
    let more = "      domains: [example.com]\n      link_by_email: true\n";
    let (sso, clock) = Sso::with_clock(provider, more).await;
    let mut browser = sso.bench.browser();
    let viewer = json!({ "sub": "v", "email": "viewer@example.com", "name": "V", "groups": [] });
    assert_eq!(sso.sign_in(&mut browser, &viewer).status, 303);
    clock.jump("+2h");
    let page = browser.go("/.portcullis/re-authenticate?return=/things");
    let form = format!("csrf_token={}&password={TYPED}", token_of(&page));
    let renewed = browser.submit("/.portcullis/re-authenticate", &form);
    assert_eq!(renewed.status, 303, "{renewed:?}");
    let longer = "SELECT count(*)::text || bool_or(expires_at > first + interval '7 days')
                  FROM sessions, (SELECT min(created_at) AS first FROM sessions
                      WHERE vouched_by IS NOT NULL) began WHERE vouched_by IS NOT NULL";
    assert_eq!(sso.bench.text(longer).await, "2false");
}

/// A frame in another site's page would wear out the attempts of whoever looks at it.
#[tokio::test(flavor = "multi_thread")]
async fn a_frame_sends_nobody_anywhere() {
    let sso = Sso::start(GROUPS).await;
    let frame =
        "Sec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: iframe\r\nSec-Fetch-Site: cross-site\r\n";
    let mut browser = sso.bench.browser();
    assert_eq!(browser.send(&format!("GET {LEAVE}"), frame, "").status, 403);
    // Nor do those who are away keep anybody from typing a password.
    for _ in 0..100 {
        let mut another = sso.bench.browser();
        assert_eq!(another.go(LEAVE).status, 303);
    }
    assert_eq!(sso.bench.browser().go(LEAVE).status, 429);
    sso.bench.signed_in("viewer");
}

/// Nobody is taken over who is more than the tenant's.
#[tokio::test(flavor = "multi_thread")]
async fn who_has_a_part_in_the_platform_is_linked_by_nobodys_word() {
    let more = "      domains: [example.com]\n      link_by_email: true\n";
    let sso = Sso::start(more).await;
    let somebody = |who: &str| json!({ "sub": who, "email": format!("{who}@example.com"), "name": who, "groups": [] });
    let mut browser = sso.bench.browser();
    let answer = sso.sign_in(&mut browser, &somebody("admin"));
    assert_eq!((answer.status, browser.cookie), (401, None), "{answer:?}");
    assert_eq!(sso.refusals()[0]["reason"], "sso_account_exists");
    let mut browser = sso.bench.browser();
    assert_eq!(sso.sign_in(&mut browser, &somebody("viewer")).status, 303);
}
