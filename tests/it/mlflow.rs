//! The preset `mlflow-workspaces` before a real MLflow.

mod advisories;
mod clients;
mod holes;
mod identity;
mod isolation;
mod names;
mod otlp;
mod pages;
mod provisioning;
mod refusals;
mod requests;
mod server;
mod traces;
mod work;

use std::net::SocketAddr;

use requests::Requests;
use server::{Mlflow, Place, Tenancy};

use crate::support::gateway::{Keys, TestGateway};

/// A gateway with two tenants before an MLflow.
struct Setup {
    gateway: TestGateway,
    keys: Keys,
    mlflow: Mlflow,
}

impl Setup {
    /// MLflow first, so that it starts while all else is made.
    async fn start(tenancy: Tenancy) -> Self {
        let place = Place::choose();
        let yaml = yaml(place.address(), tenancy);
        let mut mlflow = Mlflow::start(place, tenancy);
        let gateway = TestGateway::start(&yaml).await;
        let keys = gateway.seed();
        mlflow.wait();
        if tenancy == Tenancy::Workspaces {
            provisioning::wait_for(&gateway, &keys);
        }
        Self {
            gateway,
            keys,
            mlflow,
        }
    }
}

fn yaml(mlflow: SocketAddr, tenancy: Tenancy) -> String {
    let preset = tenancy.preset();
    format!(
        "upstreams:\n  mlflow: {{ url: \"http://{mlflow}\" }}\n\
         presets: [ {{ name: {preset}, upstream: mlflow }} ]\n"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn official_client() {
    clients::python_library(&Setup::start(Tenancy::Workspaces).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn web_ui() {
    clients::browser(&Setup::start(Tenancy::Workspaces).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn official_client_without_workspaces() {
    clients::python_library(&Setup::start(Tenancy::Gateway).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn web_ui_without_workspaces() {
    clients::browser(&Setup::start(Tenancy::Gateway).await);
}

/// The gateway alone keeps apart what MLflow holds in one heap.
#[tokio::test(flavor = "multi_thread")]
async fn rest_without_workspaces() {
    let setup = Setup::start(Tenancy::Gateway).await;
    let (gateway, keys) = (&setup.gateway, &setup.keys);
    let address = setup.mlflow.address();
    let work = work::Work::of(gateway, &keys.editor, address, Tenancy::Gateway);
    let requests = Requests::of(Tenancy::Gateway);
    isolation::another_project_finds_nothing_by_id(gateway, keys, &work, &requests);
    isolation::another_project_finds_nothing_by_search(gateway, keys, &work, &requests);
    isolation::another_project_changes_nothing(gateway, keys, &work, &requests);
    traces::a_trace_cannot_be_taken_over(gateway, keys, &work);
    traces::no_trace_shows_another_projects_files(gateway, keys, &work);
    otlp::spans_join_only_traces_of_their_project(gateway, keys, &work, Tenancy::Gateway);
    holes::nobody_chooses_where_artifacts_lie(gateway, keys, &work);
    holes::a_version_comes_from_its_own_project(gateway, keys, &work);
    holes::what_is_attached_is_of_the_same_project(gateway, keys, &work, Tenancy::Gateway);
    holes::each_of_many_ids_is_checked(gateway, keys, &work);
    holes::no_search_goes_without_what_it_is_about(gateway, keys);
    holes::only_the_uis_questions_pass(gateway, keys, &work);
    holes::what_was_there_before_is_nobodys(gateway, keys);
    pages::are_full_and_tell_nothing(gateway, keys);
    advisories::a_location_has_no_fragment(gateway, keys);
    advisories::one_request_asks_once(gateway, keys, &work);
    advisories::jobs_are_nobodys(gateway, keys);
    advisories::no_path_leads_out(gateway, keys, &work);
    isolation::the_project_itself_changes_it_all(gateway, keys, &work, &requests);
}

/// MLflow has one heap of names, and says which are taken.
#[tokio::test(flavor = "multi_thread")]
async fn names_without_workspaces() {
    let setup = Setup::start(Tenancy::Gateway).await;
    let (gateway, keys) = (&setup.gateway, &setup.keys);
    names::two_tenants_have_the_same_names(gateway, keys);
    names::resource_already_exists_tells_of_nobody_else(gateway, keys);
    names::searches_find_names_as_they_are_seen(gateway, keys);
    names::every_place_of_a_name_is_the_peoples(gateway, keys);
    clients::two_tenants_by_the_python_library(&setup);
}

/// Everything over raw HTTP, with one MLflow for all of it.
#[tokio::test(flavor = "multi_thread")]
async fn rest() {
    let place = Place::choose();
    let address = place.address();
    let gateway = TestGateway::start(&yaml(address, Tenancy::Workspaces)).await;
    let keys = gateway.seed();
    provisioning::projects_made_while_mlflow_is_down(&gateway, &keys);
    let mut mlflow = Mlflow::start(place, Tenancy::Workspaces);
    mlflow.wait();
    provisioning::wait_for(&gateway, &keys);
    provisioning::projects_made_while_mlflow_is_up(&gateway, &keys);

    let work = work::Work::of(&gateway, &keys.editor, address, Tenancy::Workspaces);
    let requests = Requests::of(Tenancy::Workspaces);
    isolation::another_project_finds_nothing_by_id(&gateway, &keys, &work, &requests);
    isolation::another_project_finds_nothing_by_search(&gateway, &keys, &work, &requests);
    isolation::another_project_changes_nothing(&gateway, &keys, &work, &requests);
    traces::a_trace_cannot_be_taken_over(&gateway, &keys, &work);
    traces::no_trace_shows_another_projects_files(&gateway, &keys, &work);
    let tenancy = Tenancy::Workspaces;
    otlp::spans_join_only_traces_of_their_project(&gateway, &keys, &work, tenancy);
    holes::what_is_attached_is_of_the_same_project(&gateway, &keys, &work, tenancy);
    advisories::a_location_has_no_fragment(&gateway, &keys);
    advisories::one_request_asks_once(&gateway, &keys, &work);
    advisories::jobs_are_nobodys(&gateway, &keys);
    advisories::no_path_leads_out(&gateway, &keys, &work);
    refusals::a_viewer_changes_nothing(&gateway, &keys);
    refusals::denied_routes_are_closed_to_all(&gateway, &keys);
    refusals::the_platforms_routes_are_closed_to_projects(&gateway, &keys);
    refusals::strangers_are_asked_who_they_are(&gateway);
    identity::the_client_cannot_choose_the_workspace(&gateway, &keys, &work);
    identity::only_a_foreign_origin_is_refused(&gateway, &keys);
    refusals::a_revoked_key_is_refused_within_a_second(&gateway, &work);
    isolation::the_project_itself_changes_it_all(&gateway, &keys, &work, &requests);
}
