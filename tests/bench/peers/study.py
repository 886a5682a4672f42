"""The study of SmolLM2 in pairs: the tests that hold our numbers against the recorded ones, and the script that recorded them.

    python tests/bench/peers/study.py            # one pair; the script takes minutes
    python tests/bench/peers/study.py -n 3

Both load the model and measure the same: facts, lens, generation, head scores, 270 heads zeroed and patched on 16 prompts, the stream
patched by layer and position, attribution directly and by gradient. `bash .ci/smollm2` makes the model.
"""
import argparse
import json
import os
import re
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from run import HERE, environment, machine

SCRIPT = HERE.parents[1] / "fixtures/smollm2/make_smollm2_reference.py"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    cache = Path.home() / ".cache/arrakis"
    parser.add_argument("-n", type=int, default=1, help="pairs")
    parser.add_argument("--model", type=Path, default=cache / "smollm2/f32", help="SmolLM2 in single precision")
    parser.add_argument("--folder", type=Path, default=cache / "peers", help="for the Python environment")
    options = parser.parse_args()
    ours, python = build(), environment(options.folder, "hf")
    print(machine(), "\n", flush=True)
    ratios = []
    for _ in range(options.n):
        text, *own = timed([ours, "smollm2::", "--skip", "half_precision", "--nocapture"], dict(ARRAKIS_SMOLLM2=str(options.model)))
        assert "test result: ok" in text, text
        with tempfile.TemporaryDirectory() as out:
            _, *theirs = timed([python, SCRIPT, options.model, out], {})
        ratios.append(own[0] / theirs[0])
        print("\n".join(line for line in text.splitlines() if re.match(r"(zeroed|patched|by position):", line)))
        print(f"ours {own[0]:.0f} s (CPU {own[1]:.0f}), the script {theirs[0]:.0f} s (CPU {theirs[1]:.0f}): "
              f"{own[0] / theirs[0]:.2f} of its time, {own[1] / theirs[1]:.2f} of its CPU time", flush=True)
    print(f"median of {options.n}: {statistics.median(ratios):.2f}")


def build():
    command = [os.environ.get("CARGO", "cargo"), "test", "--locked", "--workspace", "--features", "arrakis-tests/smollm2",
               "--test", "laws", "--no-run", "--message-format", "json"]
    out = subprocess.run(command, cwd=HERE, check=True, stdout=subprocess.PIPE, text=True).stdout
    messages = map(json.loads, out.splitlines())
    return next(m["executable"] for m in messages if m.get("executable") and m["target"]["name"] == "laws")


def timed(command, variables):
    """What a command prints, its wall time and its CPU time in seconds."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run([str(word) for word in command], env=dict(os.environ, **variables), stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True)
    wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        sys.exit(f"{command[0]} failed:\n{done.stdout}\n{done.stderr}")
    return done.stdout, wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


if __name__ == "__main__":
    main()
