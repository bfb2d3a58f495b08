//! Real model servers behind the route maps that are made from what they say of themselves.

use crate::support::gateway::{Keys, TestGateway};
use crate::support::server::Server;

/// A gateway before a server, with the map made from its description.
struct Setup {
    gateway: TestGateway,
    keys: Keys,
    server: Server,
    description: String,
    map: String,
}

impl Setup {
    async fn of(server: Server, description: &str) -> Self {
        let mut gateway = TestGateway::prepare("").await;
        let file = gateway.data_dir().with_file_name("openapi.json");
        std::fs::write(&file, server.get(description).body).unwrap();
        let description = file.to_str().unwrap().to_owned();
        let upstream = format!("model={}", server.url());
        let map = gateway.cli(&["import", "openapi", &description, "--upstream", &upstream]);
        let setup = map.replace("version: 1\n", "");
        gateway.configure(&setup);
        gateway.cli(&["check"]);
        gateway.launch();
        let keys = gateway.seed();
        Self {
            gateway,
            keys,
            server,
            description,
            map: setup,
        }
    }

    /// The operations that the map does not cover, as `METHOD path`.
    fn uncovered(&self) -> Vec<String> {
        let args = ["routes", "--json", "--uncovered", &self.description];
        let (code, rows) = self.gateway.cli_code(&args);
        let rows: Vec<serde_json::Value> = serde_json::from_str(&rows).unwrap();
        let open = rows.iter().filter(|row| row["state"] != "covered");
        let text = |row: &serde_json::Value, key: &str| row[key].as_str().unwrap().to_owned();
        let open: Vec<_> = open
            .map(|row| format!("{} {}", text(row, "method"), text(row, "path")))
            .collect();
        assert_eq!(code, i32::from(!open.is_empty()), "{open:?}");
        open
    }

    /// Takes one route out of the map.
    fn without(&self, route: &str) {
        let routes = self.map.split("\n\n");
        let kept: Vec<_> = routes
            .filter(|block| !block.contains(&format!("- route: {route}\n")))
            .collect();
        let map = kept.join("\n\n");
        assert!(map.len() < self.map.len(), "{route} is not in the map");
        self.gateway.configure(&map);
    }

    fn post(&self, path: &str, key: &str, body: &str) -> crate::support::raw::Answer {
        self.gateway.request("POST", path, key, body)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn mlserver() {
    const INFER: &str = "POST /v2/models/{model_name}/infer";
    let setup = Setup::of(Server::mlserver(), "/v2/docs/dataplane.json").await;
    assert!(setup.uncovered().is_empty());

    let body = r#"{"inputs":[{"name":"x","shape":[2],"datatype":"FP32","data":[1.5,2.5]}]}"#;
    let infer = |key: &str| setup.post("/v2/models/echo/infer", key, body);
    let permitted = infer(&setup.keys.editor);
    assert_eq!(permitted.status, 200, "{permitted:?}");
    assert_eq!(permitted.json()["outputs"][0]["data"][1], 2.5);
    assert_eq!(infer(&setup.keys.viewer).status, 403);
    assert_eq!(infer("none").status, 401);
    let get = |path: &str, key: &str| setup.gateway.get(path, key).status;
    assert_eq!(get("/v2/models/echo", &setup.keys.viewer), 200);
    assert_eq!(get("/v2/models/echo", "none"), 401);
    // What the description keeps quiet about is there, and closed.
    assert_eq!(setup.server.get("/openapi.json").status, 200);
    assert_eq!(get("/openapi.json", &setup.keys.admin), 404);

    setup.without(INFER);
    assert_eq!(setup.uncovered(), [INFER]);
}

/// MLServer's other description, which tells of its administration too.
#[tokio::test(flavor = "multi_thread")]
async fn mlserver_administration() {
    let setup = Setup::of(Server::mlserver(), "/openapi.json").await;
    assert!(setup.uncovered().is_empty());
    let unload = |key: &str| {
        setup
            .post("/v2/repository/models/echo/unload", key, "")
            .status
    };
    assert_eq!(unload(&setup.keys.viewer), 403);
    assert_eq!(
        unload(&setup.keys.editor),
        403,
        "an editor unloads no models"
    );
    assert_eq!(unload(&setup.keys.owner), 200);
    let index = setup.post("/v2/repository/index", &setup.keys.viewer, "{}");
    assert_eq!(index.status, 200, "{index:?}");
    assert_eq!(index.json()[0]["state"], "UNAVAILABLE");
}

#[tokio::test(flavor = "multi_thread")]
async fn litserve() {
    const CHAT: &str = "POST /v1/chat/completions";
    let setup = Setup::of(Server::litserve(), "/openapi.json").await;
    assert!(setup.uncovered().is_empty());

    let body = r#"{"model":"lit","messages":[{"role":"user","content":"hi"}]}"#;
    let chat = |key: &str| setup.post("/v1/chat/completions", key, body);
    let permitted = chat(&setup.keys.editor);
    assert_eq!(permitted.status, 200, "{permitted:?}");
    assert_eq!(
        permitted.json()["choices"][0]["message"]["content"],
        "heard: hi"
    );
    assert_eq!(chat(&setup.keys.viewer).status, 403);
    assert_eq!(chat("none").status, 401);
    // The suggestion to open the health check to all is a comment.
    let raw = setup
        .gateway
        .raw("GET /health HTTP/1.1\r\nHost: gw\r\n\r\n");
    assert_eq!(raw.unwrap().status, 401);
    assert_eq!(setup.gateway.get("/health", &setup.keys.viewer).status, 200);

    setup.without(CHAT);
    assert_eq!(setup.uncovered(), [CHAT]);
}
