//! A tenant that takes the word of its own providers only.

use serde_json::{Value, json};

use super::factors::prove;
use super::rules::{ACME, FRAUD, look, refused, seen};
use super::saml::Corp;
use super::{Bench, TYPED};
use crate::support::browser::NAVIGATION;
use crate::support::gateway::until;

fn id_of(bench: &Bench, email: &str) -> String {
    let users = bench.gateway.cli(&["--json", "users", "list"]);
    let users: Value = serde_json::from_str(&users).unwrap();
    let mut users = users.as_array().unwrap().iter();
    let own = users.find(|user| user["email"] == email).unwrap();
    own["id"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn only_a_provider_of_the_tenant_lets_people_in() {
    let corp = Corp::start().await;
    let bench = &corp.bench;
    let there = [
        "--scope",
        "globex/churn",
        "--principal",
        "viewer@example.com",
        "--role",
        "editor",
    ];
    bench
        .gateway
        .cli(&[&["members", "add"][..], &there].concat());
    let mut viewer = bench.signed_in("viewer");
    let mut editor = bench.signed_in("editor");
    until("they are in both", || {
        look(&mut viewer, "acme/fraud") == seen() && look(&mut viewer, "globex/churn") == seen()
    });
    let enforced = json!({ "enforce_sso": true });
    let closed = bench.put("tenants/globex/session-rules", &enforced);
    assert_eq!(closed.status, 422, "nobody could come in: {closed:?}");
    bench.ask(ACME, &enforced);
    // Who is here is out, and not elsewhere; who comes by the provider is in.
    until("it is in force", || {
        look(&mut viewer, "acme/fraud") == refused("sso_required")
            && look(&mut editor, "acme/fraud") == refused("sso_required")
    });
    assert_eq!(look(&mut viewer, "globex/churn"), seen());
    // A browser is led to the tenant's own service, and back; a script is told.
    let project = |fetched: &str| format!("{fetched}X-Portcullis-Project: acme/fraud\r\n");
    let led = viewer.send("GET /things?a=1", &project(NAVIGATION), "");
    let way = led.header("location").concat();
    assert_eq!(led.status, 303, "{led:?}");
    assert_eq!(way, "/.portcullis/sign-in/at/acme?return=/things%3Fa=1");
    let led = viewer.go(&way);
    assert_eq!(
        led.header("location"),
        ["/.portcullis/sign-in/with/corp?return=%2Fthings%3Fa%3D1"],
        "{led:?}"
    );
    assert_eq!(viewer.go("/.portcullis/sign-in/at/globex").status, 404);
    assert_eq!(viewer.go("/.portcullis/sign-in/at/nobody").status, 404);
    let mut ann = corp.ann();
    until("the new role", || look(&mut ann, "acme/fraud") == seen());
    // A key is what it was.
    assert_eq!(bench.gateway.get("/things", &bench.keys.editor).status, 200);
    // Whoever is nowhere else cannot even sign in by a password.
    let refused = bench.browser().sign_in("editor%40example.com", TYPED);
    assert_eq!(refused.status, 403);
    assert_eq!(
        bench
            .browser()
            .sign_in("viewer%40example.com", TYPED)
            .status,
        303
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_break_the_glass_does_so_with_two_factors_and_on_record() {
    let corp = Corp::start().await;
    let bench = &corp.bench;
    let mut editor = bench.signed_in("editor");
    let factors = Bench::set_up(&mut editor);
    let id = id_of(bench, "editor@example.com");
    // Nobody is listed who could set a factor up with a stolen password, or is nobody here.
    for other in ["viewer@example.com", "stranger@example.com"] {
        let rules = json!({ "enforce_sso": true, "break_glass": [id_of(bench, other)] });
        assert_eq!(bench.put(ACME, &rules).status, 422, "{other}");
    }
    assert_eq!(
        bench.put(FRAUD, &json!({ "break_glass": [id] })).status,
        422
    );
    bench.ask(ACME, &json!({ "enforce_sso": true, "break_glass": [id] }));
    let mut viewer = bench.browser();
    until("it is in force", || {
        viewer.sign_in("viewer%40example.com", TYPED).status == 403
    });
    let mut editor = bench.half_signed_in("editor");
    assert_eq!(
        look(&mut editor, "acme/fraud"),
        refused("second_factor_required")
    );
    assert_eq!(prove(&mut editor, &factors.app.code(0)).status, 303);
    assert_eq!(look(&mut editor, "acme/fraud"), seen());
    let event = bench.event("session.created").await;
    assert_eq!(event["actor_email"], "editor@example.com");
    assert_eq!(event["details"]["break_glass"], json!(["acme"]));
    let counted = "portcullis_break_glass_sign_ins_total{tenant=\"acme\"}";
    assert_eq!(bench.gateway.metric(counted), 1);
}
