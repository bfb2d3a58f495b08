//! Second factors: apps, recovery codes, and what a password alone is good for.

use std::thread;

use portcullis::clock::Clock;

use super::step_up::field;
use super::{Bench, TYPED};
use crate::support::browser::{Browser, OWN_PAGE, token_of};
use crate::support::gateway::until;
use crate::support::raw::Answer;

const SCRIPT: &str = "Sec-Fetch-Mode: cors\r\nSec-Fetch-Site: same-origin\r\n";
const FACTORS: &str = "/.portcullis/account/factors";
const PROVE: &str = "/.portcullis/second-factor";

/// Somebody's authenticator app.
pub struct App(totp_rs::Totp);

impl App {
    fn read_from(page: &Answer) -> Self {
        let (_, rest) = page.body.split_once("secret: <code>").unwrap();
        let typed = rest.split('<').next().unwrap().replace(' ', "");
        let secret = totp_rs::Secret::try_from_base32(&typed).unwrap();
        let builder = totp_rs::Builder::new().with_secret(secret.as_bytes().to_vec());
        Self(builder.build().unwrap())
    }

    /// The code of a time step, counted from now on.
    pub fn code(&self, step: i64) -> String {
        let at = Clock::system().now().timestamp() + step * 30;
        self.0.generate(at.try_into().unwrap()).to_string()
    }
}

/// What they are shown once.
pub struct SetUp {
    pub app: App,
    recovery_codes: Vec<String>,
}

impl Bench {
    /// Sets up an app, by the code of the time step before this one.
    pub fn set_up(browser: &mut Browser) -> SetUp {
        let form = browser.go(&format!("{FACTORS}/totp"));
        assert_eq!(form.status, 200, "{form:?}");
        let app = App::read_from(&form);
        let (_, sealed) = form.body.split_once("name=\"sealed\" value=\"").unwrap();
        let sealed = sealed.split('"').next().unwrap();
        let token = token_of(&form);
        let filled =
            |code: &str| format!("csrf_token={token}&sealed={sealed}&code={}", code.trim());
        let before = browser.cookie.clone();
        let wrong = browser.submit(&format!("{FACTORS}/totp"), &filled("000000"));
        assert_eq!(wrong.status, 401);
        assert!(wrong.body.contains(sealed), "the same secret again");
        let shown = browser.submit(&format!("{FACTORS}/totp"), &filled(&app.code(-1)));
        assert_eq!(shown.status, 200, "{shown:?}");
        assert_eq!(shown.header("cache-control"), ["no-store"]);
        assert_ne!(browser.cookie, before, "another session id");
        let codes = shown.body.split("<li><code>").skip(1);
        let recovery_codes: Vec<_> = codes
            .map(|rest| rest.split('<').next().unwrap().to_owned())
            .collect();
        assert_eq!(recovery_codes.len(), 10);
        SetUp {
            app,
            recovery_codes,
        }
    }

    /// Somebody who has typed their password and no more.
    pub fn half_signed_in(&self, who: &str) -> Browser {
        let mut browser = self.browser();
        let answer = browser.sign_in(&format!("{who}%40example.com"), TYPED);
        assert_eq!(answer.status, 303);
        let to = format!("{PROVE}?return=%2Fthings");
        assert_eq!(answer.header("location"), [to]);
        browser
    }

    /// As if their newest code had been taken long ago.
    async fn forget_codes(&self) {
        let mut owner = self.gateway.postgres.owner().await;
        let sql = "SET request.jwt.claim.role = 'gateway'; UPDATE totp SET last_step = 0";
        sqlx::raw_sql(sql).execute(&mut owner).await.unwrap();
    }
}

