"""Records under load and in trouble, and their rates beside MLflow's stores.

    python tests/bench/records/demonstrate.py PROGRAM ARRAKIS [PART ..] [--quick] [--mlflow PYTHON]

PROGRAM is the `records` bench and ARRAKIS the command (`cargo bench --profile dev -p arrakis-tests --bench records --no-run` and `cargo build
-p arrakis` say where they are). Parts are `writers kills full trouble cost mlflow`. `full` and `trouble` mount small file systems, so they
need root. MLflow's PYTHON is that of an environment with `pip install mlflow`. `--quick` does a tenth of the work.
"""

import argparse
import glob
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))


def run(*command, **more):
    return subprocess.run(command, capture_output=True, text=True, **more)


def arrakis(*words, folder):
    return run(ARGS.arrakis, *words, "--dir", folder)


def ids(folder, name="score"):
    return {os.path.basename(path)[:-5] for path in glob.glob(f"{folder}/{name}/*.json")}


def check(folder):
    done = arrakis("fsck", folder=folder)
    return done.stdout.splitlines()[0], [line for line in done.stdout.splitlines() if line.startswith("bad")]


def writers(folder):
    """16 writers with readers that count, and one that lists, meanwhile."""
    each = 100 if ARGS.quick else 1000
    start = time.time()
    readers = [subprocess.Popen([ARGS.program, "read", folder, str(16 * each)], stdout=subprocess.PIPE, text=True) for _ in range(2)]
    work = [subprocess.Popen([ARGS.program, "write", folder, str(n), str(each)], stdout=subprocess.PIPE, text=True) for n in range(16)]
    acknowledged = [line.strip() for process in work for line in process.communicate()[0].splitlines()]
    took = time.time() - start
    said = [reader.communicate()[0].strip() for reader in readers]
    missing = set(acknowledged) - ids(folder)
    print(f"16 writers x {each}: {len(acknowledged)} acknowledged, {len(missing)} lost, {len(acknowledged) / took:.0f} a second; readers: {said}; {check(folder)}")
    assert len(acknowledged) == 16 * each and not missing and all(reader.returncode == 0 for reader in readers)


def kills(folder):
    """Writers that are killed at a random moment, again and again."""
    times = 100 if ARGS.quick else 1000
    acknowledged, log = 0, os.path.join(folder, "..", "acknowledged")
    random.seed(0)
    lost = set()
    for batch in range(0, times, 4):
        files = [open(f"{log}-{n}", "w") for n in range(4)]
        work = [subprocess.Popen([ARGS.program, "write", folder, str(1000 + batch + n), "100000"], stdout=file) for n, file in enumerate(files)]
        time.sleep(random.uniform(0.2, 1.0))
        for process in work:
            process.send_signal(signal.SIGKILL)
            process.wait()
        for file in files:
            file.close()
            said = [line.strip() for line in open(file.name) if line.endswith("\n")]
            acknowledged += len(said)
            lost |= {name for name in said if not os.path.exists(f"{folder}/score/{name}.json")}
    whole, bad = check(folder)
    left = len(glob.glob(f"{folder}/score/.writing-*"))
    print(f"{times} kills: {acknowledged} acknowledged, {len(lost)} lost, {whole}, {len(bad)} bad, {left} unfinished files")
    assert not lost and not bad
    hour = time.time() - 7200
    for path in glob.glob(f"{folder}/score/.writing-*"):
        os.utime(path, (hour, hour))
    arrakis("fsck", "--clear", folder=folder)
    left = len(glob.glob(f"{folder}/score/.writing-*"))
    print(f"  after fsck --clear, two hours later by their times: {left} unfinished files, {check(folder)[0]}")
    assert left == 0


def mounted(options, work):
    place = tempfile.mkdtemp()
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", place], check=True)
    try:
        work(place)
    finally:
        subprocess.run(["umount", place], check=True)


def full(_):
    """A disk without room, and one without inodes, that has records already."""
    for options, name in [("size=256k", "without room"), ("size=8m,nr_inodes=40", "without inodes")]:

        def fill(place):
            done = run(ARGS.program, "write", place, "1", "10000")
            said = [line for line in done.stdout.splitlines()]
            kept = ids(place)
            last = [line for line in done.stderr.splitlines() if "cannot write" in line][:1]
            one = run(ARGS.program, "one", place).stdout.strip()
            print(f"a disk {name}: {len(said)} acknowledged, {len(set(said) - kept)} lost, {check(place)}\n  {last}\n  {one}")
            assert set(said) <= kept and "refused: cannot write" in one

        mounted(options, fill)


