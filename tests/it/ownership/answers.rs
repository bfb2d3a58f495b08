//! Held answers: of every shape, late, long, broken, and never asked for twice.

use std::io::Write as _;
use std::time::Duration;

use super::{ROUTES, TYPES};
use crate::support::gateway::{Keys, TestGateway, until};
use crate::support::upstream::{Received, Upstream, respond};

const BODY: &str = r#"{"id":"mine","datasets":[]}"#;

/// What a backend says after it has read a request, byte for byte.
fn answer(way: &str) -> Vec<u8> {
    let length = BODY.len();
    match way {
        "chunked" => format!(
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{}\r\n{:x}\r\n{}\r\n0\r\n\r\n",
            &BODY[..5],
            length - 5,
            &BODY[5..]
        ),
        "close" => format!("HTTP/1.1 200 OK\r\n\r\n{BODY}"),
        "interim" => format!(
            "HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{BODY}"
        ),
        "short" => format!("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{BODY}"),
        "long" => format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", 9 << 20),
        "unknown_coding" => {
            format!("HTTP/1.1 200 OK\r\nContent-Encoding: br\r\nContent-Length: {length}\r\n\r\n{BODY}")
        }
        "no_gzip" => {
            format!("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {length}\r\n\r\n{BODY}")
        }
        "garbage" => "SSH-2.0-OpenSSH\r\n".to_owned(),
        "empty" => "HTTP/1.1 204 No Content\r\n\r\n".to_owned(),
        _ => format!("HTTP/1.1 200 OK\r\nETag: \"1\"\r\nContent-Length: {length}\r\n\r\n{BODY}"),
    }
    .into_bytes()
}

/// Behaves as the request's `way` says, in its query.
fn behave(request: &Received, stream: &mut std::net::TcpStream) -> std::io::Result<()> {
    let line = request.line().to_owned();
    let way = line.split(['=', ' ']).nth(2).unwrap_or_default();
    if way == "silent" {
        std::thread::sleep(Duration::from_secs(30));
    }
    stream.write_all(&answer(way))?;
    match way {
        "close" | "short" | "garbage" => Err(std::io::ErrorKind::BrokenPipe.into()),
        _ => Ok(()),
    }
}

