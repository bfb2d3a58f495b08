//! `kserve-v2` before MLServer, and before a stand-in for what only Triton has.

use serde_json::json;

use super::{adopt, bound_to_version_1};
use crate::support::gateway::{Keys, TestGateway};
use crate::support::raw::Answer;
use crate::support::server::Server;
use crate::support::upstream::{Upstream, respond};

const INPUT: &str = r#"{"inputs":[{"name":"x","shape":[1],"datatype":"FP32","data":[1]}]}"#;

fn config(url: &str) -> String {
    format!(
        "upstreams:
  server: {{ url: \"{url}\" }}
presets: [{{ name: kserve-v2, upstream: server }}]
"
    )
}

struct Setup {
    gateway: TestGateway,
    keys: Keys,
}

impl Setup {
    /// `fraud` is acme/fraud's, `churn` globex/churn's, `nobodys` nobody's.
    async fn before(url: &str) -> Self {
        let gateway = TestGateway::start(&config(url)).await;
        let keys = gateway.seed();
        let models = [
            ("server", "model", "fraud", "acme/fraud"),
            ("server", "model", "churn", "globex/churn"),
        ];
        adopt(&gateway, &models).await;
        Self { gateway, keys }
    }

    fn get(&self, path: &str, key: &str) -> Answer {
        self.gateway.get(path, key)
    }

    fn post(&self, path: &str, key: &str, body: &str) -> Answer {
        self.gateway.request("POST", path, key, body)
    }

    fn infer(&self, model: &str, key: &str) -> Answer {
        self.post(&format!("/v2/models/{model}/infer"), key, INPUT)
    }
}

fn mlserver() -> Server {
    Server::mlserver_named(&[
        ("fraud", "1"),
        ("fraud", "2"),
        ("churn", "1"),
        ("nobodys", "1"),
    ])
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_is_its_projects() {
    let server = mlserver();
    let setup = Setup::before(&server.url()).await;
    let Keys {
        editor,
        viewer,
        stranger,
        ..
    } = &setup.keys;

    let answer = setup.infer("fraud", editor);
    assert_eq!(answer.status, 200, "{answer:?}");
    let words = &answer.json()["outputs"][0]["data"];
    assert_eq!(*words, json!(["fraud", "2", "all"]), "the newest version");
    let answer = setup.infer("fraud/versions/1", editor);
    assert_eq!(answer.json()["outputs"][0]["data"][1], "1");
    assert_eq!(setup.infer("churn", stranger).status, 200);
    assert_eq!(setup.infer("fraud", viewer).status, 403);

    let reads = [
        "",
        "/ready",
        "/versions/1",
        "/versions/1/ready",
        "/docs",
        "/docs/dataplane.json",
    ];
    for read in reads {
        let path = format!("/v2/models/fraud{read}");
        assert_eq!(setup.get(&path, viewer).status, 200, "{path}");
        assert_eq!(setup.get(&path, stranger).status, 404, "{path}");
    }

    // Another's, nobody's and none at all are told apart by nothing.
    let told = |model: &str| {
        let answer = setup.infer(model, editor);
        let names = answer.headers.iter().map(|(name, _)| name.clone());
        (answer.status, names.collect::<Vec<_>>(), answer.body)
    };
    let unknown = told("none-such");
    assert_eq!(unknown.0, 404);
    assert!(
        unknown.2.contains("error"),
        "in the protocol's words: {unknown:?}"
    );
    for model in ["churn", "nobodys", "churn/versions/1"] {
        assert_eq!(told(model), unknown, "{model}");
    }
}

/// However its name is spelt, the model that is judged is the one that is asked for.
#[tokio::test(flavor = "multi_thread")]
async fn a_models_name_has_one_spelling() {
    let upstream = Upstream::ok();
    let setup = Setup::before(&format!("http://{}", upstream.address())).await;
    let spaced = [("server", "model", "my model", "acme/fraud")];
    adopt(&setup.gateway, &spaced).await;
    let Keys {
        viewer, stranger, ..
    } = &setup.keys;
    for name in [
        "fraud%2Fversions%2F1",
        "churn%2f..%2ffraud",
        "fraud%5c..%5cchurn",
        "%2e%2e",
        "fraud%00",
        "fraud%2500",
        "fraud;v=1",
        "fraud%3fx",
        "fraud%zz",
    ] {
        for rest in ["", "/ready", "/versions/1", "/versions/1/ready"] {
            let path = format!("/v2/models/{name}{rest}");
            let status = setup.get(&path, viewer).status;
            assert!(matches!(status, 400 | 404), "{path}: {status}");
        }
    }
    let version = "/v2/models/fraud/versions/1%2F..%2F2/ready";
    assert_eq!(setup.get(version, viewer).status, 400);
    assert_eq!(upstream.begun(), 0);
    for (spelt, line) in [
        ("%66raud", "GET /v2/models/fraud/ready HTTP/1.1"),
        ("my%20model", "GET /v2/models/my%20model/ready HTTP/1.1"),
    ] {
        let path = format!("/v2/models/{spelt}/ready");
        assert_eq!(setup.get(&path, stranger).status, 404, "{path}");
        assert_eq!(setup.get(&path, viewer).status, 200, "{path}");
        assert_eq!(upstream.received().pop().unwrap().line(), line);
    }
    assert_eq!(upstream.begun(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_binding_may_be_on_one_version() {
    let server = mlserver();
    let setup = Setup::before(&server.url()).await;
    let key = &bound_to_version_1(&setup.gateway);
    let answer = setup.infer("fraud/versions/1", key);
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(setup.infer("fraud/versions/2", key).status, 403);
    assert_eq!(
        setup.infer("fraud", key).status,
        403,
        "the server would choose"
    );
    assert_eq!(setup.infer("churn/versions/1", key).status, 404);
    let read = |path: &str| setup.get(&format!("/v2/models/fraud{path}"), key).status;
    assert_eq!(read("/versions/1/ready"), 200);
    assert_eq!(read("/versions/2/ready"), 403);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_repository_shows_and_moves_what_is_the_callers() {
    let server = mlserver();
    let setup = Setup::before(&server.url()).await;
    let keys = &setup.keys;
    let names = |answer: &Answer| -> Vec<String> {
        let items = answer.json();
        let items = items.as_array().unwrap().iter();
        let name = |item: &serde_json::Value| item["name"].as_str().unwrap().to_owned();
        items.map(name).collect()
    };
    let index = |key: &str| setup.post("/v2/repository/index", key, "{}");
    assert_eq!(names(&index(&keys.viewer)), ["fraud", "fraud"]);
    assert_eq!(names(&index(&keys.stranger)), ["churn"]);
    assert_eq!(names(&index(&keys.admin)), ["churn", "fraud", "fraud"]);

    let ready = |model: &str| server.get(&format!("/v2/models/{model}/ready")).status;
    let unload = |model: &str, key: &str, body: &str| {
        setup.post(&format!("/v2/repository/models/{model}/unload"), key, body)
    };
    let load = |model: &str, key: &str, body: &str| {
        setup.post(&format!("/v2/repository/models/{model}/load"), key, body)
    };
    assert_eq!(unload("fraud", &keys.viewer, "").status, 403);
    assert_eq!(
        unload("fraud", &keys.stranger, "").status,
        403,
        "an editor deploys nothing"
    );
    assert_eq!(unload("churn", &keys.owner, "").status, 404);
    assert_eq!(ready("churn"), 200);

    let dependents = r#"{"parameters":{"unload_dependents":true}}"#;
    assert_eq!(unload("fraud", &keys.owner, dependents).status, 403);
    assert_eq!(ready("fraud"), 200);
    let alone = r#"{"parameters":{"unload_dependents":false}}"#;
    assert_eq!(unload("fraud", &keys.owner, alone).status, 200);
    assert_eq!(ready("fraud"), 404);
    let override_ = r#"{"parameters":{"config":"{\"backend\":\"python\"}"}}"#;
    assert_eq!(load("fraud", &keys.owner, override_).status, 403);
    assert_eq!(ready("fraud"), 404);
    let folded = r#"{"parameters":null,"parameters":{"config":"{}"}}"#;
    assert_eq!(load("fraud", &keys.owner, folded).status, 400);
    assert_eq!(load("fraud", &keys.owner, "").status, 200);
    assert_eq!(ready("fraud"), 200);
}

/// The first part has come before the model makes the last.
#[tokio::test(flavor = "multi_thread")]
async fn a_stream_comes_as_it_is_made() {
    let server = mlserver();
    let setup = Setup::before(&server.url()).await;
    let mut connection = setup.gateway.connect();
    let (key, length) = (&setup.keys.editor, INPUT.len());
    connection.send(format!(
        "POST /v2/models/fraud/versions/1/generate_stream HTTP/1.1\r\nHost: gw\r\n\
         Authorization: Bearer {key}\r\nContent-Type: application/json\r\n\
         Content-Length: {length}\r\n\r\n{INPUT}"
    ));
    let mut seen = String::new();
    let mut read_until = |what: &str| {
        while !seen.contains(what) {
            let bytes = connection.some_bytes();
            assert!(!bytes.is_empty(), "closed after {seen:?}");
            seen.push_str(&String::from_utf8(bytes).unwrap());
        }
    };
    read_until("\"first\"");
    std::fs::write(server.folder().join("go"), "").unwrap();
    read_until("\"last\"");
    assert!(seen.contains("text/event-stream"));
    let foreign = setup.post("/v2/models/churn/generate_stream", key, INPUT);
    assert_eq!(foreign.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn probes_are_open_and_the_rest_is_closed() {
    let server = mlserver();
    let setup = Setup::before(&server.url()).await;
    let raw = |path: &str| {
        let bytes = format!("GET {path} HTTP/1.1\r\nHost: gw\r\n\r\n");
        setup.gateway.raw(bytes).unwrap().status
    };
    for path in ["/v2/health/live", "/v2/health/ready"] {
        assert_eq!(raw(path), 200, "{path}");
    }
    for path in ["/v2", "/v2/docs/dataplane.json", "/v2/models/fraud"] {
        assert_eq!(raw(path), 401, "{path}");
    }
    let admin = &setup.keys.admin;
    for path in ["/v2", "/v2/docs", "/v2/docs/dataplane.json"] {
        assert_eq!(setup.get(path, admin).status, 200, "{path}");
    }
    let denied = [
        "/v2/systemsharedmemory/region/r/register",
        "/v2/cudasharedmemory/unregister",
        "/v2/trace/setting",
        "/v2/models/fraud/trace/setting",
        "/v2/logging",
        "/v2/repository/other/models/fraud/load",
    ];
    for path in denied {
        assert_eq!(setup.post(path, admin, "{}").status, 403, "{path}");
    }
    assert_eq!(setup.get("/metrics", admin).status, 404);
    assert_eq!(setup.get("/openapi.json", admin).status, 404);
}

/// What Triton's documentation says of it: MLServer has no statistics, no configuration and
/// no binary tensors.
#[tokio::test(flavor = "multi_thread")]
async fn tritons_own() {
    let triton = Upstream::with(|request, stream| {
        let path = request.line().split(' ').nth(1).unwrap();
        let stats = |names: &[&str]| {
            let stats: Vec<_> = names
                .iter()
                .map(|name| json!({ "name": name, "version": "1" }))
                .collect();
            json!({ "model_stats": stats }).to_string()
        };
        let body = match path {
            "/v2/models/stats" => stats(&["churn", "fraud", "nobodys"]),
            "/v2/models/fraud/versions/1/stats" => stats(&["fraud"]),
            "/v2/models/fraud/config" => json!({ "name": "fraud" }).to_string(),
            _ => request.header("inference-header-content-length").join(","),
        };
        respond(stream, "200 OK", body.as_bytes())
    });
    let setup = Setup::before(&format!("http://{}", triton.address())).await;
    let Keys {
        editor,
        viewer,
        stranger,
        ..
    } = &setup.keys;
    let all = setup.get("/v2/models/stats", viewer).json();
    assert_eq!(
        all,
        json!({ "model_stats": [{ "name": "fraud", "version": "1" }] })
    );
    for path in [
        "/v2/models/fraud/versions/1/stats",
        "/v2/models/fraud/config",
    ] {
        assert_eq!(setup.get(path, viewer).status, 200, "{path}");
        assert_eq!(setup.get(path, stranger).status, 404, "{path}");
    }
    // Binary tensors: not JSON, and longer than any body that is read.
    let body = vec![0xff; 3 << 20];
    let mut connection = setup.gateway.connect();
    connection.send(format!(
        "POST /v2/models/fraud/infer HTTP/1.1\r\nHost: gw\r\nAuthorization: Bearer {editor}\r\n\
         Content-Type: application/octet-stream\r\nInference-Header-Content-Length: 17\r\n\
         Content-Length: {}\r\n\r\n",
        body.len()
    ));
    connection.send(&body);
    let answer = connection.answer().unwrap();
    assert_eq!((answer.status, &*answer.body), (200, "17"));
    assert_eq!(triton.received().last().unwrap().body, body);
}
