//! Mail: into files, and to a real server.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use super::{Bench, PASSWORD, TYPED};
use crate::support::browser::Browser;
use crate::support::certificates::{Pair, Request};
use crate::support::from_environment;
use crate::support::gateway::until;
use crate::support::raw::Answer;

const SERVER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/e2e/smtp_server.py");
const PAGE: &str = "/.portcullis/forgotten-password";

fn rules(way: &str) -> String {
    format!(
        "sign_in:\n  public_url: \"http://gw.example\"\n  mail: {{ from: no-reply@example.com, {way} }}"
    )
}

/// A server that takes mail, as long as this lives.
struct Post {
    server: Child,
    port: u16,
    kept: TempDir,
}

impl Post {
    fn open(mode: &str, pair: Option<&Pair>) -> Self {
        let kept = TempDir::new().unwrap();
        let mut command = Command::new(from_environment("PORTCULLIS_TEST_CLIENTS"));
        command.args([SERVER, mode]).arg(kept.path());
        if let Some(pair) = pair {
            let (certificate, key) = (kept.path().join("c.pem"), kept.path().join("k.pem"));
            fs::write(&certificate, pair.certificate.to_pem().unwrap()).unwrap();
            fs::write(&key, pair.key.private_key_to_pem_pkcs8().unwrap()).unwrap();
            command.args([certificate, key]);
        }
        let mut server = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let mut told = BufReader::new(server.stdout.take().unwrap());
        told.read_line(&mut line).unwrap();
        let port = line.trim().parse().expect("a port");
        Self { server, port, kept }
    }

    fn letters(&self) -> Vec<String> {
        letters(self.kept.path())
    }
}

impl Drop for Post {
    fn drop(&mut self) {
        drop(self.server.stdin.take());
        let _ = self.server.wait();
    }
}

/// The letters in a directory, the oldest first.
fn letters(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let mut paths: Vec<_> = entries
        .filter(|path| path.extension().is_some_and(|it| it == "eml"))
        .collect();
    paths.sort();
    paths
        .iter()
        .map(|path| fs::read_to_string(path).unwrap())
        .collect()
}

/// The path and query of the link in a letter, however its lines are broken.
fn link_in(letter: &str) -> String {
    let whole = letter
        .replace("=\r\n", "")
        .replace("=\n", "")
        .replace("=3D", "=");
    let (_, rest) = whole.split_once("http://gw.example/.portcullis").unwrap();
    let rest = if rest.starts_with("/set") {
        rest
    } else {
        rest.split_once("http://gw.example/.portcullis").unwrap().1
    };
    let link: String = rest.chars().take_while(|c| !c.is_whitespace()).collect();
    format!("/.portcullis{link}")
}

