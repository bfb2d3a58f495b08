//! Experiments and registered models of two tenants by one name.

use serde_json::{Value, json};

use super::requests::question;
use super::traces::experiment;
use crate::support::gateway::{Keys, TestGateway};
use crate::support::raw::Answer;

const EXPERIMENTS: &str = "/api/2.0/mlflow/experiments";
const MODELS: &str = "/api/2.0/mlflow/registered-models";
const VERSIONS: &str = "/api/2.0/mlflow/model-versions";

pub fn two_tenants_have_the_same_names(gateway: &TestGateway, keys: &Keys) {
    let mut ids = Vec::new();
    for key in [&keys.editor, &keys.stranger] {
        ids.push(experiment(gateway, key, "foo"));
        let made = post(
            gateway,
            key,
            &format!("{MODELS}/create"),
            &json!({ "name": "foo" }),
        );
        assert_eq!(made.status, 200, "{made:?}");
        assert_eq!(made.json()["registered_model"]["name"], "foo");
    }
    assert_ne!(ids[0], ids[1]);
    for (key, id) in [&keys.editor, &keys.stranger].into_iter().zip(&ids) {
        let found = gateway.get(
            &format!("{EXPERIMENTS}/get-by-name?experiment_name=foo"),
            key,
        );
        let found = found.json();
        assert_eq!(found["experiment"]["experiment_id"], **id);
        assert_eq!(found["experiment"]["name"], "foo");
        let models = gateway.get(&format!("{MODELS}/search"), key).json();
        assert_eq!(names(&models["registered_models"]), ["foo"]);
        let all = post(
            gateway,
            key,
            &format!("{EXPERIMENTS}/search"),
            &json!({ "max_results": 100 }),
        );
        assert_eq!(names(&all.json()["experiments"]), ["foo"]);
    }
}

/// The regression: what is answered is the same whether another tenant has the name or nobody.
pub fn resource_already_exists_tells_of_nobody_else(gateway: &TestGateway, keys: &Keys) {
    experiment(gateway, &keys.editor, "taken");
    let model = json!({ "name": "taken" });
    assert_eq!(
        post(gateway, &keys.editor, &format!("{MODELS}/create"), &model).status,
        200
    );
    let key = &keys.stranger;
    let tell = |name: &str| {
        let get = |target: String| gateway.get(&target, key);
        let post = |target: String, body: Value| post(gateway, key, &target, &body);
        let own = experiment(gateway, key, &format!("own-{name}"));
        let model = json!({ "name": format!("own-{name}") });
        assert_eq!(post(format!("{MODELS}/create"), model.clone()).status, 200);
        let full = format!("acme.fraud.{name}");
        let mut told = vec![
            get(format!("{EXPERIMENTS}/get-by-name?experiment_name={name}")),
            get(format!("{EXPERIMENTS}/get-by-name?experiment_name={full}")),
            get(format!("{MODELS}/get?name={name}")),
            get(format!("{MODELS}/get?name={full}")),
            get(format!("{VERSIONS}/search?filter=name%3D%27{name}%27")),
            get(format!("{MODELS}/search?filter=name%3D%27{full}%27")),
            post(
                format!("{EXPERIMENTS}/update"),
                json!({ "experiment_id": own, "new_name": name }),
            ),
            post(
                format!("{MODELS}/rename"),
                json!({ "name": format!("own-{name}"), "new_name": name }),
            ),
            post(format!("{MODELS}/create"), json!({ "name": name })),
            post(format!("{EXPERIMENTS}/create"), json!({ "name": name })),
            post(format!("{MODELS}/create"), json!({ "name": full })),
            post(format!("{EXPERIMENTS}/create"), json!({ "name": full })),
            get(format!("{MODELS}/get?name={name}")),
            get(format!("{EXPERIMENTS}/get-by-name?experiment_name={name}")),
        ];
        for answer in &mut told {
            answer.body = answer.body.replace(name, "NAME");
        }
        told.into_iter()
            .map(|answer| (answer.status, blotted(&answer.body)))
            .collect::<Vec<_>>()
    };
    let (taken, free) = (tell("taken"), tell("freed"));
    assert_eq!(taken, free);
    // The project's own are told of, by the names that it knows.
    assert!(taken[8].1.contains("RESOURCE_ALREADY_EXISTS"), "{taken:?}");
    assert!(
        !taken.iter().any(|(_, body)| body.contains("globex.churn.")),
        "{taken:?}"
    );
}

