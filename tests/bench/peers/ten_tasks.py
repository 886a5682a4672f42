"""Ten common tasks on GPT-2 small's size, 1 × 15 tokens: ours and TransformerLens's way, in turn, with forwards, blocks and time.

    python tests/bench/peers/ten_tasks.py            # every task, 5 rounds
    python tests/bench/peers/ten_tasks.py patch -n 3

A block evaluation is one block on one token. The numbers of each task are compared before anything is timed.
"""
import os
import random
import statistics

from run import HERE, Worker, build, environment, machine, model, parse, same

TASKS = {
    "zero_heads": "each of 144 heads zeroed",
    "mean_heads": "each of 144 heads at its mean over positions",
    "patch_heads": "each of 144 heads patched",
    "patch_resid_pre": "the stream patched at 12 layers × 15 positions",
    "patch_attn_out": "attention's output patched at 12 × 15",
    "patch_mlp_out": "the MLP's output patched at 12 × 15",
    "cut_edges": "each of 180 attention edges into the last token cut",
    "zero_neurons": "each of 256 neurons of layer 6 zeroed",
    "attribution_patching": "attribution patching of 144 heads",
    "logit_lens": "logit lens of one token at 25 depths × 15 positions",
}


def main():
    options = parse(__doc__)
    folder, ours = options.folder, build()
    weights = model(environment(folder, "hf"), folder, "gpt2")
    draw = random.Random(0)
    prompt = [draw.randrange(30000) for _ in range(15)]
    # The prompts differ in one word, as pairs to patch between do.
    other = prompt[:4] + [draw.randrange(30000)] + prompt[5:]
    print(machine(), "\n")
    print("| task | forwards, ours · theirs | block evaluations | time, ours ms (CPU) | theirs | theirs ÷ ours | lowest to highest |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    python = environment(folder, "tl")
    with Worker([ours, weights]) as a, Worker([python, HERE / "theirs.py", "tl", weights, os.cpu_count()]) as b:
        for task in TASKS:
            if all(word in task for word in options.rows):
                order = dict(work="task", task=task, tokens=[prompt], other=[other], count=False)
                print(row(TASKS[task], a, b, order, options.n), flush=True)


def row(name, a, b, order, n):
    (ours, *_), (theirs, *_) = a.do(order), b.do(order)
    assert same(ours, theirs), f"{name}: the answers differ: {ours[:8]} and {theirs[:8]}"
    counts = [worker.do(dict(order, count=True))[0] for worker in (a, b)]
    pairs = [(a.do(order), b.do(order)) for _ in range(n)]
    middle = lambda side, k: statistics.median(pair[side][k] for pair in pairs)
    ratios = sorted(theirs[1] / ours[1] for ours, theirs in pairs)
    cell = lambda side: f"{middle(side, 1):.0f} ({middle(side, 2):.0f})"
    of = lambda k: f"{counts[0][k]:.0f} · {counts[1][k]:.0f}"
    return (f"| {name} | {of(0)} | {of(1)} | {cell(0)} | {cell(1)} | **{statistics.median(ratios):.1f}** | "
            f"{ratios[0]:.1f} to {ratios[-1]:.1f} |")


if __name__ == "__main__":
    main()
