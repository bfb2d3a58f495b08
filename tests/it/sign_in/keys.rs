//! What somebody sees of their account, and the keys that they make for themselves.

use super::Bench;
use crate::support::browser::{Browser, token_of};
use crate::support::gateway::until;
use crate::support::raw::Answer;

const KEYS: &str = "/.portcullis/account/keys";

/// What a field of a page's form holds.
fn field(page: &Answer, name: &str) -> String {
    let start = format!("name=\"{name}\" value=\"");
    let (_, rest) = page.body.split_once(&start).expect(name);
    rest.split('"').next().unwrap().to_owned()
}

/// The form that makes a key for this project, as it is on the page.
fn form(page: &Answer, project: &str) -> String {
    let (token, once) = (token_of(page), field(page, "once"));
    format!("csrf_token={token}&once={once}&name=nightly+%3Cb%3E&project={project}&days=90")
}

fn make(browser: &mut Browser, project: &str) -> Answer {
    let page = browser.go(KEYS);
    assert_eq!(page.status, 200, "{page:?}");
    browser.submit(KEYS, &form(&page, project))
}

fn secret(page: &Answer) -> String {
    let (_, rest) = page.body.split_once("class=\"secret\"").unwrap();
    let (_, rest) = rest.split_once('>').unwrap();
    rest.split('<').next().unwrap().to_owned()
}

