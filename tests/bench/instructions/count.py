"""Counts the instructions of a stack of 24 sites without a run, with the attribute and without it. Needs valgrind.

    python tests/bench/instructions/count.py

Counts do not depend on what else the machine does. Those of the start are taken away: each is of 50 forwards more.
"""
import json
import os
import re
import subprocess
from pathlib import Path

SITES = 24
FEW, MANY = 10, 60


def main():
    program = build()
    print("| rows × width | plain, instructions a forward | hooked | more | a site |\n| --- | --- | --- | --- | --- |")
    for rows in (1, 16, 128):
        plain, hooked = (
            (count(program, which, MANY, rows) - count(program, which, FEW, rows)) / (MANY - FEW) for which in ("plain", "hooked"))
        print(f"| {rows} × 128 | {plain:.0f} | {hooked:.0f} | {hooked / plain - 1:.2%} | {(hooked - plain) / SITES:.0f} |")


def build():
    command = [os.environ.get("CARGO", "cargo"), "build", "--locked", "--workspace", "--bench", "instructions",
               "--message-format", "json"]
    out = subprocess.run(command, cwd=Path(__file__).parent, check=True, stdout=subprocess.PIPE, text=True).stdout
    messages = map(json.loads, out.splitlines())
    return next(m["executable"] for m in messages if m.get("executable") and m["target"]["name"] == "instructions")


def count(program, which, forwards, rows):
    """One thread, because those that wait for work execute instructions too."""
    command = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", program, which, str(forwards), str(rows)]
    run = subprocess.run(command, env=dict(os.environ, RAYON_NUM_THREADS="1"), check=True, stderr=subprocess.PIPE, text=True)
    return int(re.search(r"Collected : (\d+)", run.stderr)[1])


if __name__ == "__main__":
    main()
