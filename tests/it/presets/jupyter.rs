//! `jupyter` before Jupyter Server, with real kernels.

use std::process::Command;

use serde_json::{Value, json};

use super::{adopt, told};
use crate::support::gateway::{Keys, TestGateway};
use crate::support::raw::Answer;
use crate::support::server::{Server, jupyter_python};

/// `fraud-notes` is acme/fraud's, `churn-notes` globex/churn's, `nobodys` nobody's.
struct Setup {
    gateway: TestGateway,
    keys: Keys,
    server: Server,
}

impl Setup {
    async fn start() -> Self {
        let server = Server::jupyter(&["fraud-notes", "churn-notes", "nobodys"]);
        let yaml = format!(
            "upstreams: {{ jupyter: {{ url: \"{}\" }} }}\n\
             presets: [{{ name: jupyter, upstream: jupyter }}]\n",
            server.url()
        );
        let gateway = TestGateway::start(&yaml).await;
        let keys = gateway.seed();
        let directories = [
            ("jupyter", "directory", "fraud-notes", "acme/fraud"),
            ("jupyter", "directory", "churn-notes", "globex/churn"),
        ];
        adopt(&gateway, &directories).await;
        Self {
            gateway,
            keys,
            server,
        }
    }

    fn ask(&self, method: &str, path: &str, key: &str, body: &Value) -> Answer {
        let body = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        self.gateway.request(method, path, key, &body)
    }

    fn get(&self, path: &str, key: &str) -> Answer {
        self.gateway.get(path, key)
    }

    /// The status of an answer.
    fn status(&self, method: &str, path: &str, key: &str, body: &Value) -> u16 {
        self.ask(method, path, key, body).status
    }

    fn kernel(&self, key: &str) -> String {
        let answer = self.ask("POST", "/api/kernels", key, &json!({ "name": "python3" }));
        assert_eq!(answer.status, 201, "{answer:?}");
        answer.json()["id"].as_str().unwrap().to_owned()
    }

    fn run(&self, key: &str, kernel: &str, code: &str) -> String {
        let mut client = Command::new(jupyter_python());
        client
            .arg("tests/e2e/presets/jupyter_client.py")
            .arg(self.gateway.public().to_string())
            .args([key, kernel, code]);
        told(&mut client)
    }