pub fn prove(browser: &mut Browser, code: &str) -> Answer {
    let token = token_of(&browser.go(PROVE));
    let form = format!("csrf_token={token}&return=%2Fthings%3Fpage%3D2&code={code}");
    browser.submit(PROVE, &form)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_is_asked_for_and_its_codes_are_good_for_once() {
    let bench = Bench::start().await;
    let mut here = bench.signed_in("editor");
    let mut there = bench.signed_in("editor");
    let SetUp { app, .. } = Bench::set_up(&mut here);
    until("the end of other sessions", || {
        there.go("/things").status == 303
    });
    assert_eq!(here.go("/things").status, 200);
    let received = bench.upstream.received();
    let received = received.last().unwrap();
    assert_eq!(received.header("x-portcullis-acr"), ["aal2"]);
    assert_eq!(received.header("x-portcullis-amr"), ["pwd,otp,mfa"]);
    let me = here.send("GET /.portcullis/api/v1/me", SCRIPT, "").json();
    assert_eq!(me["mfa_enabled"], true);
    let users = bench.gateway.cli(&["--json", "users", "list"]);
    let users: serde_json::Value = serde_json::from_str(&users).unwrap();
    let having = users.as_array().unwrap().iter();
    let having = having.filter(|user| user["mfa_enabled"] == true);
    let having: Vec<_> = having.map(|user| user["email"].as_str().unwrap()).collect();
    assert_eq!(having, ["editor@example.com"]);
    let event = bench.event("factor.added").await;
    assert_eq!(event["details"]["factor"], "totp");
    assert_eq!(event["details"]["sessions_ended"], 1);

    // Of two at once one is taken, and then none.
    let code = app.code(0);
    let mut browsers = [
        bench.half_signed_in("editor"),
        bench.half_signed_in("editor"),
    ];
    let statuses: Vec<_> = thread::scope(|scope| {
        let proving: Vec<_> = browsers
            .iter_mut()
            .map(|browser| scope.spawn(|| prove(browser, &code).status))
            .collect();
        proving.into_iter().map(|it| it.join().unwrap()).collect()
    });
    let mut sorted = statuses.clone();
    sorted.sort_unstable();
    assert_eq!(sorted, [303, 401], "{statuses:?}");
    let won = statuses.iter().position(|status| *status == 303).unwrap();
    assert_eq!(browsers[won].go("/things").status, 200);
    assert_eq!(browsers[1 - won].go("/things").status, 303);
    assert_eq!(
        prove(&mut bench.half_signed_in("editor"), &code).status,
        401
    );
    let event = bench.event("session.refused").await;
    assert_eq!(event["reason"], "second_factor_wrong");
    assert_eq!(event["actor_email"], "editor@example.com");
    // The next one is, and leads to where they wanted.
    let mut next = bench.half_signed_in("editor");
    let proved = prove(&mut next, &app.code(1));
    assert_eq!(proved.header("location"), ["/things?page=2"]);
    let event = bench.event("session.created").await;
    assert_eq!(event["details"]["second_factor"], "totp");
    assert_eq!(
        event["details"]["methods"],
        serde_json::json!(["pwd", "otp"])
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_alone_opens_nothing() {
    let bench = Bench::with_rules("sign_in: { max_concurrent_sessions: 1 }").await;
    let mut owner = bench.signed_in("editor");
    Bench::set_up(&mut owner);
    let mut half = bench.half_signed_in("editor");
    let before = bench.upstream.received().len();
    for line in [
        "GET /things",
        "GET /me",
        "GET /nowhere",
        "GET /.portcullis/account",
        "GET /.portcullis/account/factors",
        "GET /.portcullis/account/factors/totp",
        "GET /.portcullis/re-authenticate",
        "GET /.portcullis/api/v1/me",
        "GET /.portcullis/nowhere",
        "POST /things",
        "DELETE /things",
        "POST /.portcullis/account/password",
        "POST /.portcullis/re-authenticate",
        "POST /.portcullis/account/factors/totp",
        "POST /.portcullis/account/factors/totp/remove",
        "POST /.portcullis/account/factors/recovery-codes",
        "POST /.portcullis/account/factors/passkeys",
        "POST /.portcullis/account/factors/passkeys/question",
    ] {
        let refused = half.send(line, SCRIPT, "");
        assert_eq!(refused.status, 401, "{line}");
        assert_eq!(refused.json()["code"], "second_factor_required", "{line}");
        assert_eq!(
            refused.header("www-authenticate"),
            ["Bearer error=\"insufficient_user_authentication\", \
              error_description=\"a second factor is needed\", acr_values=\"aal2\""],
            "{line}"
        );
    }
    let away = half.go("/things?a=b");
    let to = "/.portcullis/second-factor?return=/things%3Fa=b";
    assert_eq!((away.status, away.header("location")), (303, vec![to]));
    assert_eq!(bench.upstream.received().len(), before);
    // On public routes they are nobody.
    assert_eq!(half.send("GET /open", SCRIPT, "").status, 200);
    let received = bench.upstream.received();
    let received = received.last().unwrap();
    assert_eq!(received.header("x-forwarded-user"), Vec::<&str>::new());
    // Nor does it end a session of who has both, or show among them.
    assert_eq!(owner.go("/things").status, 200);
    let sessions = bench
        .gateway
        .cli(&["--json", "sessions", "list", "editor@example.com"]);
    assert_eq!(sessions.matches("\"id\"").count(), 1, "{sessions}");
    // They can leave.
    let token = token_of(&half.go(PROVE));
    let out = half.submit("/.portcullis/sign-out", &format!("csrf_token={token}"));
    assert_eq!((out.status, half.cookie), (303, None));
}

#[tokio::test(flavor = "multi_thread")]
async fn guessing_codes_becomes_slow_wherever_from() {
    let bench = Bench::start().await;
    let mut owner = bench.signed_in("editor");
    let SetUp {
        app,
        recovery_codes,
    } = Bench::set_up(&mut owner);
    let mut right = bench.half_signed_in("editor");
    let mut wrong = bench.half_signed_in("editor");
    let statuses: Vec<_> = (0..7).map(|_| prove(&mut wrong, "000000").status).collect();
    assert_eq!(statuses[..5], [401; 5], "{statuses:?}");
    assert_eq!(statuses[6], 429, "{statuses:?}");
    // Whoever it is, and with whatever code: they wait.
    assert_eq!(prove(&mut right, &app.code(0)).status, 429);
    assert_eq!(prove(&mut right, &recovery_codes[0]).status, 429);
    // Who is signed in is not concerned, nor anybody else.
    assert_eq!(owner.go("/things").status, 200);
    bench.signed_in("viewer");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recovery_code_is_good_for_once() {
    let bench = Bench::start().await;
    let mut owner = bench.signed_in("editor");
    let SetUp { recovery_codes, .. } = Bench::set_up(&mut owner);
    let typed = recovery_codes[3].to_uppercase().replace('-', "+");
    let mut one = bench.half_signed_in("editor");
    let proved = prove(&mut one, &typed);
    assert_eq!(proved.status, 303, "{proved:?}");
    assert_eq!(one.go("/things").status, 200);
    let event = bench.event("session.created").await;
    assert_eq!(event["details"]["second_factor"], "recovery_code");
    let mut again = bench.half_signed_in("editor");
    assert_eq!(prove(&mut again, &typed).status, 401);
    // New ones take the place of all.
    let page = one.go(FACTORS);
    assert!(page.body.contains("<p>9 left."), "{}", page.body);
    let path = format!("{FACTORS}/recovery-codes");
    let form = format!("csrf_token={}", token_of(&page));
    assert_eq!(one.submit(&path, "csrf_token=0").status, 403);
    let shown = one.submit(&path, &form);
    assert_eq!(shown.body.matches("<li><code>").count(), 10);
    assert_eq!(prove(&mut again, &recovery_codes[4]).status, 401);
    let (_, code) = shown.body.split_once("<li><code>").unwrap();
    let code = code.split('<').next().unwrap();
    assert_eq!(prove(&mut again, code).status, 303);
}

#[tokio::test(flavor = "multi_thread")]
async fn where_two_factors_are_required_who_has_none_sets_one_up() {
    let bench = Bench::with_rules("sign_in: { mfa: required }").await;
    let mut editor = bench.signed_in("editor");
    let away = editor.go("/things");
    let to = "/.portcullis/second-factor?return=/things";
    assert_eq!((away.status, away.header("location")), (303, vec![to]));
    assert_eq!(editor.go(to).header("location"), [FACTORS]);
    let refused = editor.send("POST /things", SCRIPT, "a=b");
    assert_eq!(refused.json()["code"], "second_factor_required");
    assert_eq!(
        editor.send("GET /.portcullis/api/v1/me", SCRIPT, "").status,
        401
    );
    // Who may not do it at all is not asked for one, and a key is of no factors.
    let mut viewer = bench.signed_in("viewer");
    assert_eq!(viewer.send("POST /things", SCRIPT, "a=b").status, 403);
    let by_key = bench
        .gateway
        .request("POST", "/things", &bench.keys.editor, "");
    assert_eq!(by_key.status, 200);
    assert_eq!(editor.go(FACTORS).status, 200);
    Bench::set_up(&mut editor);
    assert_eq!(editor.go("/things").status, 200);
    assert_eq!(editor.send("POST /things", SCRIPT, "a=b").status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_way_leads_around_it() {
    let rules = "sign_in: { sensitive_operations: [dataset.created] }";
    let bench = Bench::with_rules(rules).await;
    let mut owner = bench.signed_in("editor");
    let SetUp { app, .. } = Bench::set_up(&mut owner);
    // Another password, and the second factor is still proved.
    let new = "another+good+password";
    let token = token_of(&owner.go("/.portcullis/account"));
    let form = format!("csrf_token={token}&current={TYPED}&new={new}&again={new}");
    let changed = owner.submit("/.portcullis/account/password", &form);
    assert_eq!(changed.status, 303, "{changed:?}");
    assert_eq!(owner.go("/things").status, 200);
    let received = bench.upstream.received();
    assert_eq!(
        received.last().unwrap().header("x-portcullis-amr"),
        ["pwd,otp,mfa"]
    );
    // Proving anew who they are takes both.
    let page = "/.portcullis/re-authenticate";
    let token = token_of(&owner.go(page));
    let form = format!("csrf_token={token}&password={new}&return=%2Fthings");
    let renewed = owner.submit(page, &form);
    let to = format!("{PROVE}?return=%2Fthings");
    assert_eq!(renewed.header("location"), [to]);
    assert_eq!(owner.send("GET /things", SCRIPT, "").status, 401);
    assert_eq!(prove(&mut owner, &app.code(0)).status, 303);
    // A form that waits for it waits for both.
    let asks = owner.submit(&format!("{page}/form?return=/things"), "a=b");
    let form = format!(
        "csrf_token={}&password={new}&kept={}",
        token_of(&asks),
        field(&asks, "kept")
    );
    let asks = owner.submit(page, &form);
    assert_eq!(asks.status, 200, "{asks:?}");
    assert_eq!(owner.send("GET /things", SCRIPT, "").status, 401);
    let form = format!(
        "csrf_token={}&code={}&kept={}",
        token_of(&asks),
        app.code(1),
        field(&asks, "kept")
    );
    let offered = owner.submit(PROVE, &form);
    assert!(offered.body.contains("action=\"/things\""), "{offered:?}");
    assert_eq!(owner.go("/things").status, 200);
    // Taking it away takes a recent sign-in, and a form of ours.
    bench.let_sessions_age().await;
    let remove = format!("{FACTORS}/totp/remove");
    until("the age to be felt", || {
        owner.send(&format!("POST {remove}"), SCRIPT, "a=b").status == 401
    });
    let form = format!("csrf_token={}", token_of(&owner.go(FACTORS)));
    let away = owner.submit(&remove, &form);
    assert!(away.header("location")[0].starts_with(page), "{away:?}");
    assert!(owner.go(&format!("{FACTORS}/totp")).header("location")[0].starts_with(page));
    let token = token_of(&owner.go(page));
    owner.submit(page, &format!("csrf_token={token}&password={new}"));
    bench.forget_codes().await;
    assert_eq!(prove(&mut owner, &app.code(0)).status, 303);
    assert_eq!(owner.submit(&remove, "csrf_token=0").status, 403);
    let foreign = "Sec-Fetch-Site: cross-site\r\n";
    let form = format!("csrf_token={}", token_of(&owner.go(FACTORS)));
    let refused = owner.send(&format!("POST {remove}"), foreign, &form);
    assert_eq!(refused.status, 403);
    assert_eq!(owner.submit(&remove, &form).status, 303);
    let event = bench.event("factor.removed").await;
    assert_eq!(event["actor_email"], "editor@example.com");
    let mut plain = bench.browser();
    let signed_in = plain.sign_in("editor%40example.com", new);
    assert_eq!(signed_in.header("location"), ["/things"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proposal_is_one_session_s_and_a_code_s_proof_too() {
    let bench = Bench::start().await;
    let mut editor = bench.signed_in("editor");
    let mut viewer = bench.signed_in("viewer");
    let form = editor.go(&format!("{FACTORS}/totp"));
    let app = App::read_from(&form);
    let (_, sealed) = form.body.split_once("name=\"sealed\" value=\"").unwrap();
    let sealed = sealed.split('"').next().unwrap();
    let token = token_of(&viewer.go(&format!("{FACTORS}/totp")));
    let stolen = format!("csrf_token={token}&sealed={sealed}&code={}", app.code(0));
    assert_eq!(
        viewer.submit(&format!("{FACTORS}/totp"), &stolen).status,
        401
    );
    assert!(viewer.go(FACTORS).body.contains("Set up an authenticator"));
    // A proof of one's own does not complete another's sign-in.
    let SetUp {
        app,
        recovery_codes,
    } = Bench::set_up(&mut editor);
    Bench::set_up(&mut viewer);
    let mut half = bench.half_signed_in("viewer");
    assert_eq!(prove(&mut half, &app.code(0)).status, 401);
    assert_eq!(prove(&mut half, &recovery_codes[0]).status, 401);
    // Nor does a token of another session's form.
    let token = token_of(&bench.half_signed_in("viewer").go(PROVE));
    let form = format!("csrf_token={token}&code={}", recovery_codes[0]);
    assert_eq!(half.submit(PROVE, &form).status, 403);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_administrator_helps_who_has_lost_theirs() {
    let bench = Bench::start().await;
    let mut owner = bench.signed_in("editor");
    Bench::set_up(&mut owner);
    let done = bench
        .gateway
        .cli(&["users", "reset-factors", "editor@example.com"]);
    assert!(done.contains("by password alone (1 removed)"), "{done}");
    until("the end of sessions", || owner.go("/things").status == 303);
    bench.signed_in("editor");
    let events = bench
        .gateway
        .cli(&["--json", "audit", "query", "--event", "factors.reset"]);
    assert!(events.contains("editor@example.com"), "{events}");
}

#[tokio::test(flavor = "multi_thread")]
async fn where_they_are_off_nobody_has_one() {
    let bench = Bench::start().await;
    let mut owner = bench.signed_in("editor");
    Bench::set_up(&mut owner);
    bench.half_signed_in("editor");
    let text = bench.rules("sign_in: { mfa: off }");
    let mut replica = bench.gateway.replica(&text);
    replica.launch();
    let mut browser = Browser::new(replica.public());
    let answer = browser.sign_in("editor%40example.com", TYPED);
    assert_eq!(answer.header("location"), ["/things"]);
    assert_eq!(browser.go(FACTORS).status, 404);
    // Two factors were not proved there, and no place that asks for them believes it.
    let mut there = bench.with(browser.cookie);
    assert_eq!(there.go("/strong").status, 403);
    assert_eq!(owner.go("/strong").status, 200);
    let key = &bench.keys.editor;
    assert_eq!(bench.gateway.get("/strong", key).status, 403);
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_are_under_a_key_that_is_not_in_the_database() {
    const FIRST: &str = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";
    const SECOND: &str = "AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI=";
    let mut bench = Bench::start().await;
    let mut owner = bench.signed_in("editor");
    let SetUp { app, .. } = Bench::set_up(&mut owner);
    let sealed = async |bench: &Bench| {
        let mut owner = bench.gateway.postgres.owner().await;
        let ask = "SELECT set_config('request.jwt.claim.role', 'gateway', false)";
        sqlx::query(ask).execute(&mut owner).await.unwrap();
        let found = sqlx::query_scalar::<_, Vec<u8>>("SELECT sealed FROM totp");
        found.fetch_one(&mut owner).await.unwrap()
    };
    let under = |keys: &str| format!("sign_in: {{ secrets: {{ {keys} }} }}");
    let before = sealed(&bench).await;
    // From none to a key, and from that to another: what is used is sealed anew.
    for (step, keys) in [
        (0, format!("key: {FIRST}")),
        (1, format!("key: {SECOND}, former: [ {FIRST} ]")),
    ] {
        let text = bench.rules(&under(&keys));
        bench.gateway.stop();
        bench.gateway.configure(&text);
        bench.gateway.launch();
        let mut half = bench.half_signed_in("editor");
        let was = sealed(&bench).await;
        assert_eq!(prove(&mut half, "000000").status, 401, "{keys}");
        assert_eq!(sealed(&bench).await, was, "by what proves nothing");
        assert_eq!(prove(&mut half, &app.code(step)).status, 303, "{keys}");
        assert_ne!(sealed(&bench).await, was, "{keys}");
    }
    assert_ne!(sealed(&bench).await, before);
    // Without the key nobody is let in by half of what they have.
    let text = bench.rules(&under(&format!("key: {FIRST}")));
    bench.gateway.stop();
    bench.gateway.configure(&text);
    bench.gateway.launch();
    let mut half = bench.half_signed_in("editor");
    assert_eq!(prove(&mut half, &app.code(1)).status, 503);
    until("the log to say why", || {
        bench.gateway.log().contains("sign_in.secrets")
    });
}

/// What a browser cannot have sent.
#[tokio::test(flavor = "multi_thread")]
async fn answers_to_nothing_prove_nothing() {
    let bench = Bench::with_rules("sign_in: { public_url: \"http://localhost:1\" }").await;
    let mut owner = bench.signed_in("editor");
    Bench::set_up(&mut owner);
    let nil = uuid::Uuid::nil();
    for form in [
        "code=".to_owned(),
        "credential=%7B%7D".to_owned(),
        format!("ceremony={nil}&credential=%7B%7D"),
        format!("ceremony=x&credential={}", "a".repeat(8000)),
    ] {
        let sent = bench
            .browser()
            .submit("/.portcullis/sign-in/passkey", &form);
        assert_eq!(sent.status, 401, "{form}");
        let mut half = bench.half_signed_in("editor");
        let token = token_of(&half.go(PROVE));
        let sent = half.submit(PROVE, &format!("csrf_token={token}&{form}"));
        assert!([401, 429].contains(&sent.status), "{form}");
        assert_eq!(half.send("GET /things", SCRIPT, "").status, 401, "{form}");
    }
    let foreign = "Sec-Fetch-Site: cross-site\r\n";
    for path in ["", "/question"] {
        let line = format!("POST /.portcullis/sign-in/passkey{path}");
        assert_eq!(bench.browser().send(&line, foreign, "a=b").status, 403);
    }
    let asked = bench.browser().send(
        "POST /.portcullis/sign-in/passkey/question",
        OWN_PAGE,
        "a=b",
    );
    let asked = asked.json();
    assert_eq!(asked["options"]["rpId"], "localhost");
    assert_eq!(asked["options"]["userVerification"], "required");
    let form = format!(
        "ceremony={}&credential=%7B%7D",
        asked["ceremony"].as_str().unwrap()
    );
    let sent = bench
        .browser()
        .submit("/.portcullis/sign-in/passkey", &form);
    assert_eq!(sent.status, 401);
    let event = bench.event("session.refused").await;
    assert_eq!(event["reason"], "passkey_wrong");
}
