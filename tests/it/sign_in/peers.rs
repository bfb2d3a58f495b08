//! Providers that others have made: nanoidp, and the emulators of Google and GitHub.

use url::form_urlencoded;

use super::Bench;
use crate::support::browser::{Browser, DOCUMENT};
use crate::support::clock::SetClock;
use crate::support::gateway::until;
use crate::support::raw::Answer;
use crate::support::server::Server;

const LEAVE: &str = "/.portcullis/sign-in/with/corp?return=/things";

/// One provider, spoken to like this.
async fn bench(kind: &str) -> (Bench, SetClock) {
    Bench::with_clock(&format!(
        "sign_in:\n  public_url: \"http://localhost:1\"\n  providers:\n    - name: corp\n      tenant: \
         acme\n      auto_provision_users: true\n      domains: [acme.example]\n      default_role: \
         client_user\n      group_role_mapping: [ {{ group: acme/ml, role: client_admin }}, {{ group: \
         STAFF, role: client_admin }} ]\n      {kind}"
    ))
    .await
}

/// Fills in the form that somebody is sent to, and brings back what comes of it.
fn sign_in(bench: &Bench, filled: &[(&str, &str)]) -> (Browser, Answer) {
    let mut browser = bench.browser();
    let sent = browser.go(LEAVE);
    assert_eq!(sent.status, 303, "{sent:?}");
    let to: url::Url = sent.header("location")[0].parse().unwrap();
    // The emulators read it from the form, nanoidp from the address.
    let mut form = form_urlencoded::Serializer::new(String::new());
    form.extend_pairs(to.query_pairs()).extend_pairs(filled);
    let path = format!("{}?{}", to.path(), to.query().unwrap());
    let done = Server::form(to.port().unwrap(), &path, &form.finish());
    let back = done.header("location").concat();
    let back = back
        .strip_prefix("http://localhost:1")
        .unwrap_or_else(|| panic!("{done:?}"));
    let fields = format!("{DOCUMENT}Sec-Fetch-Site: cross-site\r\n");
    let came = browser.send(&format!("GET {back}"), &fields, "");
    (browser, came)
}

/// Signs in well; the roles that the backend is told of.
fn roles(bench: &Bench, (mut browser, came): (Browser, Answer)) -> String {
    assert_eq!(came.status, 303, "{came:?}");
    until("the new roles", || {
        let project = "X-Portcullis-Project: acme/fraud\r\n";
        browser.send("GET /things", project, "").status == 200
    });
    let received = bench.upstream.received();
    let last = received.last().unwrap();
    assert_eq!(last.header("x-forwarded-user"), ["ann@acme.example"]);
    last.header("x-portcullis-roles").concat()
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_of_nanoidp_signs_in_and_it_changes_its_keys() {
    let nano = Server::nanoidp();
    let (bench, clock) = bench(&format!(
        "oidc: {{ issuer: \"{}\", client_id: ml, client_secret: hush }}",
        nano.url()
    ))
    .await;
    let ann = [("username", "ann"), ("password", "pass word")];
    let told = roles(&bench, sign_in(&bench, &ann));
    assert!(told.contains("client_user"), "{told}");
    // A signature by a key of before is known while it is listed, one by a new one once it is read.
    let rotated = nano.request("POST", "/api/keys/rotate", "{}");
    assert_eq!(rotated.status, 200, "{rotated:?}");
    clock.jump("+40s");
    roles(&bench, sign_in(&bench, &ann));
}

#[tokio::test(flavor = "multi_thread")]
async fn googles_emulator_takes_the_secret_in_the_form_only() {
    let mocks = Server::oauth_mocks();
    let (bench, _clock) = bench(&format!(
        "google: {{ issuer: \"{}\", client_id: ml, client_secret: hush, allowed_domains: [acme.example] }}",
        mocks.second_url()
    ))
    .await;
    let told = roles(&bench, sign_in(&bench, &[("email", "ann@acme.example")]));
    assert_eq!(told, "client_user");
    // Whose address is of the domain, and whose account is not, is a stranger; so is whoever else.
    let (browser, came) = sign_in(&bench, &[("email", "ann@other.example")]);
    assert_eq!((came.status, browser.cookie), (401, None));
    assert_eq!(
        bench.event("session.refused").await["reason"],
        "sso_refused"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn githubs_emulator_tells_organizations_and_teams() {
    let mocks = Server::oauth_mocks();
    let (bench, _clock) = bench(&format!(
        "github: {{ client_id: ml, client_secret: hush, allowed_organizations: [acme], site: \"{0}\", api: \
         \"{0}/api/v3\" }}",
        mocks.url()
    ))
    .await;
    let told = roles(&bench, sign_in(&bench, &[("email", "ann@acme.example")]));
    assert!(told.contains("client_admin"), "{told}");
    let (browser, came) = sign_in(&bench, &[("email", "ann@other.example")]);
    assert_eq!((came.status, browser.cookie), (401, None));
    assert_eq!(
        bench.event("session.refused").await["reason"],
        "sso_refused"
    );
}
