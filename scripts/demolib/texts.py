"""What the demo writes: the gateway's YAML, and the lines to paste."""

CONFIG_TEXT = """\
# Written by scripts/demo.py at each start; changes are lost.
version: 1
listen: 127.0.0.1:{ports.gateway}
private_listen: 127.0.0.1:{ports.private}
data_dir: {data}
upstreams:
  mlflow: {{ url: "http://127.0.0.1:{ports.mlflow}" }}
presets:
  - {{ name: mlflow-workspaces, upstream: mlflow }}
sign_in: {{}}
shutdown: {{ deadline: 10s }}
"""

READY_TEXT = """\

ready: {url}

Paste in a second terminal, here in {root}:

    . .demo/env
    curl -sS -H "Authorization: Bearer $ACME_EDITOR_KEY" \\
      "$PORTCULLIS_URL/api/2.0/mlflow/experiments/search?max_results=10"

    . .demo/env
    MLFLOW_TRACKING_URI=$PORTCULLIS_URL MLFLOW_TRACKING_TOKEN=$ACME_EDITOR_KEY {python} - <<'EOF'
    import mlflow
    mlflow.set_experiment("hello")
    with mlflow.start_run() as run:
        mlflow.log_metric("auc", 0.97)
    print(mlflow.get_run(run.info.run_id).data.metrics)
    EOF

MLflow's own pages: open {url} and sign in as one of

{people}

Each sees their own project and nothing else. Ctrl-C stops all.
"""