    fn ids(&self, path: &str, key: &str) -> Vec<String> {
        let items = self.get(path, key).json();
        let items = items.as_array().unwrap().iter();
        items
            .map(|item| item["id"].as_str().unwrap().to_owned())
            .collect()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kernel_is_its_projects() {
    let setup = Setup::start().await;
    let Keys {
        editor,
        viewer,
        stranger,
        owner,
        ..
    } = &setup.keys;
    let kernel = setup.kernel(editor);
    assert_eq!(setup.run(editor, &kernel, "1+1"), "2");
    assert_eq!(setup.run(owner, &kernel, "6*7"), "42", "its project's");
    assert_eq!(setup.run(viewer, &kernel, "1+1"), "403");
    assert_eq!(setup.run(stranger, &kernel, "1+1"), "404");
    assert_eq!(setup.run("garbage", &kernel, "1+1"), "401");

    let theirs = setup.kernel(stranger);
    assert_eq!(setup.ids("/api/kernels", viewer), [kernel.as_str()]);
    assert_eq!(setup.ids("/api/kernels", stranger), [theirs.as_str()]);
    let one = format!("/api/kernels/{kernel}");
    let none = Value::Null;
    assert_eq!(setup.get(&one, viewer).status, 200);
    assert_eq!(setup.get(&one, stranger).status, 404);
    for action in ["interrupt", "restart"] {
        let path = format!("{one}/{action}");
        assert_eq!(
            setup.status("POST", &path, stranger, &none),
            404,
            "{action}"
        );
        assert_eq!(setup.status("POST", &path, viewer, &none), 403, "{action}");
    }
    let interrupt = format!("{one}/interrupt");
    assert_eq!(setup.status("POST", &interrupt, editor, &none), 204);
    assert_eq!(setup.status("DELETE", &one, stranger, &none), 404);
    assert_eq!(setup.status("DELETE", &one, viewer, &none), 403);
    assert_eq!(setup.server.get(&one).status, 200, "it still runs");
    assert_eq!(setup.status("DELETE", &one, editor, &none), 204);
    assert_eq!(setup.get(&one, editor).status, 404);
    assert_eq!(setup.ids("/api/kernels", stranger), [theirs.as_str()]);
}

/// The server would hand out a kernel by an id that the caller names.
#[tokio::test(flavor = "multi_thread")]
async fn a_kernel_is_not_taken_over() {
    let setup = Setup::start().await;
    let Keys {
        editor, stranger, ..
    } = &setup.keys;
    let kernel = setup.kernel(editor);
    let none = json!({ "kernel_id": kernel });
    assert_eq!(setup.status("POST", "/api/kernels", stranger, &none), 403);
    let session = |path: &str, kernel: Value| json!({ "path": path, "type": "notebook", "name": "n", "kernel": kernel });
    let post = |key: &str, body: &Value| setup.ask("POST", "/api/sessions", key, body);
    let attached = session("churn-notes/a.ipynb", json!({ "id": kernel }));
    assert_eq!(post(stranger, &attached).status, 404);

    let notebook = session("fraud-notes/a.ipynb", json!({ "name": "python3" }));
    let made = post(editor, &notebook);
    assert_eq!(made.status, 201, "{made:?}");
    let made = made.json();
    // The path of a session gives the session.
    assert_eq!(post(stranger, &notebook).status, 404);
    let mut older = session("churn-notes/b.ipynb", json!({ "name": "python3" }));
    older["notebook"] = json!({ "path": "fraud-notes/a.ipynb" });
    assert_eq!(post(stranger, &older).status, 403);
    for path in [
        "a.ipynb",
        "nobodys/a.ipynb",
        "/fraud-notes/a.ipynb",
        "churn-notes/../fraud-notes/a.ipynb",
    ] {
        let answer = post(stranger, &session(path, json!({ "name": "python3" })));
        assert!([400, 404].contains(&answer.status), "{path}: {answer:?}");
    }
    // Its kernel is its project's as well.
    let id = made["kernel"]["id"].as_str().unwrap();
    assert_eq!(setup.run(editor, id, "1+1"), "2");
    assert_eq!(setup.run(stranger, id, "1+1"), "404");
    let one = format!("/api/sessions/{}", made["id"].as_str().unwrap());
    assert_eq!(setup.get(&one, stranger).status, 404);
    let moved = json!({ "kernel": { "id": kernel } });
    assert_eq!(setup.status("PATCH", &one, stranger, &moved), 404);
    assert_eq!(setup.ids("/api/sessions", stranger), Vec::<String>::new());
    assert_eq!(setup.ids("/api/sessions", editor).len(), 1);
    let renamed = json!({ "path": "fraud-notes/c.ipynb" });
    assert_eq!(setup.status("PATCH", &one, editor, &renamed), 200);
    let away = json!({ "path": "churn-notes/c.ipynb" });
    assert_eq!(setup.status("PATCH", &one, editor, &away), 404);
    assert_eq!(setup.status("DELETE", &one, editor, &Value::Null), 204);
}

#[tokio::test(flavor = "multi_thread")]
async fn files_are_kept_apart_by_directory() {
    let setup = Setup::start().await;
    let Keys {
        editor,
        viewer,
        stranger,
        admin,
        ..
    } = &setup.keys;
    let file = json!({ "type": "file", "format": "text", "content": "secret" });
    let path = "/api/contents/fraud-notes/plan.txt";
    assert_eq!(setup.status("PUT", path, viewer, &file), 403);
    assert_eq!(setup.status("PUT", path, stranger, &file), 404);
    assert_eq!(setup.status("PUT", path, editor, &file), 201);
    assert_eq!(setup.get(path, viewer).json()["content"], "secret");
    let files = "/files/fraud-notes/plan.txt";
    assert_eq!(setup.get(files, viewer).body, "secret");
    for foreign in [
        path,
        "/api/contents/fraud-notes",
        files,
        "/view/fraud-notes/plan.txt",
    ] {
        assert_eq!(setup.get(foreign, stranger).status, 404, "{foreign}");
    }
    let names = |path: &str, key: &str| -> Vec<String> {
        let list = setup.get(path, key).json();
        let items = list["content"].as_array().unwrap().iter();
        items
            .map(|item| item["path"].as_str().unwrap().to_owned())
            .collect()
    };
    for root in [
        "/api/contents",
        "/api/contents/",
        "/api/contents?content=0&type=file",
    ] {
        assert_eq!(names(root, viewer), ["fraud-notes"], "{root}");
        assert_eq!(names(root, stranger), ["churn-notes"], "{root}");
    }
    assert_eq!(
        names("/api/contents/fraud-notes", viewer),
        ["fraud-notes/plan.txt"]
    );

    // Into and out of a directory by a name in the body.
    let copy = json!({ "copy_from": "fraud-notes/plan.txt" });
    let into = "/api/contents/churn-notes";
    assert_eq!(setup.status("POST", into, stranger, &copy), 404);
    for from in [
        "/fraud-notes/plan.txt",
        "churn-notes/../fraud-notes/plan.txt",
    ] {
        let copy = json!({ "copy_from": from });
        let answer = setup.ask("POST", into, stranger, &copy);
        assert!([400, 404].contains(&answer.status), "{from}: {answer:?}");
    }
    assert_eq!(
        setup.status("POST", "/api/contents/fraud-notes", editor, &copy),
        201
    );
    let away = json!({ "path": "churn-notes/plan.txt" });
    assert_eq!(setup.status("PATCH", path, editor, &away), 404);
    let renamed = json!({ "path": "fraud-notes/plan2.txt" });
    assert_eq!(setup.status("PATCH", path, editor, &renamed), 200);
    let path = "/api/contents/fraud-notes/plan2.txt";
    assert_eq!(setup.status("DELETE", path, stranger, &Value::Null), 404);
    assert_eq!(setup.status("DELETE", path, viewer, &Value::Null), 403);
    assert_eq!(setup.status("DELETE", path, editor, &Value::Null), 204);

    // The directories themselves are the operator's.
    let directory = json!({ "type": "directory" });
    assert_eq!(
        setup.status("POST", "/api/contents", editor, &directory),
        403
    );
    for method in ["PUT", "PATCH", "DELETE"] {
        let status = setup.status(method, "/api/contents/fraud-notes", admin, &directory);
        assert_eq!(status, 403, "{method}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn there_is_no_shell_and_no_look_at_all_projects() {
    let setup = Setup::start().await;
    let admin = &setup.keys.admin;
    assert_eq!(
        setup.server.request("POST", "/api/terminals", "").status,
        200
    );
    for (method, path) in [
        ("GET", "/api/terminals"),
        ("POST", "/api/terminals"),
        ("GET", "/api/terminals/1"),
        ("DELETE", "/api/terminals/1"),
        ("GET", "/terminals/websocket/1"),
        ("GET", "/nbconvert/html/fraud-notes/a.ipynb"),
        ("GET", "/api/resolvePath?path=x"),
        ("GET", "/api/events/subscribe"),
        ("GET", "/api/status"),
        ("GET", "/metrics"),
        ("POST", "/api/shutdown"),
        ("GET", "/logout"),
    ] {
        let status = setup.status(method, path, admin, &Value::Null);
        assert_eq!(status, 403, "{method} {path}");
    }
    let viewer = &setup.keys.viewer;
    for path in [
        "/api",
        "/api/kernelspecs",
        "/api/kernelspecs/python3",
        "/api/spec.yaml",
    ] {
        assert_eq!(setup.get(path, viewer).status, 200, "{path}");
    }
    assert_eq!(setup.get("/api/unknown", admin).status, 404);
}
