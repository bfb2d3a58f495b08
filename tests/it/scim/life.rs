//! From being hired to having left.

use serde_json::{Value, json};

use super::Bench;
use crate::sign_in::saml::{FROM_PROVIDER, SITE, form_of, go_on, leave};
use crate::support::browser::Browser;
use crate::support::gateway::until;
use crate::support::saml::{IDP, KeyPair, Says, signed};

/// Status of a request with a key.
fn with_key(bench: &Bench, key: &str, path: &str) -> u16 {
    let request = format!("GET {path} HTTP/1.1\r\nHost: gw\r\nAuthorization: Bearer {key}\r\n\r\n");
    bench.gateway.raw(request).unwrap().status
}

async fn start() -> Bench {
    let bench = Bench::start().await;
    until("the key is known", || {
        bench.ask("GET", "Users", &Value::Null).0 == 200
    });
    bench
}

#[tokio::test(flavor = "multi_thread")]
async fn groups_are_roles_for_as_long_as_somebody_is_in_them() {
    let bench = start().await;
    let sent = json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": "ann",
        "externalId": "00u1", "name": { "givenName": "Ann", "familyName": "Archer" },
        "emails": [{ "value": "other@acme.example" },
            { "value": "Ann@acme.example", "type": "work", "primary": true }],
    });
    let (status, made) = bench.ask("POST", "Users", &sent);
    assert_eq!(status, 201, "{made}");
    assert_eq!(made["active"], true);
    assert_eq!(made["meta"]["resourceType"], "User");
    let ann = made["id"].as_str().unwrap().to_owned();
    let event = bench
        .gateway
        .cli(&["--json", "audit", "query", "--event", "scim.user_created"]);
    let event: Value = serde_json::from_str(&event).unwrap();
    assert_eq!(event[0]["tenant"], "acme");
    assert_eq!(event[0]["actor_type"], "service_account");
    assert_eq!(event[0]["details"]["name"], "ann");
    let mut browser = bench.signed_in("ann@acme.example");
    assert_eq!(browser.send("GET /me", "", "").status, 200);
    let group = bench.group("scientists", &[&ann]);
    until("the role", || {
        browser.send("GET /things", "", "").status == 200
    });
    let received = bench.upstream.received();
    let received = received.last().unwrap();
    assert_eq!(received.header("x-forwarded-user"), ["ann@acme.example"]);
    assert!(received.header("x-portcullis-roles")[0].contains("editor"));
    let shown = bench.ask("GET", &format!("Users/{ann}"), &Value::Null).1;
    assert_eq!(shown["groups"][0]["display"], "scientists");
    // What was given by hand stays, whatever the directory says.
    let members = |bench: &Bench| -> Vec<String> {
        let all = bench.gateway.cli(&["--json", "members", "list"]);
        let all: Value = serde_json::from_str(&all).unwrap();
        let all = all.as_array().unwrap().iter();
        let own = all.filter(|each| each["principal"] == "ann@acme.example");
        own.map(|each| each["role"].as_str().unwrap().to_owned())
            .collect()
    };
    let by_hand = [
        "--scope",
        "acme/fraud",
        "--principal",
        "ann@acme.example",
        "--role",
        "viewer",
    ];
    bench
        .gateway
        .cli(&[&["members", "add"][..], &by_hand].concat());
    let mut held = members(&bench);
    held.sort();
    assert_eq!(held, ["client_user", "editor", "viewer"]);
    // As Entra ID takes somebody out of a group, and Okta renames one.
    let out = json!([{ "op": "Remove", "path": "members", "value": [{ "value": ann }] }]);
    let (status, shown) = bench.patch(&format!("Groups/{group}"), &out);
    assert_eq!((status, &shown["members"]), (200, &Value::Null));
    held = members(&bench);
    held.sort();
    assert_eq!(held, ["client_user", "viewer"]);
    let back = json!([{ "op": "add", "path": "members", "value": [{ "value": ann }] }]);
    bench.patch(&format!("Groups/{group}"), &back);
    assert_eq!(members(&bench).len(), 3);
    let renamed = json!([{ "op": "replace", "value": { "displayName": "others" } }]);
    assert_eq!(bench.patch(&format!("Groups/{group}"), &renamed).0, 200);
    assert_eq!(members(&bench).len(), 2);
    bench.patch(
        &format!("Groups/{group}"),
        &json!([{ "op": "replace", "path": "displayName",
        "value": "scientists" }]),
    );
    assert_eq!(members(&bench).len(), 3);
    assert_eq!(
        bench
            .ask("DELETE", &format!("Groups/{group}"), &Value::Null)
            .0,
        204
    );
    assert_eq!(members(&bench).len(), 2);
    // Another address is another account, and who had the former one is out.
    let moved = json!([{ "op": "replace", "path": "emails[type eq \"work\"].value",
        "value": "ann.archer@acme.example" }]);
    assert_eq!(bench.patch(&format!("Users/{ann}"), &moved).0, 200);
    until("the former account is out", || {
        browser.send("GET /me", "", "").status == 401
    });
    let mut browser = bench.signed_in("ann.archer@acme.example");
    assert_eq!(browser.send("GET /me", "", "").status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_left_is_out_at_once() {
    let bench = start().await;
    for way in ["deactivated", "removed"] {
        let email = format!("{way}@acme.example");
        let id = bench.user(&email);
        bench.group("scientists", &[&id]);
        let mut browser = bench.signed_in(&email);
        let key = bench
            .gateway
            .cli(&["keys", "create", "--principal", &email]);
        let key = key.trim();
        until("they are in", || {
            browser.send("GET /things", "", "").status == 200
                && with_key(&bench, key, "/things") == 200
        });
        let user = format!("Users/{id}");
        if way == "removed" {
            assert_eq!(bench.ask("DELETE", &user, &Value::Null).0, 204);
            assert_eq!(bench.ask("GET", &user, &Value::Null).0, 404);
        } else {
            // As Entra ID says it.
            let off = json!([{ "op": "Replace", "path": "active", "value": "False" }]);
            let (status, shown) = bench.patch(&user, &off);
            assert_eq!((status, &shown["active"]), (200, &json!(false)));
        }
        until("they are out", || {
            browser.send("GET /me", "", "").status == 401 && with_key(&bench, key, "/me") == 401
        });
        // Even by a new attempt.
        let again = browser.sign_in(&email.replace('@', "%40"), "correct+horse+battery");
        assert_eq!(again.status, 401);
        if way == "deactivated" {
            let on = json!([{ "op": "replace", "value": { "active": true } }]);
            assert_eq!(bench.patch(&user, &on).0, 200);
        } else {
            // Hired again.
            let id = bench.user(&email);
            let group = &bench.ask("GET", "Groups?attributes=id", &Value::Null).1["Resources"];
            let group = group.as_array().unwrap().last().unwrap()["id"]
                .as_str()
                .unwrap();
            let back = json!([{ "op": "add", "path": "members", "value": [{ "value": id }] }]);
            assert_eq!(bench.patch(&format!("Groups/{group}"), &back).0, 200);
        }
        until("they are back", || {
            let email = email.replace('@', "%40");
            browser.sign_in(&email, "correct+horse+battery").status == 303
                && browser.send("GET /things", "", "").status == 200
        });
        // What has ended stays so.
        assert_eq!(with_key(&bench, key, "/me"), 401);
        // Who is disabled by hand, no directory enables.
        bench.gateway.cli(&["users", "disable", &email]);
        let (_, found) = bench.ask("GET", "Users", &Value::Null);
        let mut all = found["Resources"].as_array().unwrap().iter();
        let own = all.rfind(|each| each["userName"] == *email).unwrap();
        let user = format!("Users/{}", own["id"].as_str().unwrap());
        for active in [false, true] {
            let change = json!([{ "op": "replace", "path": "active", "value": active }]);
            assert_eq!(bench.patch(&user, &change).0, 200);
        }
        let again = browser.sign_in(&email.replace('@', "%40"), "correct+horse+battery");
        assert_eq!(again.status, 401);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_elsewhere_too_has_lost_this_tenant_only() {
    let bench = start().await;
    // They own a project here, and are somebody there.
    let id = bench.user("owner@example.com");
    let there = [
        "--scope",
        "globex/churn",
        "--principal",
        "owner@example.com",
        "--role",
        "editor",
    ];
    bench
        .gateway
        .cli(&[&["members", "add"][..], &there].concat());
    let key = bench
        .gateway
        .cli(&["keys", "create", "--principal", "owner@example.com"]);
    let key = key.trim();
    let in_project = |project: &str| {
        let request = format!(
            "GET /things HTTP/1.1\r\nHost: gw\r\nAuthorization: Bearer {key}\r\nX-Portcullis-Project: \
             {project}\r\n\r\n"
        );
        bench.gateway.raw(request).unwrap().status
    };
    until("they are in both", || {
        in_project("acme/fraud") == 200 && in_project("globex/churn") == 200
    });
    let off = json!([{ "op": "replace", "path": "active", "value": false }]);
    assert_eq!(bench.patch(&format!("Users/{id}"), &off).0, 200);
    until("they have lost this tenant", || {
        in_project("acme/fraud") != 200
    });
    assert_eq!(in_project("globex/churn"), 200);
    assert_eq!(with_key(&bench, &bench.keys.owner, "/me"), 401);
    let on = json!([{ "op": "replace", "path": "active", "value": true }]);
    assert_eq!(bench.patch(&format!("Users/{id}"), &on).0, 200);
    until("they are back", || in_project("acme/fraud") == 200);
    // Their address is theirs, whatever the directory calls them.
    let moved = json!([{ "op": "replace", "path": "userName", "value": "taken@evil.example" }]);
    assert_eq!(bench.patch(&format!("Users/{id}"), &moved).0, 200);
    until("they have lost it again", || {
        in_project("acme/fraud") != 200
    });
    let users = bench.gateway.cli(&["--json", "users", "list"]);
    assert!(users.contains("owner@example.com"));
}

/// What two tenants have in common is nobody's once both have let somebody go.
#[tokio::test(flavor = "multi_thread")]
async fn who_has_left_both_is_nobody() {
    let bench = start().await;
    let globex = super::directory_of(&bench.gateway, "globex");
    until("the key is known", || {
        bench.send(&globex, "GET", "globex/Users", "").status == 200
    });
    let here = bench.user("ann@acme.example");
    let made = json!({ "userName": "ann@acme.example" }).to_string();
    let made = bench.send(&globex, "POST", "globex/Users", &made);
    let made: Value = serde_json::from_str(&made.body).unwrap();
    let there = made["id"].as_str().unwrap();
    let mut browser = bench.signed_in("ann@acme.example");
    assert_eq!(browser.send("GET /me", "", "").status, 200);
    let off = json!([{ "op": "replace", "path": "active", "value": false }]);
    assert_eq!(bench.patch(&format!("Users/{here}"), &off).0, 200);
    assert_eq!(browser.send("GET /me", "", "").status, 200);
    let path = format!("globex/Users/{there}");
    assert_eq!(bench.send(&globex, "DELETE", &path, "").status, 204);
    until("they are out", || {
        browser.send("GET /me", "", "").status == 401
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_have_pages_and_show_what_is_asked_for() {
    let bench = start().await;
    for number in 0..5 {
        bench.user(&format!("user{number}@acme.example"));
    }
    let (_, page) = bench.ask(
        "GET",
        "Users?startIndex=2&count=2&attributes=userName",
        &Value::Null,
    );
    assert_eq!(page["totalResults"], 5);
    assert_eq!(page["itemsPerPage"], 2);
    assert_eq!(page["startIndex"], 2);
    let first = &page["Resources"][0];
    assert_eq!(first["userName"], "user1@acme.example");
    assert_eq!(first["meta"], Value::Null);
    let (_, none) = bench.ask("GET", "Users?count=0", &Value::Null);
    assert_eq!(
        (&none["totalResults"], &none["Resources"]),
        (&json!(5), &json!([]))
    );
    let filter = "Users?filter=userName%20eq%20%22USER3%40acme.example%22&excludedAttributes=meta";
    let (_, found) = bench.ask("GET", filter, &Value::Null);
    assert_eq!(found["totalResults"], 1);
    assert_eq!(found["Resources"][0]["meta"], Value::Null);
    assert_eq!(found["Resources"][0]["active"], true);
}

/// A provider that makes no accounts itself lets in whom the directory has made, and nobody else.
#[tokio::test(flavor = "multi_thread")]
async fn who_was_made_by_the_directory_signs_in_at_the_tenants_provider() {
    let idp = KeyPair::rsa(2048);
    let provider = format!(
        "  public_url: \"http://localhost:1\"\n  providers:\n    - {{ name: corp, tenant: acme, saml: {{ \
         idp_entity_id: \"{IDP}\", idp_sso_url: \"https://idp.example.com/sso\", idp_certificate: \
         \"{}\" }} }}\n",
        idp.pem()
    );
    let bench = Bench::with(&provider).await;
    until("the key is known", || {
        bench.ask("GET", "Users", &Value::Null).0 == 200
    });
    let sign_in = || {
        let mut browser = Browser::new(bench.gateway.public());
        let id = leave(&mut browser);
        let xml = signed(&Says::of_ann(SITE, &id), &idp.key);
        let form = form_of("SAMLResponse", &xml);
        let mut bare = Browser::new(bench.gateway.public());
        let brought = bare.send("POST /.portcullis/saml/corp/acs", FROM_PROVIDER, &form);
        go_on(&mut browser, &brought).status
    };
    assert_eq!(sign_in(), 401);
    let id = bench.user("ann@acme.example");
    assert_eq!(sign_in(), 303);
    assert_eq!(sign_in(), 303);
    let off = json!([{ "op": "replace", "path": "active", "value": false }]);
    assert_eq!(bench.patch(&format!("Users/{id}"), &off).0, 200);
    assert_eq!(sign_in(), 401);
    // Not even if they are somebody elsewhere.
    let there = [
        "--scope",
        "globex/churn",
        "--principal",
        "ann@acme.example",
        "--role",
        "editor",
    ];
    bench
        .gateway
        .cli(&[&["members", "add"][..], &there].concat());
    bench.gateway.cli(&["users", "enable", "ann@acme.example"]);
    assert_eq!(sign_in(), 401);
}

/// A directory says who is in its tenant, and nothing of whom somebody else has brought.
#[tokio::test(flavor = "multi_thread")]
async fn who_was_never_the_tenants_is_not_disabled_by_its_directory() {
    let bench = start().await;
    bench.gateway.cli(&["users", "create", "carol@example.com"]);
    let mut browser = bench.signed_in("carol@example.com");
    assert_eq!(browser.send("GET /me", "", "").status, 200);
    let gone = json!({ "userName": "carol@example.com", "active": false });
    let (status, made) = bench.ask("POST", "Users", &gone);
    assert_eq!(status, 201, "{made}");
    let off = |active: bool| json!([{ "op": "replace", "path": "active", "value": active }]);
    let user = format!("Users/{}", made["id"].as_str().unwrap());
    for active in [true, false] {
        assert_eq!(bench.patch(&user, &off(active)).0, 200);
    }
    let users = bench.gateway.cli(&["--json", "users", "list"]);
    let users: Value = serde_json::from_str(&users).unwrap();
    let mut all = users.as_array().unwrap().iter();
    let carol = all.find(|it| it["email"] == "carol@example.com").unwrap();
    assert_eq!(carol["disabled"], false, "{carol}");
    let mut again = bench.signed_in("carol@example.com");
    assert_eq!(again.send("GET /me", "", "").status, 200);
}