pub fn searches_find_names_as_they_are_seen(gateway: &TestGateway, keys: &Keys) {
    let key = &keys.viewer;
    let search = |filter: &str| {
        let body = json!({ "filter": filter, "max_results": 100 });
        let found = post(gateway, key, &format!("{EXPERIMENTS}/search"), &body);
        assert_eq!(found.status, 200, "{filter}: {found:?}");
        names(&found.json()["experiments"])
    };
    for (filter, found) in [
        ("name = 'foo'", &["foo"][..]),
        ("name LIKE 'f%'", &["foo"]),
        ("name ILIKE 'FO_'", &["foo"]),
        ("name LIKE '%acme%'", &[]),
        ("name = 'foo' AND name != 'foo'", &[]),
        ("attribute.name = \"taken\"", &["taken"]),
    ] {
        assert_eq!(search(filter), found, "{filter}");
    }
    let models = |filter: &str| {
        let found = gateway.get(&format!("{MODELS}/search?filter={filter}"), key);
        assert_eq!(found.status, 200, "{filter}: {found:?}");
        names(&found.json()["registered_models"])
    };
    assert_eq!(models("name%3D%27foo%27"), ["foo"]);
    assert_eq!(models("name+ILIKE+%27%25FO%25%27"), ["foo"]);
    assert_eq!(models("name+LIKE+%27acme%25%27"), [""; 0]);
    let prompts =
        "tags.%60mlflow.prompt.is_prompt%60+%21%3D+%27true%27+AND+name+ILIKE+%27%25oo%25%27";
    assert_eq!(models(prompts), ["foo"]);
}

pub fn every_place_of_a_name_is_the_peoples(gateway: &TestGateway, keys: &Keys) {
    let key = &keys.editor;
    let post = |target: &str, body: Value| {
        let answer = post(gateway, key, target, &body);
        assert_eq!(answer.status, 200, "{target}: {answer:?}");
        answer
    };
    let id = experiment(gateway, key, "places");
    let run = post(
        "/api/2.0/mlflow/runs/create",
        json!({ "experiment_id": id }),
    )
    .json();
    let run = run["run"]["info"]["run_id"].as_str().unwrap().to_owned();
    let source = format!("runs:/{run}/model");
    let version = json!({ "name": "foo", "source": source, "run_id": run });
    let mut told = vec![post(&format!("{VERSIONS}/create"), version)];
    let copied = json!({ "name": "foo", "source": "models:/foo/1", "run_id": run });
    let copy = post(&format!("{VERSIONS}/create"), copied);
    assert_eq!(
        copy.json()["model_version"]["source"],
        "models:/foo/1",
        "{copy:?}"
    );
    told.push(copy);
    let alias = json!({ "name": "foo", "alias": "best", "version": "1" });
    told.push(post(&format!("{MODELS}/alias"), alias));
    for target in [
        format!("{EXPERIMENTS}/get?experiment_id={id}"),
        format!("{EXPERIMENTS}/search?max_results=100"),
        format!("{MODELS}/get?name=foo"),
        format!("{MODELS}/search"),
        format!("{MODELS}/alias?name=foo&alias=best"),
        format!("{MODELS}/get-latest-versions?name=foo"),
        format!("{VERSIONS}/get?name=foo&version=1"),
        format!("{VERSIONS}/search"),
        format!("{VERSIONS}/get-download-uri?name=foo&version=1"),
    ] {
        told.push(gateway.get(&target, key));
    }
    for asked in [
        question("GetRun", &json!({ "data": { "runId": run } })),
        question("SearchRuns", &json!({ "data": { "experimentIds": [id] } })),
        question(
            "MlflowGetExperimentQuery",
            &json!({ "input": { "experimentId": id } }),
        ),
    ] {
        let body = asked.strip_prefix("POST /graphql ").unwrap();
        let answer = gateway.request("POST", "/graphql", key, body);
        assert!(answer.body.contains("places"), "{answer:?}");
        told.push(answer);
    }
    for answer in told {
        assert_eq!(answer.status, 200, "{answer:?}");
        assert!(!answer.body.contains("acme.fraud."), "{answer:?}");
    }
}

fn names(list: &Value) -> Vec<String> {
    let items = list.as_array().into_iter().flatten();
    items
        .map(|item| item["name"].as_str().unwrap().to_owned())
        .collect()
}

/// Numbers and times differ from one object to the next.
fn blotted(body: &str) -> String {
    body.chars().filter(|c| !c.is_ascii_digit()).collect()
}

fn post(gateway: &TestGateway, key: &str, target: &str, body: &Value) -> Answer {
    gateway.request("POST", target, key, &body.to_string())
}
