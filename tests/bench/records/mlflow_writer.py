"""Writes runs to a store of MLflow: `python mlflow_writer.py URI COUNT`. Prints when the first began, when the last ended, and how many."""

import sys
import time

import mlflow
from mlflow.entities import Metric, Param, RunTag
from mlflow.tracking import MlflowClient

client = MlflowClient(tracking_uri=sys.argv[1])
found = client.get_experiment_by_name("score")
experiment = found.experiment_id if found else client.create_experiment("score")
start = time.time()
for index in range(int(sys.argv[2])):
    run = client.create_run(experiment).info.run_id
    now = int(time.time() * 1000)
    client.log_batch(
        run,
        metrics=[Metric(f"score_{head}", head * index / 22, now, 0) for head in range(8)],
        params=[Param("layer", str(index)), Param("prompt", "When Mary and John went")],
        tags=[RunTag("bench", "yes")],
    )
    client.set_terminated(run)
print(start, time.time(), sys.argv[2])
