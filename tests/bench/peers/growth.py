"""How time and memory grow with the model and the prompt, beside PyTorch: random weights of 0.1 to 1 B parameters, 128 to 4096
positions, in float32 and in bfloat16.

    python tests/bench/peers/growth.py               # every cell that is not measured yet, then the table
    python tests/bench/peers/growth.py 358M -n 1     # cells whose name contains 358M

A cell that is done is kept in growth.jsonl of --folder with the machine and the commit, so a run that was stopped goes on. Delete
the file to measure anew. The largest model runs in bfloat16 alone, and ours and PyTorch one after the other: two copies of its 13 GB
do not fit.
"""
import json
import os
import random
import statistics

from run import HERE, LARGE, LLAMAS, Worker, build, environment, halved, machine, model, parse

POSITIONS = [128, 256, 512, 1024, 2048, 4096]
# The precision of the weights, ours and theirs. Ours computes in float32 from weights of either.
PRECISIONS = {"float32": ([], "hf-sdpa"), "bfloat16": (["half"], "hf-sdpa-bf16")}
MODELS = [(name, precision) for name in LLAMAS for precision in PRECISIONS] + [(name, "bfloat16") for name in LARGE]


def main():
    options = parse(__doc__)
    store = options.folder / "growth.jsonl"
    store.parent.mkdir(parents=True, exist_ok=True)
    done = {}
    if store.exists():
        done = {cell["name"]: cell for cell in map(json.loads, store.read_text().splitlines())}
    missing = [(name, precision) for name, precision in MODELS
               if any(key(name, precision, pos) not in done and wanted(options, name, precision, pos) for pos in POSITIONS)]
    ours = build() if missing else None
    for name, precision in missing:
        measure(options, store, done, ours, name, precision)
    table(done)


def key(name, precision, pos):
    return f"{name} {precision} 1x{pos}"


def wanted(options, name, precision, pos):
    return all(word in key(name, precision, pos) for word in options.rows)


def measure(options, store, done, ours, name, precision):
    """Each side loads once and does all lengths, shortest first."""
    python = environment(options.folder, "hf")
    weights = model(python, options.folder, name)
    if precision == "bfloat16" and name not in LARGE:
        weights = halved(python, weights)
    flags, peer = PRECISIONS[precision]
    sides = [[ours, weights, *flags], [python, HERE / "theirs.py", peer, weights, os.cpu_count()]]
    orders = {key(name, precision, pos): order(pos) for pos in POSITIONS
              if key(name, precision, pos) not in done and wanted(options, name, precision, pos)}
    for cell, ours, theirs in (one_after_the_other if name in LARGE else in_turn)(sides, orders, options.n):
        # Weights and activations of the peer are in bfloat16, ours are computed in float32: only float32 is compared.
        if precision == "float32":
            assert all(abs(x - y) <= 1e-3 * max(1, abs(y)) for x, y in zip(ours[0][0], theirs[0][0])), f"{cell}: {ours[0]}, {theirs[0]}"
        middle = lambda rounds: [statistics.median(measured[k] for measured in rounds[1:]) for k in range(1, 4)]
        done[cell] = dict(name=cell, ours=middle(ours), theirs=middle(theirs), of=machine())
        with store.open("a") as file:
            file.write(json.dumps(done[cell]) + "\n")
        print(cell, "done", flush=True)


def order(pos):
    draw = random.Random(0)
    return dict(work="last", tokens=[[draw.randrange(30000) for _ in range(pos)]])


def in_turn(sides, orders, n):
    """Both rounds of each cell, the first of which is not counted."""
    with Worker(sides[0]) as ours, Worker(sides[1]) as theirs:
        for cell, order in orders.items():
            rounds = [(ours.do(order), theirs.do(order)) for _ in range(n + 1)]
            yield cell, *zip(*rounds)


def one_after_the_other(sides, orders, n):
    """The same, with one of the two in memory."""
    found = []
    for side in sides:
        with Worker(side) as worker:
            found.append({cell: [worker.do(order) for _ in range(n + 1)] for cell, order in orders.items()})
    for cell in orders:
        yield cell, found[0][cell], found[1][cell]


def table(done):
    for of in sorted({cell["of"] for cell in done.values()}):
        print("\n" + of + "\n")
        print("| model | " + " | ".join(f"1 × {pos}" for pos in POSITIONS) + " |")
        print("| --- |" + " --- |" * len(POSITIONS))
        for name, precision in MODELS:
            cells = [done.get(key(name, precision, pos)) for pos in POSITIONS]
            cells = [text(cell) if cell and cell["of"] == of else "" for cell in cells]
            if any(cells):
                print(f"| {name} {precision} | " + " | ".join(cells) + " |")
    print("\nA cell: seconds and highest resident GB, ours · PyTorch's sdpa, and theirs ÷ ours in time.")


def text(cell):
    (own, _, own_peak), (other, _, other_peak) = cell["ours"], cell["theirs"]
    return (f"{own / 1000:.2f} · {other / 1000:.2f} s, {own_peak / 1024:.1f} · {other_peak / 1024:.1f} GB, "
            f"**{other / own:.2f}**")


if __name__ == "__main__":
    main()