async fn start(upstream: &Upstream) -> (TestGateway, Keys) {
    let config = crate::support::gateway::yaml(upstream.address(), ROUTES);
    let config = config.replace("\" }\nroutes", "\", timeouts: { read: 1s } }\nroutes");
    let gateway = TestGateway::start(&format!("{}{config}", TYPES.trim_start())).await;
    let keys = gateway.seed();
    (gateway, keys)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_shape_of_an_answer_is_held_and_passed_on_with_its_length() {
    let upstream = Upstream::with(behave);
    let (gateway, keys) = start(&upstream).await;
    for way in ["plain", "chunked", "close", "interim"] {
        let made = gateway.request("POST", &format!("/datasets?way={way}"), &keys.editor, "{}");
        assert_eq!((made.status, made.body.as_str()), (200, BODY), "{way}");
        assert_eq!(made.header("content-length"), [BODY.len().to_string()]);
        assert!(made.header("transfer-encoding").is_empty());
        assert_eq!(made.header("x-request-id").len(), 1);
    }
    let list = gateway.get("/all?way=plain", &keys.viewer);
    assert!(list.header("etag").is_empty(), "it is another list");
    let old = format!(
        "GET /all?way=chunked HTTP/1.0\r\nHost: gw\r\nAuthorization: Bearer {}\r\n\r\n",
        keys.viewer
    );
    let list = gateway.raw(old).unwrap();
    assert_eq!((list.status, list.body.as_str()), (200, BODY));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_understood_is_not_passed_on() {
    let upstream = Upstream::with(behave);
    let (gateway, keys) = start(&upstream).await;
    for way in [
        "short",
        "long",
        "unknown_coding",
        "no_gzip",
        "garbage",
        "empty",
    ] {
        let made = gateway.request("POST", &format!("/datasets?way={way}"), &keys.editor, "{}");
        assert_eq!(made.status, 502, "{way}");
        let list = gateway.get(&format!("/all?way={way}"), &keys.viewer);
        let expected = if way == "empty" { 204 } else { 502 };
        assert_eq!(list.status, expected, "{way}");
    }
    let late = gateway.request("POST", "/datasets?way=silent", &keys.editor, "{}");
    assert_eq!(late.status, 504);
    let creations = upstream.received();
    let creations = creations.iter().filter(|it| it.line().contains("silent"));
    assert_eq!(creations.count(), 1, "never twice");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_answer_to_an_inspected_body_passes_as_it_comes() {
    let upstream = Upstream::with(behave);
    let (gateway, keys) = start(&upstream).await;
    let made = gateway.request("POST", "/datasets?way=plain", &keys.editor, "{}");
    assert_eq!(made.status, 200);
    let body = r#"{"dataset_id":"mine"}"#;
    let log = |way: &str| gateway.request("POST", &format!("/log?way={way}"), &keys.editor, body);
    for way in ["plain", "chunked", "close", "interim"] {
        let passed = log(way);
        assert_eq!((passed.status, passed.body.as_str()), (200, BODY), "{way}");
        let has_length = matches!(way, "plain" | "interim");
        assert_eq!(
            passed.header("content-length").len(),
            usize::from(has_length)
        );
        assert_eq!(
            passed.header("transfer-encoding").len(),
            usize::from(!has_length)
        );
        assert_eq!(passed.header("x-request-id").len(), 1);
    }
    assert_eq!(log("empty").status, 204);
    // Nobody reads it: what it is packed in is the client's matter.
    assert_eq!(log("unknown_coding").status, 200);
    assert_eq!(log("garbage").status, 502);
    assert_eq!(log("silent").status, 504);
    let old = format!(
        "POST /log?way=chunked HTTP/1.0\r\nHost: gw\r\nAuthorization: Bearer {}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        keys.editor,
        body.len()
    );
    let passed = gateway.raw(old).unwrap();
    assert_eq!((passed.status, passed.body.as_str()), (200, BODY));
    let short = format!(
        "POST /log?way=short HTTP/1.1\r\nHost: gw\r\nAuthorization: Bearer {}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        keys.editor,
        body.len()
    );
    let mut broken = gateway.connect();
    broken.send(short);
    let mut read = 0;
    loop {
        let bytes = broken.some_bytes();
        if bytes.is_empty() {
            break;
        }
        read += bytes.len();
    }
    assert!(read > BODY.len(), "head and what there is");
    gateway.wait_for_audit();
    let events = gateway.events().await;
    let failed = events.iter().filter(|event| event["result"] == "failed");
    assert_eq!(failed.count(), 3, "{events:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn how_long_a_held_answer_may_be_is_said_in_the_configuration() {
    let upstream = Upstream::with(|_, stream| {
        let item = format!(r#"{{"datasets":[],"more":"{}"}}"#, "x".repeat(2000));
        respond(stream, "200 OK", item.as_bytes())
    });
    for (limit, status) in [("1KiB", 502), ("3KiB", 200)] {
        let config = crate::support::gateway::yaml(upstream.address(), ROUTES);
        let config = format!(
            "{}{config}\nlimits: {{ answer: {limit} }}\n",
            TYPES.trim_start()
        );
        let gateway = TestGateway::start(&config).await;
        let keys = gateway.seed();
        assert_eq!(gateway.get("/all", &keys.viewer).status, status, "{limit}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_nobody_reads_streams_to_what_makes_objects() {
    let upstream = Upstream::with(|request, stream| {
        let body = format!(r#"{{"id":"file-{}"}}"#, request.body.len());
        respond(stream, "200 OK", body.as_bytes())
    });
    let routes = "  - route: POST /files
    upstream: app
    permission: datasets:create
    creates: { type: file, id: response.body./id }
  - route: GET /files/{id}
    upstream: app
    permission: datasets:read
    resource: { type: file, id: path.id }
";
    let config = crate::support::gateway::yaml(upstream.address(), routes);
    let gateway = TestGateway::start(&config).await;
    let keys = gateway.seed();
    let post = |head: &str, body: &[u8]| {
        let mut connection = gateway.connect();
        let key = &keys.editor;
        connection.send(format!(
            "POST /files HTTP/1.1\r\nHost: gw\r\nAuthorization: Bearer {key}\r\n\
             Content-Type: multipart/form-data; boundary=x\r\n{head}\r\n"
        ));
        connection.send(body);
        connection.answer().unwrap()
    };
    let length = 3 << 20;
    let whole = post(
        &format!("Content-Length: {length}\r\n"),
        &vec![b'x'; length],
    );
    assert_eq!(whole.body, format!(r#"{{"id":"file-{length}"}}"#));
    let chunks = b"3\r\nabc\r\n4\r\ndefg\r\n0\r\n\r\n";
    let chunked = post("Transfer-Encoding: chunked\r\n", chunks);
    assert_eq!(chunked.body, r#"{"id":"file-7"}"#);
    assert_eq!(gateway.get("/files/file-7", &keys.viewer).status, 200);
    assert_eq!(gateway.get("/files/file-7", &keys.stranger).status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_leaves_is_not_waited_for_but_what_was_made_is_recorded() {
    let upstream = Upstream::with(|request, stream| {
        if request.line().starts_with("POST") {
            std::thread::sleep(Duration::from_millis(500));
        }
        respond(stream, "200 OK", BODY.as_bytes())
    });
    let (gateway, keys) = start(&upstream).await;
    let mut client = gateway.connect();
    client.send(format!(
        "POST /datasets HTTP/1.1\r\nHost: gw\r\nAuthorization: Bearer {}\r\n\
         Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{{}}",
        keys.editor
    ));
    until("the backend to be asked", || upstream.begun() > 0);
    drop(client);
    until("what was made to be its maker's", || {
        gateway.get("/datasets/mine", &keys.viewer).status == 200
    });
}