def trouble(folder):
    """A folder that is read only, bad and foreign files, and a newer record."""
    run(ARGS.program, "write", folder, "1", "20")

    def read_only(place):
        shutil.copytree(folder, place, dirs_exist_ok=True)
        subprocess.run(["mount", "-o", "remount,ro", place], check=True)
        print("a folder that is read only:", run(ARGS.program, "one", place).stdout.strip())
        print("  it is read:", arrakis("log", "-n", "1", folder=place).stdout.splitlines()[-1], check(place))

    mounted("size=16m", read_only)
    some = sorted(glob.glob(f"{folder}/score/*.json"))
    newer = json.load(open(some[0]))
    newer["format"] = 99
    for name, text in [("newer", json.dumps(newer)), ("half", open(some[1]).read()[:300]), ("empty", ""), ("picture", "\x89PNG")]:
        open(f"{folder}/score/{name}.json", "w").write(text)
    open(f"{folder}/score/changed.json", "w").write(open(some[2]).read().replace('"seed": 0', '"seed": 1'))
    os.symlink("nowhere", f"{folder}/score/link.json")
    print("bad and foreign files:", *arrakis("fsck", folder=folder).stdout.splitlines(), sep="\n  ")
    print("  neighbours:", arrakis("log", "-n", "0", folder=folder).stdout.splitlines()[-1])


def cost(folder):
    """A logged scalar, on the disk and in memory, where waiting for the disk takes no time."""
    count = "200" if ARGS.quick else "1000"
    print("a scalar, medians in ms:", run(ARGS.program, "cost", folder, count).stdout.strip().replace("\n", "; "))
    with tempfile.TemporaryDirectory(dir="/dev/shm") as memory:
        print("  in memory:", run(ARGS.program, "cost", memory, count).stdout.strip().replace("\n", "; "))


def mlflow(folder):
    """The same work: a run with two arguments, eight numbers and a tag, by 16 processes."""
    each = 10 if ARGS.quick else 50
    start = time.time()
    work = [subprocess.Popen([ARGS.program, "write", folder, str(n), str(each)], stdout=subprocess.PIPE) for n in range(16)]
    [process.communicate() for process in work]
    rates = {"ours": 16 * each / (time.time() - start)}
    # Starting is no part of the work: ours loads a model, theirs imports Python.
    alone = time.time()
    work = [subprocess.Popen([ARGS.program, "write", folder, str(50 + n), "0"], stdout=subprocess.PIPE) for n in range(16)]
    [process.communicate() for process in work]
    idle = {"ours": time.time() - alone}
    rates["ours"] = 16 * each / (16 * each / rates["ours"] - idle["ours"])
    for store, uri in [("file", "file://{}/mlruns"), ("sqlite", "sqlite:///{}/mlflow.db")]:
        place = tempfile.mkdtemp()
        env = {**os.environ, "MLFLOW_ALLOW_FILE_STORE": "true"}
        script = [ARGS.mlflow, os.path.join(HERE, "mlflow_writer.py"), uri.format(place)]
        run(*script, "1", env=env)
        work = [subprocess.Popen([*script, str(each)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env) for _ in range(16)]
        said = [process.communicate() for process in work]
        spans = [tuple(map(float, out.split())) for out, _ in said if out.strip()]
        failed = [err.strip().splitlines()[-1] for out, err in said if not out.strip()]
        if spans:
            done = sum(span[2] for span in spans)
            rates[store] = done / (max(span[1] for span in spans) - min(span[0] for span in spans))
        print(f"mlflow {store}: {len(failed)} of 16 processes failed {failed[:1]}")
        shutil.rmtree(place)
    print("runs a second:", {name: round(rate, 1) for name, rate in rates.items()})
    print("ours / theirs:", {name: round(rates["ours"] / rate, 1) for name, rate in rates.items() if name != "ours"})


PARTS = {part.__name__: part for part in [writers, kills, full, trouble, cost, mlflow]}

if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("arrakis")
    parser.add_argument("parts", nargs="*")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--mlflow", default=sys.executable)
    parser.add_argument("--on", default=None, help="the folder that records are written in, such as one on a disk")
    ARGS = parser.parse_args()
    for name in ARGS.parts or PARTS:
        with tempfile.TemporaryDirectory(dir=ARGS.on) as place:
            # An index of its own.
            os.environ["ARRAKIS_CACHE"] = os.path.join(place, "cache")
            os.makedirs(os.path.join(place, "store"))
            PARTS[name](os.path.join(place, "store"))
