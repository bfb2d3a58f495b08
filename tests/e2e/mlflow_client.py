"""The official MLflow client against MLflow behind Portcullis.

Needs in the environment: PORTCULLIS_URL, and the keys ACME_EDITOR_KEY, ACME_VIEWER_KEY
(both of project acme/fraud) and GLOBEX_EDITOR_KEY (project globex/churn).
Run it with a Python that has mlflow and scikit-learn: python mlflow_client.py
"""

import contextlib
import os
import tempfile
import unittest
import uuid
from pathlib import Path
from types import SimpleNamespace

# A refusal must be final: with retries a wrong 503 would only look slow.
os.environ["MLFLOW_HTTP_REQUEST_MAX_RETRIES"] = "0"
os.environ["MLFLOW_ENABLE_ASYNC_TRACE_LOGGING"] = "false"
os.environ["GIT_PYTHON_REFRESH"] = "quiet"
for name in ("MLFLOW_TRACKING_TOKEN", "MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD"):
    os.environ.pop(name, None)

import mlflow
import numpy
import requests
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException, RestException
from sklearn.linear_model import LogisticRegression

URL = os.environ["PORTCULLIS_URL"].rstrip("/")
EDITOR = os.environ["ACME_EDITOR_KEY"]
VIEWER = os.environ["ACME_VIEWER_KEY"]
STRANGER = os.environ["GLOBEX_EDITOR_KEY"]
ACME_WORKSPACE = "acme--fraud"
FEATURES = numpy.array([[0.0], [1.0], [2.0], [3.0]])
# What the editor makes once, and all tests look at.
work = SimpleNamespace(tag=uuid.uuid4().hex[:8])