fn ask(browser: &mut Browser, who: &str) -> Answer {
    browser.submit(PAGE, &format!("email={who}%40example.com"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forgotten_password_leads_to_a_letter_and_tells_nobody_who_is_there() {
    let kept = TempDir::new().unwrap();
    let bench = Bench::with_rules(&rules(&format!("file: {}", kept.path().display()))).await;
    let mut browser = bench.browser();
    assert!(browser.go("/.portcullis/sign-in").body.contains(PAGE));
    assert_eq!(browser.go(PAGE).status, 200);
    let known = ask(&mut browser, "viewer");
    assert_eq!(known.status, 200, "{known:?}");
    until("a letter", || letters(kept.path()).len() == 1);
    bench
        .gateway
        .cli(&["users", "disable", "editor@example.com"]);
    for other in ["nobody", "editor"] {
        let answer = ask(&mut browser, other);
        assert_eq!((answer.status, &answer.body), (200, &known.body), "{other}");
    }
    // They are served in turn: what follows was asked for after.
    assert_eq!(ask(&mut browser, "owner").body, known.body);
    until("another letter", || letters(kept.path()).len() == 2);
    let all = letters(kept.path());
    assert!(all[0].contains("To: viewer@example.com"), "{}", all[0]);
    assert!(all[0].contains("From: Portcullis <no-reply@example.com>"));
    assert!(all[1].contains("To: owner@example.com"), "{}", all[1]);
    for entry in fs::read_dir(kept.path()).unwrap() {
        let mode = entry.unwrap().metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    let link = link_in(&all[0]);
    assert_eq!(browser.go(&link).status, 200, "{link}");
    let token = link.split_once("token=").unwrap().1;
    let form = format!("token={token}&new=another+good+password&again=another+good+password");
    assert_eq!(
        browser.submit("/.portcullis/set-password", &form).status,
        303
    );
    let signed_in = browser.sign_in("viewer%40example.com", "another+good+password");
    assert_eq!(signed_in.status, 303);
    // Nobody's mailbox is filled, nor is one network's patience without end.
    let mut last = 0;
    for _ in 0..6 {
        last = ask(&mut bench.browser(), "viewer").status;
    }
    assert_eq!(last, 429);
    assert_eq!(ask(&mut bench.browser(), "churner").status, 200);
    until("the last letter", || {
        letters(kept.path())
            .last()
            .unwrap()
            .contains("To: churner@")
    });
    let to_viewer = letters(kept.path());
    let to_viewer = to_viewer.iter().filter(|it| it.contains("To: viewer@"));
    assert_eq!(to_viewer.count(), 3);
    let foreign = "Sec-Fetch-Site: cross-site\r\n";
    let sent = browser.send(&format!("POST {PAGE}"), foreign, "email=a%40example.com");
    assert_eq!(sent.status, 403);
    // An invitation goes the same way.
    let told = bench.gateway.cli(&["users", "invite", "new@example.com"]);
    assert_eq!(told, "sent a link to new@example.com");
    let all = letters(kept.path());
    let invitation = all.last().unwrap();
    assert!(invitation.contains("To: new@example.com"), "{invitation}");
    assert_eq!(bench.browser().go(&link_in(invitation)).status, 200);
    let printed = ["users", "invite", "new@example.com", "--print"];
    assert!(
        bench
            .gateway
            .cli(&printed)
            .contains("/.portcullis/set-password?token=")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_gets_letters_over_tls_that_it_proves_to_be_its_own() {
    let authority = Pair::authority("post");
    let pair = authority.issue(&Request::server(&["localhost"]));
    let ca = TempDir::new().unwrap();
    let ca_file = ca.path().join("ca.pem");
    fs::write(&ca_file, authority.certificate.to_pem().unwrap()).unwrap();
    let smtp = |port: u16, tls: &str, password: &str, ca: bool| {
        let ca = if ca {
            format!(", ca_file: {}", ca_file.display())
        } else {
            String::new()
        };
        rules(&format!(
            "smtp: {{ host: localhost, port: {port}, tls: {tls}, username: ann, \
             password: \"{password}\"{ca} }}"
        ))
    };
    let right = "let me in";
    for tls in ["required", "implicit"] {
        let post = Post::open(tls, Some(&pair));
        let bench = Bench::with_rules(&smtp(post.port, tls, right, true)).await;
        assert_eq!(ask(&mut bench.browser(), "viewer").status, 200);
        until("a letter", || post.letters().len() == 1);
        let link = link_in(&post.letters()[0]);
        assert_eq!(bench.browser().go(&link).status, 200, "{link}");
        // One that cannot prove who it is, or does not know us, gets none.
        for (what, text) in [
            ("a stranger", smtp(post.port, tls, right, false)),
            ("a wrong password", smtp(post.port, tls, "wrong", true)),
        ] {
            bench.gateway.configure(&bench.rules(&text));
            let (code, _) = bench
                .gateway
                .cli_code(&["users", "invite", "new@example.com"]);
            assert_eq!(code, 1, "{what}");
        }
        assert_eq!(post.letters().len(), 1);
    }
    // Nor one that offers no TLS where it is required.
    let plain = Post::open("none", None);
    let bench = Bench::with_rules(&smtp(plain.port, "required", right, true)).await;
    let (code, _) = bench
        .gateway
        .cli_code(&["users", "invite", "new@example.com"]);
    assert_eq!(code, 1);
    assert_eq!(plain.letters().len(), 0);
}

/// It is tried three times, within half a minute.
#[tokio::test(flavor = "multi_thread")]
async fn a_letter_that_is_not_sent_leaves_its_event() {
    let closed = Post::open("none", None).port;
    let way = format!("smtp: {{ host: 127.0.0.1, port: {closed}, tls: none }}");
    let bench = Bench::with_rules(&rules(&way)).await;
    assert_eq!(ask(&mut bench.browser(), "viewer").status, 200);
    let failed = || {
        let args = ["--json", "audit", "query", "--event", "mail.failed"];
        bench.gateway.cli(&args)
    };
    until("the failure", || failed().contains("\"why\""));
    // Signing in goes on meanwhile.
    bench
        .gateway
        .cli_told(&["users", "set-password", "viewer@example.com"], PASSWORD);
    let answer = bench.browser().sign_in("viewer%40example.com", TYPED);
    assert_eq!(answer.status, 303);
}
