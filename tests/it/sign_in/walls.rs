//! What holds for every page and every form.

use super::{Bench, PASSWORD, TYPED};
use crate::support::browser::{Browser, DOCUMENT, NAVIGATION, OWN_PAGE, token_of};
use crate::support::raw::Answer;

const POLICY: &str = "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; \
                      base-uri 'none'; frame-ancestors 'none'";
const SCRIPT: &str = "<script src=\"/.portcullis/assets/passkeys.js\" defer></script>";
const ACCOUNT: &str = "/.portcullis/account";
/// Every page that a GET shows to somebody signed in.
const PAGES: [&str; 8] = [
    ACCOUNT,
    "/.portcullis/account/keys",
    "/.portcullis/account/sessions",
    "/.portcullis/account/password",
    "/.portcullis/re-authenticate",
    "/.portcullis/account/factors",
    "/.portcullis/account/factors/totp",
    "/.portcullis/account/project",
];
/// Where nobody stays who has nothing to prove.
const PASSED: &str = "/.portcullis/second-factor";
/// More forms of theirs, and of their script; what they do is tested elsewhere.
const OTHERS: [&str; 8] = [
    PASSED,
    "/.portcullis/second-factor/passkey",
    "/.portcullis/account/factors/recovery-codes",
    "/.portcullis/account/factors/totp",
    "/.portcullis/account/factors/totp/remove",
    "/.portcullis/account/factors/passkeys",
    "/.portcullis/account/factors/passkeys/question",
    "/.portcullis/account/factors/passkeys/{passkey}/remove",
];
/// Keeps the form of any page of the site, has no token itself, and changes nothing.
const KEEPS: &str = "/.portcullis/re-authenticate/form";
/// Every form of somebody signed in, and what it holds beside its token.
const FORMS: [(&str, &str); 7] = [
    (
        "/.portcullis/account/keys",
        "once=1&name=x&project=acme%2Ffraud&days=",
    ),
    (
        "/.portcullis/account/project",
        "project=acme%2Ffraud&return=/things",
    ),
    ("/.portcullis/account/keys/{key}/revoke", "a=b"),
    ("/.portcullis/account/sessions/{session}/end", "a=b"),
    (
        "/.portcullis/account/password",
        "current=correct+horse+battery&new=another+good+password&again=another+good+password",
    ),
    (
        "/.portcullis/re-authenticate",
        "password=correct+horse+battery&return=/things",
    ),
    ("/.portcullis/sign-out", "a=b"),
];

pub fn is_walled(page: &Answer, what: &str) {
    let referrer = page.header("referrer-policy");
    assert!(
        ["same-origin", "strict-origin"].contains(&referrer[0]),
        "{what}"
    );
    let policy = page.header("content-security-policy");
    // The one script, on pages that use passkeys.
    let body = page.body.replace(SCRIPT, "");
    if body.len() == page.body.len() {
        assert_eq!(policy, [POLICY], "{what}");
    } else {
        let scripted = format!("{POLICY}; script-src 'self'; connect-src 'self'");
        assert_eq!(policy, [scripted], "{what}");
    }
    for (name, value) in [
        ("cache-control", "no-store"),
        ("x-content-type-options", "nosniff"),
        ("x-frame-options", "DENY"),
        ("cross-origin-opener-policy", "same-origin"),
        ("content-type", "text/html; charset=utf-8"),
    ] {
        assert_eq!(page.header(name), [value], "{what}");
    }
    for forbidden in [
        "<script",
        " style=",
        "javascript:",
        " onclick",
        "=\"http:",
        "=\"https:",
        "=\"//",
    ] {
        // The name of SVG is no address.
        let body = body.replace("xmlns=\"http://www.w3.org/2000/svg\"", "");
        assert!(!body.contains(forbidden), "{what}: {forbidden}: {body}");
    }
}