@contextlib.contextmanager
def environment(**variables):
    """Sets environment variables, which the client reads on every request."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name, None) if value is None else os.environ.update({name: value})


def acting_as(key):
    """The key as the password of Basic, as a browser or git would send it."""
    return environment(MLFLOW_TRACKING_USERNAME="key", MLFLOW_TRACKING_PASSWORD=key)


def setUpModule():
    mlflow.set_tracking_uri(URL)
    mlflow.set_registry_uri(URL)
    with acting_as(EDITOR):
        log_run()
        log_model()
        log_trace()
        work.dataset = mlflow.genai.datasets.create_dataset(
            name=f"cases-{work.tag}", experiment_id=[work.experiment]
        ).dataset_id


def log_run():
    experiment = mlflow.set_experiment(f"fraud-{work.tag}")
    work.experiment, work.experiment_name = experiment.experiment_id, experiment.name
    with mlflow.start_run(run_name="baseline") as run:
        work.run = run.info.run_id
        work.artifact_root = run.info.artifact_uri.removeprefix("mlflow-artifacts:/")
        mlflow.log_params({"depth": 3, "rate": 0.1})
        for step in range(3):
            mlflow.log_metric("auc", 0.7 + step / 10, step=step)
        mlflow.set_tag("stage", "trial")
        mlflow.log_text("worth keeping", "notes/memo.txt")


def log_model():
    work.model_name = f"detector-{work.tag}"
    model = LogisticRegression().fit(FEATURES, [0, 0, 1, 1])
    with mlflow.start_run(run_id=work.run):
        logged = mlflow.sklearn.log_model(
            model,
            name="detector",
            pip_requirements=["scikit-learn"],
            registered_model_name=work.model_name,
        )
    work.logged_model = logged.model_id
    work.version = logged.registered_model_version or "1"
    MlflowClient().set_registered_model_alias(work.model_name, "champion", work.version)


def log_trace():
    @mlflow.trace
    def judge(amount):
        return amount > 100

    judge(250)
    work.trace = mlflow.get_last_active_trace_id()


def get(path, key, **headers):
    """A bare GET, for what the client would never send."""
    return requests.get(URL + path, headers={"Authorization": f"Bearer {key}", **headers}, timeout=60)


class ReadsEverything:
    """What editor and viewer alike must be able to read."""

    key = None

    def setUp(self):
        self.enterContext(acting_as(self.key))
        self.client = MlflowClient()

    def test_the_run_with_params_metrics_and_tags(self):
        data = self.client.get_run(work.run).data
        self.assertEqual(data.params, {"depth": "3", "rate": "0.1"})
        self.assertAlmostEqual(data.metrics["auc"], 0.9)
        self.assertEqual(data.tags["stage"], "trial")
        history = self.client.get_metric_history(work.run, "auc")
        self.assertEqual([point.step for point in history], [0, 1, 2])

    def test_experiments_and_runs_by_search(self):
        names = [found.name for found in self.client.search_experiments()]
        self.assertIn(work.experiment_name, names)
        runs = self.client.search_runs([work.experiment])
        self.assertEqual([run.info.run_id for run in runs], [work.run])

    def test_artifacts(self):
        listed = [item.path for item in self.client.list_artifacts(work.run, "notes")]
        self.assertEqual(listed, ["notes/memo.txt"])
        text = mlflow.artifacts.load_text(f"runs:/{work.run}/notes/memo.txt")
        self.assertEqual(text, "worth keeping")

    def test_the_registered_model_by_alias_and_what_it_predicts(self):
        version = self.client.get_model_version_by_alias(work.model_name, "champion")
        self.assertEqual(version.version, str(work.version))
        model = mlflow.pyfunc.load_model(f"models:/{work.model_name}@champion")
        self.assertEqual(list(model.predict(FEATURES)), [0, 0, 1, 1])

    def test_models_by_search(self):
        names = [model.name for model in self.client.search_registered_models()]
        self.assertIn(work.model_name, names)
        found = self.client.search_model_versions(f"name = '{work.model_name}'")
        self.assertEqual(len(found), 1)
        self.assertEqual(self.client.get_logged_model(work.logged_model).name, "detector")

    def test_the_trace_with_its_spans(self):
        trace = self.client.get_trace(work.trace)
        self.assertEqual([span.name for span in trace.data.spans], ["judge"])
        self.assertEqual(trace.data.spans[0].outputs, True)
        found = mlflow.search_traces(locations=[work.experiment], return_type="list")
        self.assertIn(work.trace, [trace.info.trace_id for trace in found])

    def test_the_dataset(self):
        self.assertEqual(self.client.get_dataset(work.dataset).name, f"cases-{work.tag}")


class EditorReadsBack(ReadsEverything, unittest.TestCase):
    key = EDITOR


class ViewerReads(ReadsEverything, unittest.TestCase):
    key = VIEWER


class EditorChanges(unittest.TestCase):
    """Changes that nothing else here depends on."""

    def setUp(self):
        self.enterContext(acting_as(EDITOR))
        self.client = MlflowClient()

    def test_a_run_is_deleted_and_restored(self):
        run = self.client.create_run(work.experiment).info.run_id
        self.client.delete_run(run)
        self.assertEqual(self.client.get_run(run).info.lifecycle_stage, "deleted")
        self.client.restore_run(run)
        self.client.delete_run(run)

    def test_an_alias_moves_and_goes(self):
        self.client.set_registered_model_alias(work.model_name, "spare", work.version)
        self.client.delete_registered_model_alias(work.model_name, "spare")
        with self.assertRaises(MlflowException):
            self.client.get_model_version_by_alias(work.model_name, "spare")

    def test_a_trace_is_judged(self):
        mlflow.log_feedback(trace_id=work.trace, name="right", value=True)
        judged = self.client.get_trace(work.trace).info.assessments
        self.assertEqual([item.name for item in judged], ["right"])

    def test_a_key_goes_as_a_bearer_token_too(self):
        with environment(MLFLOW_TRACKING_TOKEN=EDITOR):
            os.environ.pop("MLFLOW_TRACKING_USERNAME")
            os.environ.pop("MLFLOW_TRACKING_PASSWORD")
            self.assertEqual(self.client.get_run(work.run).info.run_id, work.run)


def writes(client):
    """Every kind of write, by name."""
    name, version = work.model_name, work.version
    source = f"runs:/{work.run}/detector"
    return {
        "create an experiment": lambda: client.create_experiment(f"more-{work.tag}"),
        "rename an experiment": lambda: client.rename_experiment(work.experiment, "other"),
        "tag an experiment": lambda: client.set_experiment_tag(work.experiment, "a", "b"),
        "delete an experiment": lambda: client.delete_experiment(work.experiment),
        "create a run": lambda: client.create_run(work.experiment),
        "log a metric": lambda: client.log_metric(work.run, "auc", 0.1),
        "log a parameter": lambda: client.log_param(work.run, "new", 1),
        "log a batch": lambda: client.log_batch(work.run, tags=[mlflow.entities.RunTag("a", "b")]),
        "tag a run": lambda: client.set_tag(work.run, "stage", "mine"),
        "untag a run": lambda: client.delete_tag(work.run, "stage"),
        "end a run": lambda: client.set_terminated(work.run),
        "delete a run": lambda: client.delete_run(work.run),
        "create a model": lambda: client.create_registered_model(f"more-{work.tag}"),
        "rename a model": lambda: client.rename_registered_model(name, "other"),
        "describe a model": lambda: client.update_registered_model(name, "mine"),
        "tag a model": lambda: client.set_registered_model_tag(name, "a", "b"),
        "set an alias": lambda: client.set_registered_model_alias(name, "champion", version),
        "delete an alias": lambda: client.delete_registered_model_alias(name, "champion"),
        "create a version": lambda: client.create_model_version(name, source, work.run),
        "describe a version": lambda: client.update_model_version(name, version, "mine"),
        "delete a version": lambda: client.delete_model_version(name, version),
        "delete a model": lambda: client.delete_registered_model(name),
        "create a logged model": lambda: client.create_logged_model(work.experiment, "more"),
        "tag a logged model": lambda: client.set_logged_model_tags(work.logged_model, {"a": "b"}),
        "delete a logged model": lambda: client.delete_logged_model(work.logged_model),
        "delete a trace": lambda: client.delete_traces(work.experiment, trace_ids=[work.trace]),
        "judge a trace": lambda: mlflow.log_feedback(trace_id=work.trace, name="no", value=False),
        "create a dataset": lambda: client.create_dataset(f"more-{work.tag}", work.experiment),
        "tag a dataset": lambda: client.set_dataset_tags(work.dataset, {"a": "b"}),
        "delete a dataset": lambda: client.delete_dataset(work.dataset),
    }


class ViewerWritesAreRefused(unittest.TestCase):
    def setUp(self):
        self.enterContext(acting_as(VIEWER))
        self.client = MlflowClient()

    def test_each_write_raises_permission_denied(self):
        for name, write in writes(self.client).items():
            with self.subTest(name), self.assertRaises(RestException) as raised:
                write()
            with self.subTest(name):
                self.assertEqual(raised.exception.error_code, "PERMISSION_DENIED")

    def test_an_artifact_is_not_stored(self):
        # The client's artifact code raises the transport's own error, with our body in it.
        with tempfile.TemporaryDirectory() as folder, self.assertRaises(Exception) as raised:
            path = Path(folder, "forged.txt")
            path.write_text("forged")
            self.client.log_artifact(work.run, path, "notes")
        self.assertIn("PERMISSION_DENIED", str(raised.exception))
        listed = [item.path for item in self.client.list_artifacts(work.run, "notes")]
        self.assertEqual(listed, ["notes/memo.txt"])


def reads_by_id(client):
    """A read by each kind of id that the editor's work has."""
    name, version = work.model_name, work.version
    return {
        "experiment": lambda: client.get_experiment(work.experiment),
        "run": lambda: client.get_run(work.run),
        "metric history": lambda: client.get_metric_history(work.run, "auc"),
        "artifacts of a run": lambda: client.list_artifacts(work.run),
        "an artifact of a run": lambda: client.download_artifacts(work.run, "notes/memo.txt"),
        "model": lambda: client.get_registered_model(name),
        "version": lambda: client.get_model_version(name, version),
        "alias": lambda: client.get_model_version_by_alias(name, "champion"),
        "where a version lies": lambda: client.get_model_version_download_uri(name, version),
        "logged model": lambda: client.get_logged_model(work.logged_model),
        "trace": lambda: client.get_trace(work.trace),
        "dataset": lambda: client.get_dataset(work.dataset),
    }


