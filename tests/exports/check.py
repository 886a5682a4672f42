#!/usr/bin/env python3
"""What `arrakis export` writes, read by the programs that it is for: pandas, pyarrow and a real MLflow server.

    python tests/exports/check.py --arrakis target/debug/arrakis --dir experiments

The programs are from PyPI, in an environment of their own (`~/.cache/arrakis/exports`). The records are those of any folder.
The server runs on this machine with a store of its own, which is deleted at the end. Nothing here is run by `cargo test`.
"""
import argparse
import json
import math
import subprocess
import sys
import tempfile
import time
import urllib.request
import venv
from pathlib import Path

PACKAGES = ["mlflow", "pandas", "pyarrow"]
ENVIRONMENT = Path.home() / ".cache/arrakis/exports"


def environment():
    """Runs this script again where the packages are."""
    if Path(sys.prefix) == ENVIRONMENT:
        return
    if not (ENVIRONMENT / "bin/mlflow").exists():
        venv.create(ENVIRONMENT, with_pip=True)
        subprocess.run([ENVIRONMENT / "bin/pip", "install", "--quiet", *PACKAGES], check=True)
    sys.exit(subprocess.run([ENVIRONMENT / "bin/python", *sys.argv]).returncode)


def number(value):
    """A number of a record, which marks those that JSON has no word for."""
    if isinstance(value, dict) and set(value) == {"$float"}:
        value = value["$float"]
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        return float(value)
    except ValueError:
        return None


def same(a, b):
    return a == b or (math.isnan(a) and math.isnan(b))


def kept(value):
    """What MLflow's own store keeps of a number: it has no infinities."""
    return math.copysign(sys.float_info.max, value) if math.isinf(value) else value


class Checked:
    def __init__(self, arrakis, folder):
        self.arrakis, self.folder = arrakis, folder

    def export(self, *arguments):
        command = [self.arrakis, "export", "--dir", self.folder, *arguments]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            sys.exit(f"{' '.join(map(str, command))}: {done.stderr}")
        return done.stdout

    def tables(self, scratch):
        """The same table as CSV and as Parquet."""
        import pandas
        import pyarrow.parquet

        path = scratch / "runs.parquet"
        self.export("--format", "parquet", "--output", path)
        self.export("--format", "csv", "--output", scratch / "runs.csv")
        parquet, csv = pandas.read_parquet(path), pandas.read_csv(scratch / "runs.csv", low_memory=False)
        assert list(parquet.columns) == list(csv.columns) and len(parquet) == len(csv), (parquet.shape, csv.shape)
        assert list(parquet["id"]) == list(csv["id"])
        kinds = {str(field.type) for field in pyarrow.parquet.read_schema(path)}
        assert kinds <= {"int64", "double", "bool", "string"} and {"int64", "double", "string"} <= kinds, kinds
        cells = 0
        for name in csv.columns:
            if parquet[name].dtype.kind in "if" and csv[name].dtype.kind in "if":
                cells += len(csv)
                assert all(same(float(a), float(b)) for a, b in zip(parquet[name], csv[name])), name
        files = [json.loads(path.read_text()) for path in Path(self.folder).glob("*/*.json")]
        assert set(pandas.json_normalize(files)["id"]) == set(csv["id"])
        print(f"parquet: {parquet.shape[0]} runs, {parquet.shape[1]} columns of {sorted(kinds)}, {cells} numbers equal")

    def server(self, url):
        """Every run is there once, after two exports."""
        from mlflow.tracking import MlflowClient

        records = [json.loads(line) for line in self.export("--format", "jsonl").splitlines()]
        first, second = self.export("--mlflow", url), self.export("--mlflow", url)
        assert first.startswith(f"{len(records)} runs sent"), first
        assert second.startswith("0 runs sent") and f"{len(records)} were there" in second, second
        client = MlflowClient(url)
        experiments = [found for found in client.search_experiments() if found.name != "Default"]
        assert {found.name for found in experiments} == {record["name"] for record in records}
        runs = client.search_runs([found.experiment_id for found in experiments], max_results=50_000)
        by_record = {run.data.tags["arrakis.record"]: run for run in runs}
        assert len(runs) == len(by_record) == len(records), (len(runs), len(records))
        params = metrics = 0
        for record in records:
            run = by_record[record["id"]]
            failed = "ok" not in record["outcome"]
            assert run.info.status == ("FAILED" if failed else "FINISHED"), run.info
            assert run.info.end_time - run.info.start_time == int(1000 * record["duration_secs"]), record["id"]
            stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(run.info.start_time / 1000))
            assert record["started"].startswith(stamp), (record["started"], stamp)
            for name, value in record["arguments"].items():
                if isinstance(value, (int, str)) and not isinstance(value, bool):
                    assert run.data.params[name] == str(value)[:5000], (name, value)
                    params += 1
            result = record["outcome"].get("ok")
            pairs = result.items() if isinstance(result, dict) and "$float" not in result else [(None, result)]
            for name, value in pairs:
                value, key = number(value) if not isinstance(value, str) else None, f"result.{name}" if name else "result"
                if value is not None:
                    assert same(run.data.metrics[key], kept(value)), (key, value)
                    metrics += 1
            steps = Path(self.folder) / record["name"] / "metrics" / f"{record['id']}.jsonl"
            lines = [json.loads(line) for line in steps.read_text().splitlines() if line] if steps.exists() else []
            for name in {line["name"] for line in lines}:
                expected = {line["step"]: number(line["value"]) for line in lines if line["name"] == name}
                found = {point.step: point.value for point in client.get_metric_history(run.info.run_id, name)}
                assert found.keys() == expected.keys() and all(same(found[s], kept(expected[s])) for s in found), name
                metrics += len(found)
        print(f"mlflow: {len(records)} runs, {params} parameters and {metrics} numbers equal, none doubled")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--arrakis", type=Path, required=True)
    parser.add_argument("--dir", type=Path, required=True)
    parser.add_argument("--port", type=int, default=5077)
    asked = parser.parse_args()
    environment()
    checked, url = Checked(asked.arrakis, asked.dir), f"http://127.0.0.1:{asked.port}"
    with tempfile.TemporaryDirectory() as scratch:
        scratch = Path(scratch)
        checked.tables(scratch)
        store = ["--backend-store-uri", f"sqlite:///{scratch}/mlflow.db", "--artifacts-destination", scratch / "artifacts"]
        address = ["--host", "127.0.0.1", "--port", str(asked.port), "--workers", "1"]
        log = open(scratch / "log", "w")
        command = [ENVIRONMENT / "bin/mlflow", "server", *store, *address]
        server = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
        try:
            for _ in range(600):
                try:
                    urllib.request.urlopen(f"{url}/health", timeout=5)
                    break
                except OSError:
                    if server.poll() is not None:
                        sys.exit((scratch / "log").read_text())
                    time.sleep(0.5)
            checked.server(url)
        finally:
            subprocess.run(["kill", "--", f"-{server.pid}"])
            server.wait()


main()
