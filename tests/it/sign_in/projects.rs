//! People with a browser choose the project that they work in: its pages do not say.

use super::{Bench, TYPED};
use crate::support::browser::{Browser, token_of};
use crate::support::raw::Answer;

const PAGE: &str = "/.portcullis/account/project";
const COOKIE: &str = "portcullis-dev-project";

/// A form of the page.
fn choose(browser: &mut Browser, project: &str) -> Answer {
    let token = token_of(&browser.go(PAGE));
    let form = format!("csrf_token={token}&project={project}&return=%2Fthings%3Fpage%3D2");
    browser.submit(PAGE, &form)
}

/// The project in which the backend was last asked.
fn last(bench: &Bench) -> String {
    let received = bench.upstream.received();
    let received = received.last().unwrap();
    assert_eq!(received.header("cookie"), Vec::<&str>::new());
    format!(
        "{}/{}",
        received.header("x-portcullis-tenant")[0],
        received.header("x-portcullis-project")[0]
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_does_not_say_is_about_the_one_that_was_chosen() {
    let (bench, mut viewer) = Bench::of_two_tenants("sign_in: {}").await;
    // Led to the question, and back.
    let away = viewer.go("/things?page=2");
    assert_eq!(away.status, 303, "{away:?}");
    let to = format!("{PAGE}?return=/things%3Fpage=2");
    assert_eq!(away.header("location"), [&*to]);
    let page = viewer.go(&to);
    assert_eq!(page.status, 200);
    for project in ["acme/fraud", "globex/churn"] {
        let button = format!("name=\"project\" value=\"{project}\"");
        assert!(page.body.contains(&button), "{}", page.body);
    }
    assert!(
        page.body.contains("value=\"/things?page=2\""),
        "{}",
        page.body
    );
    let chosen = choose(&mut viewer, "globex%2Fchurn");
    assert_eq!(chosen.header("location"), ["/things?page=2"]);
    let cookie = chosen.header("set-cookie")[0];
    assert_eq!(
        cookie,
        format!("{COOKIE}=globex/churn; Path=/; HttpOnly; SameSite=Lax")
    );
    assert_eq!(viewer.go("/things").status, 200);
    assert_eq!(last(&bench), "globex/churn");
    assert!(viewer.go(PAGE).body.contains("chosen"));
    // Another choice, and a header that says more.
    assert_eq!(choose(&mut viewer, "acme%2Ffraud").status, 303);
    assert_eq!(viewer.go("/things").status, 200);
    assert_eq!(last(&bench), "acme/fraud");
    let named = viewer.send("GET /things", "X-Portcullis-Project: globex/churn\r\n", "");
    assert_eq!((named.status, &*last(&bench)), (200, "globex/churn"));

    // What is closed to them, unknown or nonsense: as if nothing had been chosen.
    for odd in [
        "acme/other",
        "initech/labs",
        "nowhere/none",
        "x",
        "a/b/c",
        "",
    ] {
        let refused = choose(&mut viewer, odd);
        assert_eq!(refused.status, 422, "{odd}");
        assert!(refused.header("set-cookie").is_empty(), "{odd}");
        let mut forged = bench.with(viewer.cookie.clone());
        forged.others.insert(COOKIE.to_owned(), odd.to_owned());
        let answer = forged.send("GET /things", "Sec-Fetch-Mode: cors\r\n", "");
        assert_eq!(answer.status, 400, "{odd}");
    }
    // Whoever has lost what they chose is asked anew.
    bench.gateway.cli(&[
        "members",
        "remove",
        "--scope",
        "acme/fraud",
        "--principal",
        "viewer@example.com",
        "--role",
        "viewer",
    ]);
    // What they do next lands nowhere else, though one project is left.
    crate::support::gateway::until("the question", || {
        viewer
            .go("/things")
            .header("location")
            .concat()
            .starts_with(PAGE)
    });
    let before = bench.upstream.received().len();
    let sent = viewer.submit("/things", "a=b");
    assert_eq!(
        (sent.status, bench.upstream.received().len()),
        (400, before)
    );
    assert_eq!(choose(&mut viewer, "globex%2Fchurn").status, 303);
    assert_eq!(viewer.submit("/things", "a=b").status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_choice_is_a_persons_and_no_credentials() {
    let (bench, mut viewer) = Bench::of_two_tenants("sign_in: {}").await;
    assert_eq!(choose(&mut viewer, "globex%2Fchurn").status, 303);
    // A key is used where it is for, whatever cookies come with it.
    let mut connection = bench.gateway.connect();
    connection.send(format!(
        "GET /things HTTP/1.1\r\nHost: gw\r\nAuthorization: Bearer {}\r\nCookie: \
         {COOKIE}=globex/churn\r\n\r\n",
        bench.keys.editor
    ));
    assert_eq!(connection.answer().unwrap().status, 200);
    assert_eq!(last(&bench), "acme/fraud");
    // Where somebody signs out, the next one does not learn of it.
    let token = token_of(&viewer.go(PAGE));
    let out = viewer.submit("/.portcullis/sign-out", &format!("csrf_token={token}"));
    assert_eq!((out.status, viewer.others.get(COOKIE)), (303, None));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_without_passwords_lets_nobody_in_by_one() {
    let (bench, _) = Bench::of_two_tenants("sign_in: {}").await;
    let ask = |tenant: &str| {
        let rules = serde_json::json!({ "password_login": false });
        bench.ask(&format!("tenants/{tenant}/session-rules"), &rules);
    };
    ask("acme");
    let enter = |who: &str, password: &str| {
        let mut browser = bench.browser();
        let answer = browser.sign_in(&format!("{who}%40example.com"), password);
        (answer.status, browser.cookie.is_some())
    };
    // Nothing else is theirs; whoever does not know the password learns nothing of it.
    crate::support::gateway::until("the rule", || enter("editor", TYPED) == (403, false));
    assert_eq!(enter("editor", "wrong+horse+battery"), (401, false));
    let event = bench.event("session.refused").await;
    assert_eq!(event["actor_email"], serde_json::Value::Null);
    // The viewer works for another tenant too, until that has no passwords either.
    assert_eq!(enter("viewer", TYPED), (303, true));
    ask("globex");
    crate::support::gateway::until("the other rule", || enter("viewer", TYPED) == (403, false));
    let event = bench.event("session.refused").await;
    assert_eq!(event["reason"], "password_login_off");
}
