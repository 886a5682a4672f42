"""Training of dictionaries in pairs with SAELens: the same first weights, activations, settings and cores, one process each.

    python tests/bench/peers/dictionaries.py              # every architecture
    python tests/bench/peers/dictionaries.py topk -n 5    # those whose name contains topk, 5 rounds

A round is a whole training of so many steps, ours, then theirs: what a trainer sets up and ends with is in it. Squared errors of the
first and the last step, and L0, are compared first: a row whose answers differ is not timed. `topk-sparse` is SAELens's TopK with its option
of sparse activations.
"""
import os
import statistics
import subprocess
from pathlib import Path

from run import ENVIRONMENTS, HERE, Worker, build, environment, machine, parse

ENVIRONMENTS["sae"] = (["torch", "sae-lens", "numpy"], "import torch, sae_lens")
ARCHITECTURES = ["topk", "topk-sparse", "batchtopk", "standard", "gated", "jumprelu"]
# Width, latents, tokens of a batch, batches, steps, k.
D_IN, D_SAE, ROWS, BATCHES, STEPS, K = 512, 4096, 4096, 4, 6, 64

MAKE = f"""
import sys, numpy as np
from safetensors.numpy import save_file
draw = np.random.default_rng(0)
features = draw.normal(size=(2 * {D_IN}, {D_IN})).astype(np.float32)
features /= np.linalg.norm(features, axis=1, keepdims=True)
def batch():
    strengths = draw.uniform(.5, 1.5, ({ROWS}, 2 * {D_IN})) * (draw.random(({ROWS}, 2 * {D_IN})) < .03)
    return strengths.astype(np.float32) @ features + draw.normal(0, .02, ({ROWS}, {D_IN})).astype(np.float32)
save_file({{"x": np.stack([batch() for _ in range({BATCHES})])}}, sys.argv[1] + "/activations.safetensors")
decoder = draw.normal(size=({D_SAE}, {D_IN})).astype(np.float32)
decoder *= .1 / np.linalg.norm(decoder, axis=1, keepdims=True)
save_file({{"w_dec": decoder, "w_enc": np.ascontiguousarray(decoder.T)}}, sys.argv[1] + "/start.safetensors")
"""


def main():
    options = parse(__doc__)
    ours, python = build(), environment(options.folder, "sae")
    folder = options.folder / f"dictionaries/{D_IN}-{D_SAE}-{ROWS}-{BATCHES}"
    if not (folder / "start.safetensors").exists():
        folder.mkdir(parents=True, exist_ok=True)
        subprocess.run([python, "-c", MAKE, folder], check=True)
    print(machine(), f"\n{D_IN} numbers to {D_SAE} latents, batches of {ROWS} tokens, {STEPS} steps, k = {K}\n")
    print("| architecture | ours, tokens/s (CPU µs a token; MB) | SAELens | tokens/s (CPU µs a token; MB) | ours ÷ theirs | lowest to highest | CPU |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    theirs = [python, HERE / "theirs_dictionary.py", folder, os.cpu_count()]
    with Worker([ours, "dictionaries", folder]) as a, Worker(theirs) as b:
        for name in ARCHITECTURES:
            if all(word in name for word in options.rows):
                print(row(name, a, b, options.n), flush=True)


def row(name, a, b, n):
    order = dict(architecture=name, steps=STEPS, k=K)
    (ours, *_), (theirs, *_) = a.do(order), b.do(order)
    assert all(abs(x - y) <= 2e-3 * abs(y) for x, y in zip(ours, theirs)), f"{name}: the answers differ: {ours} and {theirs}"
    pairs = [(a.do(order)[1:], b.do(order)[1:]) for _ in range(n)]
    tokens = STEPS * ROWS
    middle = lambda side, k: statistics.median(pair[side][k] for pair in pairs)
    cell = lambda side: f"{1000 * tokens / middle(side, 0):.0f} ({1000 * middle(side, 1) / tokens:.0f}; {middle(side, 2):.0f})"
    ratios = sorted(theirs[0] / ours[0] for ours, theirs in pairs)
    cpu = statistics.median(theirs[1] / ours[1] for ours, theirs in pairs)
    return (f"| {name} | {cell(0)} | {b.versions} | {cell(1)} | **{statistics.median(ratios):.2f}** | "
            f"{ratios[0]:.2f} to {ratios[-1]:.2f} | {cpu:.2f} |")


if __name__ == "__main__":
    main()
