//! The preset `mlflow-workspaces` before a real MLflow.

mod clients;
mod identity;
mod isolation;
mod provisioning;
mod refusals;
mod server;
mod traces;
mod work;

use std::net::SocketAddr;

use server::{Mlflow, Place};

use crate::support::gateway::{Keys, TestGateway};

/// A gateway with two tenants before an MLflow.
struct Setup {
    gateway: TestGateway,
    keys: Keys,
    _mlflow: Mlflow,
}

impl Setup {
    /// MLflow first, so that it starts while all else is made.
    async fn start() -> Self {
        let place = Place::choose();
        let yaml = yaml(place.address());
        let mut mlflow = Mlflow::start(place);
        let gateway = TestGateway::start(&yaml).await;
        let keys = gateway.seed();
        mlflow.wait();
        provisioning::wait_for(&gateway, &keys);
        Self {
            gateway,
            keys,
            _mlflow: mlflow,
        }
    }
}

fn yaml(mlflow: SocketAddr) -> String {
    format!(
        "upstreams:\n  mlflow: {{ url: \"http://{mlflow}\" }}\n\
         presets: [ {{ name: mlflow-workspaces, upstream: mlflow }} ]\n"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn official_client() {
    clients::python_library(&Setup::start().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn web_ui() {
    clients::browser(&Setup::start().await);
}

/// Everything over raw HTTP, with one MLflow for all of it.
#[tokio::test(flavor = "multi_thread")]
async fn rest() {
    let place = Place::choose();
    let address = place.address();
    let gateway = TestGateway::start(&yaml(address)).await;
    let keys = gateway.seed();
    provisioning::projects_made_while_mlflow_is_down(&gateway, &keys);
    let mut mlflow = Mlflow::start(place);
    mlflow.wait();
    provisioning::wait_for(&gateway, &keys);
    provisioning::projects_made_while_mlflow_is_up(&gateway, &keys);

    let work = work::Work::of(&gateway, &keys.editor, address);
    isolation::another_project_finds_nothing_by_id(&gateway, &keys, &work);
    isolation::another_project_finds_nothing_by_search(&gateway, &keys, &work);
    isolation::another_project_changes_nothing(&gateway, &keys, &work);
    traces::a_trace_cannot_be_taken_over(&gateway, &keys, &work);
    traces::no_trace_shows_another_projects_files(&gateway, &keys, &work);
    refusals::a_viewer_changes_nothing(&gateway, &keys);
    refusals::denied_routes_are_closed_to_all(&gateway, &keys);
    refusals::the_platforms_routes_are_closed_to_projects(&gateway, &keys);
    refusals::strangers_are_asked_who_they_are(&gateway);
    identity::the_client_cannot_choose_the_workspace(&gateway, &keys, &work);
    identity::only_a_foreign_origin_is_refused(&gateway, &keys);
    refusals::a_revoked_key_is_refused_within_a_second(&gateway, &work);
    isolation::the_project_itself_changes_it_all(&gateway, &keys, &work);
}
