"""Two tenants with the same names, each by the official MLflow client.

Needs in the environment: PORTCULLIS_URL, and the keys ACME_EDITOR_KEY (of project acme/fraud)
and GLOBEX_EDITOR_KEY (project globex/churn).
"""

import os
import unittest

os.environ["MLFLOW_HTTP_REQUEST_MAX_RETRIES"] = "0"

import mlflow
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

URL = os.environ["PORTCULLIS_URL"].rstrip("/")
TENANTS = {key: os.environ[key] for key in ("ACME_EDITOR_KEY", "GLOBEX_EDITOR_KEY")}
NAME = "shared-name"


class SameNames(unittest.TestCase):
    def test_all_of_a_models_life(self):
        mlflow.set_tracking_uri(URL)
        mlflow.set_registry_uri(URL)
        seen = {}
        for tenant, key in TENANTS.items():
            os.environ["MLFLOW_TRACKING_TOKEN"] = key
            seen[tenant] = self.live()
        self.assertEqual(len(set(seen.values())), 2, seen)

    def live(self):
        experiment = mlflow.set_experiment(NAME)
        self.assertEqual(experiment.name, NAME)
        again = mlflow.set_experiment(NAME)
        self.assertEqual(again.experiment_id, experiment.experiment_id)
        with mlflow.start_run() as run:
            mlflow.log_text("x", "model/MLmodel")
        client = MlflowClient()
        made = client.create_registered_model(NAME)
        self.assertEqual(made.name, NAME)
        with self.assertRaises(MlflowException) as refused:
            client.create_registered_model(NAME)
        self.assertEqual(refused.exception.error_code, "RESOURCE_ALREADY_EXISTS")
        self.assertNotIn(".", refused.exception.message.split("already exists")[0])
        source = f"runs:/{run.info.run_id}/model"
        version = client.create_model_version(NAME, source, run.info.run_id)
        self.assertEqual((version.name, version.version), (NAME, "1"))
        client.set_registered_model_alias(NAME, "champion", "1")
        self.assertEqual(client.get_model_version_by_alias(NAME, "champion").name, NAME)
        models = client.search_registered_models(f"name = '{NAME}'")
        self.assertEqual([model.name for model in models], [NAME])
        self.assertEqual([v.name for v in models[0].latest_versions], [NAME])
        versions = client.search_model_versions(f"name = '{NAME}'")
        self.assertEqual([found.name for found in versions], [NAME])
        found = client.search_experiments(filter_string=f"name = '{NAME}'")
        self.assertEqual([it.name for it in found], [NAME])
        copy = client.copy_model_version(f"models:/{NAME}/1", "copied")
        self.assertEqual(copy.name, "copied")
        self.assertIn(copy.source, [f"models:/{NAME}/1", version.source])
        client.rename_registered_model("copied", "renamed")
        self.assertEqual(client.get_registered_model("renamed").name, "renamed")
        client.delete_registered_model("renamed")
        client.rename_experiment(experiment.experiment_id, f"{NAME}-2")
        self.assertEqual(client.get_experiment(experiment.experiment_id).name, f"{NAME}-2")
        self.assertIsNone(client.get_experiment_by_name(NAME))
        return experiment.experiment_id


if __name__ == "__main__":
    unittest.main(verbosity=2)
