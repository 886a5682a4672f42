"""How time and memory grow with the model and the prompt, beside PyTorch: random weights of 0.1 to 1 B parameters, 128 to 4096
positions, in float32 and in bfloat16.

    python tests/bench/peers/growth.py               # every cell that is not measured yet, then the table
    python tests/bench/peers/growth.py 358M -n 1     # cells whose name contains 358M

A cell that is done is kept in growth.jsonl of --folder with the machine and the commit, so a run that was stopped goes on. Delete
the file to measure anew.
"""
import json
import os
import random
import statistics

from run import HERE, LLAMAS, Worker, build, environment, machine, model, parse

POSITIONS = [128, 256, 512, 1024, 2048, 4096]
# The precision of the weights, ours and theirs. Ours computes in float32 from weights of either.
PRECISIONS = {"float32": ([], "hf-sdpa"), "bfloat16": (["half"], "hf-sdpa-bf16")}


def main():
    options = parse(__doc__)
    store = options.folder / "growth.jsonl"
    store.parent.mkdir(parents=True, exist_ok=True)
    done = {}
    if store.exists():
        done = {cell["name"]: cell for cell in map(json.loads, store.read_text().splitlines())}
    missing = [(name, precision) for name in LLAMAS for precision in PRECISIONS
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
    weights = halved(python, model(python, options.folder, name)) if precision == "bfloat16" else model(python, options.folder, name)
    flags, peer = PRECISIONS[precision]
    with Worker([ours, weights, *flags]) as a, Worker([python, HERE / "theirs.py", peer, weights, os.cpu_count()]) as b:
        for pos in POSITIONS:
            if key(name, precision, pos) in done or not wanted(options, name, precision, pos):
                continue
            draw = random.Random(0)
            order = dict(work="last", tokens=[[draw.randrange(30000) for _ in range(pos)]])
            first = [a.do(order)[0], b.do(order)[0]]
            # Weights and activations of the peer are in bfloat16, ours are computed in float32: only float32 is compared.
            if precision == "float32":
                assert all(abs(x - y) <= 1e-3 * max(1, abs(y)) for x, y in zip(*first)), f"{name} {pos}: {first}"
            pairs = [(a.do(order)[1:], b.do(order)[1:]) for _ in range(options.n)]
            middle = lambda side: [statistics.median(pair[side][k] for pair in pairs) for k in range(3)]
            cell = dict(name=key(name, precision, pos), ours=middle(0), theirs=middle(1), of=machine())
            done[cell["name"]] = cell
            with store.open("a") as file:
                file.write(json.dumps(cell) + "\n")
            print(cell["name"], "done", flush=True)


def halved(python, folder):
    """The same checkpoint in bfloat16."""
    import subprocess
    out = folder.with_name(folder.name + "-bf16")
    if not (out / "model.safetensors").exists():
        make = (f"import torch, transformers; transformers.AutoModelForCausalLM.from_pretrained({str(folder)!r}, dtype=torch.bfloat16)"
                f".save_pretrained({str(out)!r}, max_shard_size='20GB')")
        subprocess.run([python, "-c", make], check=True, stdout=subprocess.DEVNULL)
    return out


def table(done):
    for of in sorted({cell["of"] for cell in done.values()}):
        print("\n" + of + "\n")
        print("| model | " + " | ".join(f"1 × {pos}" for pos in POSITIONS) + " |")
        print("| --- |" + " --- |" * len(POSITIONS))
        for name in LLAMAS:
            for precision in PRECISIONS:
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