/// The id of the only key on the page.
fn id_of(page: &Answer) -> String {
    let (_, rest) = page.body.split_once("/account/keys/").unwrap();
    rest.split('/').next().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_sees_their_own_projects_and_roles() {
    let bench = Bench::start().await;
    let page = bench.signed_in("editor").go("/.portcullis/account");
    assert_eq!(page.status, 200);
    assert!(page.body.contains("acme / fraud"), "{}", page.body);
    assert!(page.body.contains("<bdi>editor</bdi>"), "{}", page.body);
    assert!(!page.body.contains("globex"), "{}", page.body);
    let sessions = bench
        .signed_in("editor")
        .go("/.portcullis/account/sessions");
    assert!(sessions.body.contains("<time datetime=\"20"));
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_makes_a_key_sees_it_once_and_revokes_it() {
    let bench = Bench::start().await;
    let mut viewer = bench.signed_in("viewer");
    // The seed's own key is revoked first, so that there is one at a time.
    let seeded = id_of(&viewer.go(KEYS));
    let token = token_of(&viewer.go(KEYS));
    let revoke = |id: &str| format!("{KEYS}/{id}/revoke");
    let own = format!("csrf_token={token}");
    assert_eq!(viewer.submit(&revoke(&seeded), &own).status, 303);
    until("the seed's key to end", || {
        bench.gateway.get("/things", &bench.keys.viewer).status == 401
    });

    let page = viewer.go(KEYS);
    let sent = form(&page, "acme%2Ffraud");
    let made = viewer.submit(KEYS, &sent);
    assert_eq!(made.status, 201, "{made:?}");
    assert_eq!(made.header("cache-control"), ["no-store"]);
    let key = secret(&made);
    assert!(key.starts_with("pcl_live_"), "{key}");
    assert_eq!(bench.gateway.get("/things", &key).status, 200);
    let event = bench.event("api_key.created").await;
    let id = id_of(&viewer.go(KEYS));
    assert_eq!(event["result"], "success");
    assert_eq!(event["actor_email"], "viewer@example.com");
    assert_eq!(event["resource_id"], id.as_str());
    assert_eq!(
        (&event["tenant"], &event["project"]),
        (&"acme".into(), &"fraud".into())
    );
    assert_eq!(event["details"]["description"], "nightly <b>");
    assert!(!event.to_string().contains(&key));
    // What its holder may not do, it does not do either.
    assert_eq!(
        bench.gateway.request("POST", "/things", &key, "{}").status,
        403
    );
    // Sent again, by a reload say, the form makes none and shows none.
    let again = viewer.submit(KEYS, &sent);
    assert_eq!(again.status, 409);
    let listed = viewer.go(KEYS);
    for page in [&again, &listed] {
        assert!(!page.body.contains(&key), "{}", page.body);
        assert_eq!(page.body.matches("/revoke\"").count(), 1, "{}", page.body);
        assert!(page.body.contains("nightly &#60;b&#62;"), "{}", page.body);
    }
    // Nobody else revokes it, and none is revoked with a foreign form.
    let mut editor = bench.signed_in("editor");
    let theirs = format!("csrf_token={}", token_of(&editor.go(KEYS)));
    assert_eq!(editor.submit(&revoke(&id), &theirs).status, 404);
    assert_eq!(viewer.submit(&revoke(&id), &theirs).status, 403);
    assert_eq!(bench.gateway.get("/things", &key).status, 200);
    assert_eq!(viewer.submit(&revoke(&id), &own).status, 303);
    assert_eq!(bench.gateway.get("/things", &key).status, 401);
    let event = bench.event("api_key.revoked").await;
    assert_eq!(event["resource_id"], id.as_str());
    assert_eq!(event["project"], "fraud");
    let events = bench.gateway.events().await;
    let count = |name: &str| {
        let found = events.iter().filter(|event| event["event"] == name);
        found
            .filter(|event| event["result"] == "success" && !event["project"].is_null())
            .count()
    };
    assert_eq!((count("api_key.created"), count("api_key.revoked")), (1, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn no_key_is_made_for_a_project_that_is_closed_or_by_a_form_that_is_none() {
    let bench = Bench::start().await;
    let mut viewer = bench.signed_in("viewer");
    let closed = make(&mut viewer, "globex%2Fchurn");
    let none = make(&mut viewer, "globex%2Fnothing");
    assert_eq!((closed.status, none.status), (422, 422));
    let alert = |page: &Answer| {
        let (_, rest) = page.body.split_once("role=\"alert\"").unwrap();
        rest.split("</p>").next().unwrap().to_owned()
    };
    assert_eq!(alert(&closed), alert(&none));
    assert!(!none.body.contains("globex"), "{}", none.body);
    let page = viewer.go(KEYS);
    let good = form(&page, "acme%2Ffraud");
    for (status, wrong) in [
        (422, good.replace("nightly+%3Cb%3E", "+")),
        (422, good.replace("nightly+%3Cb%3E", "a%E2%80%AEb")),
        (422, good.replace("nightly+%3Cb%3E", &"x".repeat(101))),
        (422, good.replace("days=90", "days=99999")),
        (422, good.replace("acme%2Ffraud", "nonsense")),
        (403, good.replace(&token_of(&page), "0")),
    ] {
        assert_eq!(viewer.submit(KEYS, &wrong).status, status, "{wrong}");
    }
    assert_eq!(viewer.go(KEYS).body.matches("/revoke\"").count(), 1);
    assert_eq!(viewer.submit(KEYS, &good).status, 201);
}

/// Two clicks at one moment.
#[tokio::test(flavor = "multi_thread")]
async fn one_form_makes_one_key() {
    let bench = Bench::start().await;
    let mut viewer = bench.signed_in("viewer");
    let sent = form(&viewer.go(KEYS), "acme%2Ffraud");
    let cookie = viewer.cookie.clone();
    let mut statuses: Vec<_> = std::thread::scope(|scope| {
        let clicks: Vec<_> = (0..4)
            .map(|_| scope.spawn(|| bench.with(cookie.clone()).submit(KEYS, &sent).status))
            .collect();
        clicks.into_iter().map(|it| it.join().unwrap()).collect()
    });
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 409, 409, 409]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_opens_no_page() {
    let bench = Bench::start().await;
    for path in [
        "/.portcullis/account",
        KEYS,
        "/.portcullis/account/sessions",
        "/.portcullis/account/password",
    ] {
        let answer = bench.gateway.get(path, &bench.keys.owner);
        assert_eq!(answer.status, 403, "{path}");
        assert_eq!(bench.signed_in("viewer").go(path).status, 200, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_tenant_asks_of_keys_is_told_where_they_are_made() {
    let bench = Bench::start().await;
    let mut viewer = bench.signed_in("viewer");
    let rules = serde_json::json!({ "max_days": 30, "approval": true });
    bench.ask("tenants/acme/key-rules", &rules);
    let refused = make(&mut viewer, "acme%2Ffraud");
    assert_eq!(refused.status, 422, "{refused:?}");
    assert!(
        refused.body.contains("keys end after 30 days at most here"),
        "{}",
        refused.body
    );
    // The form that was refused is good for another try.
    let sent = form(&refused, "acme%2Ffraud").replace("days=90", "days=30");
    let made = viewer.submit(KEYS, &sent);
    assert_eq!(made.status, 201, "{made:?}");
    assert_eq!(bench.gateway.get("/things", &secret(&made)).status, 403);
    let page = viewer.go(KEYS);
    assert_eq!(
        page.body.matches("awaits the approval").count(),
        1,
        "{}",
        page.body
    );
}