/// The routes of the pages, by their presets: none is forgotten here.
#[test]
fn the_walk_knows_every_route() {
    let preset = include_str!("../../../config/presets/sign-in.yaml");
    for line in preset.lines().filter(|line| line.contains("route: ")) {
        let (_, route) = line.split_once("route: ").unwrap();
        let route = route.split(',').next().unwrap();
        let (method, path) = route.split_once(' ').unwrap();
        let starts = [
            "/.portcullis/sign-in",
            "/.portcullis/set-password",
            "/.portcullis/forgotten-password",
            "/.portcullis/callback/",
            "/.portcullis/saml/",
        ];
        let anonymous =
            starts.iter().any(|start| path.starts_with(start)) || path.contains("/assets/");
        let mut forms = FORMS.iter().map(|(form, _)| *form).chain(OTHERS);
        let known = if method == "GET" {
            PAGES.contains(&path) || path == PASSED
        } else {
            forms.any(|form| form == path) || path == KEEPS
        };
        assert!(known || anonymous, "{route} is in no walk");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_page_is_walled_in() {
    let bench = Bench::start().await;
    let mut nobody = bench.browser();
    let style = nobody.go("/.portcullis/assets/portcullis.css");
    assert_eq!(style.header("x-content-type-options"), ["nosniff"]);
    assert!(style.body.len() < 8 << 10, "small enough to be loaded once");
    assert!(!style.body.contains("url("), "loads nothing");
    is_walled(&nobody.go("/.portcullis/sign-in?return=/things"), "sign-in");
    is_walled(&nobody.sign_in("nobody%40example.com", TYPED), "wrong");
    is_walled(&nobody.go("/.portcullis/callback/x?state=a"), "no provider");
    is_walled(&nobody.go("/.portcullis/sign-in/with/x"), "no provider");
    is_walled(&nobody.go("/.portcullis/saml/x/metadata"), "no provider");
    is_walled(
        &nobody.go("/.portcullis/saml/x/slo?SAMLRequest=x"),
        "no provider",
    );
    let foreign = "Sec-Fetch-Site: cross-site\r\n";
    let refused = nobody.send("POST /.portcullis/sign-in", foreign, "email=a&password=b");
    is_walled(&refused, "a foreign form");
    is_walled(&nobody.go("/.portcullis/account/../x"), "400");
    let mut viewer = bench.signed_in("viewer");
    for path in PAGES {
        let page = viewer.go(path);
        assert_eq!(page.status, 200, "{path}");
        is_walled(&page, path);
    }
    let token = token_of(&viewer.go(ACCOUNT));
    for path in ["/nothing", "/.portcullis/nothing"] {
        is_walled(&viewer.send(&format!("GET {path}"), DOCUMENT, ""), path);
    }
    // Refused by the control plane.
    for (path, rest) in [
        (FORMS[0].0, "once=1&name=&project=acme%2Ffraud&days="),
        (FORMS[3].0, "current=x&new=y&again=z"),
        (FORMS[4].0, "password=wrong+horse+battery"),
        ("/.portcullis/account/keys/000000000000/revoke", ""),
        ("/.portcullis/account/sessions/nonsense/end", ""),
        // Refused before anybody looks at it.
        (FORMS[3].0, "current=x"),
        (FORMS[0].0, "%"),
    ] {
        let answer = viewer.submit(path, &format!("csrf_token={token}&{rest}"));
        assert!(answer.status >= 400, "{path}");
        is_walled(&answer, path);
    }
    let empty = viewer.submit(FORMS[5].0, "");
    assert_eq!(empty.status, 415);
    is_walled(&empty, "no form");
    let made = viewer.submit(FORMS[0].0, &format!("csrf_token={token}&{}", FORMS[0].1));
    assert_eq!(made.status, 201);
    is_walled(&made, "a new key");
    for path in PAGES {
        let answer = bench.gateway.get(path, &bench.keys.viewer);
        assert_eq!(answer.status, 403, "{path}");
        is_walled(&answer, path);
    }
}

/// The paths with the ids of a key and of another session of theirs.
fn path(form: &str, key: &str, session: &str) -> String {
    form.replace("{key}", key).replace("{session}", session)
}

fn id_in(page: &Answer, before: &str) -> String {
    let (_, rest) = page.body.split_once(before).unwrap();
    rest.split('/').next().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn class_40_no_form_works_but_from_its_own_page() {
    let bench = Bench::start().await;
    let mut viewer = bench.signed_in("viewer");
    let mut other = bench.signed_in("viewer");
    let mut editor = bench.signed_in("editor");
    let own = token_of(&viewer.go(ACCOUNT));
    let key = id_in(&viewer.go(PAGES[1]), "account/keys/");
    let session = id_in(&viewer.go(PAGES[2]), "account/sessions/");
    let tokens = [
        String::new(),
        "csrf_token=&".to_owned(),
        format!("csrf_token={}&", "0".repeat(own.len())),
        format!("csrf_token={}&", token_of(&editor.go(ACCOUNT))),
        // That of another session of the same person.
        format!("csrf_token={}&", token_of(&other.go(ACCOUNT))),
    ];
    let unchanged = |viewer: &mut Browser, other: &mut Browser, what: &str| {
        assert_eq!(viewer.send("GET /things", "", "").status, 200, "{what}");
        assert_eq!(other.send("GET /things", "", "").status, 200, "{what}");
        let listed = viewer.go(PAGES[1]);
        assert_eq!(listed.body.matches("/revoke\"").count(), 1, "{what}");
    };
    for (form, rest) in FORMS {
        let path = path(form, &key, &session);
        let cookie = viewer.cookie.clone();
        for token in &tokens {
            let answer = viewer.submit(&path, &format!("{token}{rest}"));
            assert_eq!(answer.status, 403, "{path} {token}");
            assert_eq!(viewer.cookie, cookie, "{path}");
        }
        for from in [
            "Sec-Fetch-Site: cross-site\r\n",
            "Sec-Fetch-Site: same-site\r\n",
            "Sec-Fetch-Site: none\r\n",
            "Origin: http://evil.example\r\n",
            "Origin: null\r\n",
            "",
        ] {
            let line = format!("POST {path}");
            let sent = format!("csrf_token={own}&{rest}");
            let answer = viewer.send(&line, &format!("{NAVIGATION}{from}"), &sent);
            assert_eq!(answer.status, 403, "{path} {from}");
            assert_eq!(viewer.cookie, cookie, "{path} {from}");
        }
        unchanged(&mut viewer, &mut other, &path);
    }
    for form in OTHERS {
        let path = form.replace("{passkey}", "00000000-0000-4000-8000-000000000000");
        for token in &tokens {
            let answer = viewer.submit(&path, &format!("{token}sealed=a&code=1&name=x"));
            assert_eq!(answer.status, 403, "{path} {token}");
        }
    }
    for form in OTHERS.into_iter().chain([KEEPS]) {
        let line = format!("POST {}", form.replace("{passkey}", "x"));
        let sent = format!("csrf_token={own}&sealed=a&code=1&name=x");
        let foreign = format!("{NAVIGATION}Sec-Fetch-Site: cross-site\r\n");
        assert_eq!(viewer.send(&line, &foreign, &sent).status, 403, "{line}");
    }
    // Each works where it should; the last ones end the session.
    for (form, rest) in FORMS {
        let mut again = bench.signed_in("viewer");
        let (token, path) = (token_of(&again.go(ACCOUNT)), path(form, &key, &session));
        let answer = again.submit(&path, &format!("csrf_token={token}&{rest}"));
        assert!([201, 303].contains(&answer.status), "{path}: {answer:?}");
        if form.ends_with("/password") {
            let email = "viewer@example.com";
            bench
                .gateway
                .cli_told(&["users", "set-password", email], PASSWORD);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_strangers_named_is_text_on_every_page() {
    let bench = Bench::start().await;
    let evil = "<script>alert(1)</script>\"'\u{202e}x";
    let mail = "ann.o'neill@example.com";
    let cli = |args: &[&str]| bench.gateway.cli(args);
    cli(&["users", "create", mail, "--name", evil]);
    bench
        .gateway
        .cli_told(&["users", "set-password", mail], PASSWORD);
    let project = ["projects", "create", "acme/evil", "--owner", mail];
    cli(&[&project[..], &["--name", evil]].concat());
    let key = ["keys", "create", "--principal", mail, "--description", evil];
    cli(&key);
    let mut ann = bench.browser();
    let form = format!("email=ann.o%27neill%40example.com&password={TYPED}&return=%2Fthings");
    let agent = format!("{NAVIGATION}{OWN_PAGE}User-Agent: <script>alert(2)</script>\"'\r\n");
    let signed_in = ann.send("POST /.portcullis/sign-in", &agent, &form);
    assert_eq!(signed_in.status, 303, "{signed_in:?}");
    let escaped = "&#60;script&#62;alert(1)&#60;/script&#62;&#34;&#39;\\u{202e}x";
    for (path, shows) in [
        (ACCOUNT, escaped),
        (PAGES[1], escaped),
        (
            PAGES[2],
            "&#60;script&#62;alert(2)&#60;/script&#62;&#34;&#39;",
        ),
        (PAGES[3], "ann.o&#39;neill@example.com"),
        (PAGES[4], "ann.o&#39;neill@example.com"),
        (PAGES[7], escaped),
    ] {
        let page = ann.go(path);
        assert_eq!(page.status, 200, "{path}");
        is_walled(&page, path);
        assert!(page.body.contains(shows), "{path}: {}", page.body);
        for raw in ["<script>", "o'neill", "alert(1)</script", "\u{202e}"] {
            assert!(!page.body.contains(raw), "{path}: {raw}");
        }
    }
    // What was typed comes back as text, too.
    let typed = format!("email=%22%3E%3Cscript%3E&password={TYPED}&return=%2F%22%3E%3Cb%3E");
    let again = bench.browser().submit("/.portcullis/sign-in", &typed);
    assert_eq!(again.status, 401);
    is_walled(&again, "sign-in");
    assert!(
        again.body.contains("&#34;&#62;&#60;script&#62;"),
        "{}",
        again.body
    );
}