def found_by(search):
    """An experiment of others is empty with workspaces, and does not exist without them."""
    try:
        return list(search())
    except MlflowException as refused:
        if refused.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        return []


class AnotherTenantSeesNothing(unittest.TestCase):
    def setUp(self):
        self.enterContext(acting_as(STRANGER))
        self.client = MlflowClient()

    def test_by_search(self):
        experiments = [work.experiment]
        for name, search in {
            "experiments": lambda: [one.name for one in self.client.search_experiments()],
            "runs": lambda: self.client.search_runs(experiments),
            "models": lambda: [one.name for one in self.client.search_registered_models()],
            "versions": lambda: self.client.search_model_versions(f"run_id = '{work.run}'"),
            "logged models": lambda: self.client.search_logged_models(experiments),
            "traces": lambda: mlflow.search_traces(locations=experiments, return_type="list"),
            "datasets": lambda: self.client.search_datasets(experiment_ids=experiments),
        }.items():
            with self.subTest(name):
                found = str(found_by(search))
                self.assertNotIn(work.tag, found)
                self.assertNotIn(work.run, found)
        self.assertIsNone(self.client.get_experiment_by_name(work.experiment_name))

    def test_by_id(self):
        for name, read in reads_by_id(self.client).items():
            with self.subTest(name), self.assertRaises(MlflowException) as raised:
                read()
            with self.subTest(name):
                self.assertIn(raised.exception.error_code, ("RESOURCE_DOES_NOT_EXIST", "NOT_FOUND"))

    def test_by_writing_to_what_it_cannot_see(self):
        for name, write in {
            "log a metric": lambda: self.client.log_metric(work.run, "auc", 0.0),
            "delete the run": lambda: self.client.delete_run(work.run),
            "delete the experiment": lambda: self.client.delete_experiment(work.experiment),
            "run in the experiment": lambda: self.client.create_run(work.experiment),
            "move the alias": lambda: self.client.set_registered_model_alias(
                work.model_name, "champion", work.version
            ),
            "judge the trace": lambda: mlflow.log_feedback(
                trace_id=work.trace, name="no", value=False
            ),
        }.items():
            with self.subTest(name), self.assertRaises(MlflowException) as raised:
                write()
            with self.subTest(name):
                self.assertEqual(raised.exception.error_code, "RESOURCE_DOES_NOT_EXIST")

    def test_by_the_path_of_an_artifact(self):
        bare = work.artifact_root.removeprefix(f"workspaces/{ACME_WORKSPACE}/")
        for root in (work.artifact_root, bare):
            path = f"/api/2.0/mlflow-artifacts/artifacts/{root}/notes/memo.txt"
            with self.subTest(root):
                self.assertNotIn("worth keeping", get(path, STRANGER).text)
        path = f"/api/2.0/mlflow-artifacts/artifacts/{work.artifact_root}/notes/memo.txt"
        self.assertEqual(get(path, EDITOR).text, "worth keeping", "the path itself is right")

    def test_by_sending_the_workspace_header(self):
        path = f"/api/2.0/mlflow/runs/get?run_id={work.run}"
        self.assertEqual(get(path, EDITOR).status_code, 200)
        for header in ("X-MLFLOW-WORKSPACE", "x-mlflow-workspace", "X_MLFLOW_WORKSPACE"):
            with self.subTest(header):
                answer = get(path, STRANGER, **{header: ACME_WORKSPACE})
                self.assertIn(answer.status_code, (400, 403, 404))
                self.assertNotIn("artifact_uri", answer.text)

    def test_by_asking_mlflow_for_its_workspaces(self):
        for path in ("/api/3.0/mlflow/workspaces", f"/api/3.0/mlflow/workspaces/{ACME_WORKSPACE}"):
            with self.subTest(path):
                answer = get(path, STRANGER)
                self.assertEqual(answer.json()["error_code"], "PERMISSION_DENIED")

    def test_by_the_tag_that_says_where_a_trace_lies(self):
        mlflow.set_experiment(f"churn-{work.tag}")
        with mlflow.start_span("bait") as span:
            bait = span.trace_id
        tag = {"key": "mlflow.artifactLocation", "value": f"mlflow-artifacts:/{work.artifact_root}"}
        for version in ("2.0", "3.0"):
            path = f"{URL}/api/{version}/mlflow/traces/{bait}/tags"
            answer = requests.patch(path, json=tag, auth=("key", STRANGER), timeout=60)
            with self.subTest(version):
                self.assertEqual(answer.json()["error_code"], "PERMISSION_DENIED")
        self.assertNotIn(work.run, self.client.get_trace(bait).info.tags[tag["key"]])


class Credentials(unittest.TestCase):
    def test_no_key_and_a_wrong_key_are_unauthenticated(self):
        for key in ("", "pcl_live_nothing"):
            with self.subTest(key), acting_as(key), self.assertRaises(RestException) as raised:
                MlflowClient().get_run(work.run)
            with self.subTest(key):
                self.assertEqual(raised.exception.error_code, "UNAUTHENTICATED")


if __name__ == "__main__":
    unittest.main(verbosity=2)
